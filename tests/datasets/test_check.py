"""The data doctor finds what is planted and stays quiet where nothing is."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from onekcal import datasets as data
from onekcal.data.dataset import Column, Dataset
from onekcal.datasets.card import Stored
from onekcal.datasets.doctor.check import check
from onekcal.datasets.doctor.diagnosis import Diagnosis
from onekcal.datasets.doctor.twins import twins
from onekcal.energies import free_atoms
from onekcal.io import read
from onekcal.molecules import Molecules
from onekcal.units import BOHR, EV, HARTREE
from support.molecules import wobbly


def frames(count: int = 120) -> Dataset:
    """A trajectory: distorted methanol with consistent energies and forces."""
    return wobbly(4 * count, seed=5)[list(range(3, 4 * count, 4))]


def scaled(dataset: Dataset, name: str, factor: float) -> Dataset:
    column = dataset.columns[name]
    return dataset.with_column(name, replace(column, values=column.values * factor))


def problems(report: Diagnosis) -> str:
    return "\n".join(line for line in report.lines() if line.startswith(("error", "warning")))


def test_a_sound_trajectory_has_no_problems() -> None:
    report = check(frames())
    assert problems(report) == ""
    assert any("consistent" in line for line in report.lines())


@pytest.mark.parametrize(
    ("name", "factor", "message"),
    [
        ("pairs_forces", -1.0, "these are gradients, not forces: change their sign"),
        ("pairs_forces", 1 / EV, "the forces are in ev/Å, read as kcal/mol/Å"),
        ("pairs_forces", BOHR / HARTREE, "the forces are in hartree/bohr, read as kcal/mol/Å"),
        ("pairs_forces", EV * BOHR / HARTREE, "the forces are in hartree/bohr, read as ev/Å"),
        ("pairs_forces", -1 / HARTREE, "change their sign; the forces are in hartree/Å"),
        ("pairs_forces", EV**-2, "the factor of ev was applied the wrong way round"),
        ("pairs_forces", BOHR, "the forces are in kcal/mol/bohr, read as kcal/mol/Å"),
        ("pairs_forces", 1 / 3.0, "a factor no unit explains"),
        ("pairs", 4.184, "the energies are in kj/mol, read as kcal/mol"),
    ],
)
def test_a_planted_unit_mistake_is_named(name: str, factor: float, message: str) -> None:
    report = check(scaled(frames(), name, factor))
    assert report.failed
    assert message in problems(report)


def test_energies_in_hartree_are_noticed() -> None:
    report = check(scaled(wobbly(40), "pairs", 1 / HARTREE))
    assert report.failed
    assert "hartree" in problems(report)


def test_missing_labels_and_broken_geometries_are_errors() -> None:
    dataset = wobbly(40)
    dataset.columns["pairs"].values[7] = float("nan")
    assert "1 of 40 values are missing or not finite, first in row 7" in problems(check(dataset))
    dataset = wobbly(40)
    positions = dataset.molecules.positions.clone()
    positions[1] = positions[0]
    broken = replace(dataset, molecules=dataset.molecules.moved(positions))
    assert "atoms nearer than" in problems(check(broken))
    positions[1] = float("inf")
    assert "not finite" in problems(
        check(replace(dataset, molecules=dataset.molecules.moved(positions)))
    )


def test_lengths_in_bohr_and_an_atom_far_away_are_noticed() -> None:
    dataset = wobbly(40)
    bohr = replace(dataset, molecules=dataset.molecules.moved(dataset.molecules.positions / BOHR))
    assert "--length bohr" in problems(check(bohr))
    positions = dataset.molecules.positions.clone()
    positions[2, 0] += 5.0
    assert "more than 3.0 Å" in problems(
        check(replace(dataset, molecules=dataset.molecules.moved(positions)))
    )


def rotation(seed: int = 1) -> torch.Tensor:
    return torch.linalg.qr(
        torch.randn(3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    )[0]


def test_forces_are_held_against_energies_however_frames_are_turned() -> None:
    dataset = frames()
    turns = torch.stack([rotation(seed) for seed in range(len(dataset))])[
        dataset.molecules.owner
    ]  # (A, 3, 3), mirrors too
    turn = lambda vectors: torch.einsum("ai,aij->aj", vectors, turns)  # noqa: E731
    forces = dataset.columns["pairs_forces"]
    turned = replace(
        dataset, molecules=dataset.molecules.moved(turn(dataset.molecules.positions) + 3.0)
    )
    both = turned.with_column("pairs_forces", replace(forces, values=turn(forces.values)))
    assert "consistent" in "\n".join(check(both).lines())
    assert "pairs_forces" in problems(check(turned))  # forces that stayed behind


def test_a_copy_is_found_though_turned_shifted_and_reordered() -> None:
    molecules = wobbly(12).molecules
    one = molecules[7]
    copy = Molecules.one(
        one.numbers.flip(0).tolist(), (one.positions.flip(0) @ rotation() + 1.0).numpy()
    )
    assert twins(Molecules.concatenate([molecules, copy])).tolist() == [[7, 12]]
    assert twins(molecules).tolist() == []


def test_the_tolerance_of_copies_is_that_of_their_distances() -> None:
    one = wobbly(4).molecules[3]
    apart = []
    for step in (0.009, 0.011):
        moved = one.positions.clone()
        bond = one.positions[1] - one.positions[0]
        moved[1] += step * bond / bond.norm()
        apart.append(twins(Molecules.concatenate([one, one.moved(moved)]), 0.01).tolist())
    assert apart == [[[0, 1]], []]


def test_isomers_with_equal_distances_are_no_copies() -> None:
    chain = [[0, 0, 0], [0, 0, 1.1], [0, 0, 2.2]]
    isomers = Molecules.concatenate(
        [Molecules.one(symbols, chain) for symbols in (["N", "N", "O"], ["N", "O", "N"])]
    )
    assert twins(isomers).tolist() == []


def test_copies_with_other_labels_are_a_conflict() -> None:
    dataset = wobbly(40)[[*range(40), 3]]
    assert "of duplicates" not in problems(check(dataset))
    dataset.columns["pairs"].values[40] += 5.0
    assert (
        "1 pairs of equal geometries differ by more than 1 kcal/mol, most (5.0): wobbly 3 (row 3) "
        "and" in problems(check(dataset))
    )


def test_a_test_molecule_that_was_trained_on_is_a_leak() -> None:
    dataset = wobbly(40)
    twice = dataset[[*range(40), 3, 4]]
    labels = torch.zeros(42, dtype=torch.uint8)
    labels[40:] = 2
    assert "2 test molecules equal a training molecule" in problems(check(twice, {"mine": labels}))
    labels[:] = 0
    labels[[10, 11]] = 2
    assert "split mine" not in problems(check(twice, {"mine": labels}))


def test_splits_are_looked_at_with_the_data_they_belong_to() -> None:
    dataset = wobbly(40)
    assert "39 labels for 40 molecules" in problems(
        check(dataset, {"short": torch.zeros(39, dtype=torch.uint8)})
    )
    assert "no training part" in problems(
        check(Stored(dataset, {"empty": torch.full((40,), 2, dtype=torch.uint8)}))
    )
    assert problems(check(Stored(dataset, {"sound": torch.arange(40) % 3}))) == ""


def test_the_others_are_examined_beside_a_broken_geometry() -> None:
    dataset = wobbly(40)[[*range(40), 3]]
    positions = dataset.molecules.positions.clone()
    positions[0] = torch.nan
    text = problems(
        check(
            replace(dataset, molecules=dataset.molecules.moved(positions)),
            {"s": torch.arange(41) // 40 * 2},
        )
    )
    assert "1 molecules have coordinates that are not finite, first: row 0" in text
    assert "wobbly 3 (row 3) and wobbly 3 (row 40)" in text  # rows of the whole set
    assert "split s: 39 train, 1 test; 1 test molecules equal a training molecule" in text


def totals(dataset: Dataset, unit: float = 1.0) -> Column:
    """Energies with the free atoms of B3LYP put back."""
    atoms = free_atoms("b3lyp/6-31g(2df,p)").energies(dataset.molecules)
    return Column(
        (dataset.columns["pairs"].values + atoms) / unit, level="b3lyp/6-31g(2df,p)", kind="total"
    )


@pytest.mark.parametrize("kind", ["total", "atomization"])
@pytest.mark.parametrize(("unit", "name"), [(HARTREE, "hartree"), (EV, "ev"), (1.0, "")])
def test_totals_are_known_by_their_size_in_any_unit(kind: str, unit: float, name: str) -> None:
    dataset = wobbly(40)
    report = check(Dataset(dataset.molecules, {"e": replace(totals(dataset, unit), kind=kind)}))  # type: ignore[arg-type]
    if name:
        assert f"exactly what total energies in {name} look like" in problems(report)
    elif kind == "total":
        assert problems(report) == ""
        assert "the sum of all-electron atoms within 3 %" in "\n".join(report.lines())
    else:
        assert "but atomization energies lie in" in problems(report)


def test_atomization_energies_called_totals_or_of_the_wrong_sign_are_noticed() -> None:
    dataset = wobbly(40)
    bound = dataset.columns["pairs"]
    assert problems(check(Dataset(dataset.molecules, {"e": bound}))) == ""
    named = check(Dataset(dataset.molecules, {"e": replace(bound, kind="total")}))
    assert "as atomization energies have" in problems(named)
    assert "change the sign" in problems(
        check(Dataset(dataset.molecules, {"e": replace(bound, values=-bound.values)}))
    )


def test_free_atoms_of_another_level_are_noticed() -> None:
    dataset = wobbly(40)
    bound = replace(dataset.columns["pairs"], level="b3lyp/6-31g(2df,p)")
    sound = Dataset(dataset.molecules, {"total": totals(dataset), "bound": bound})
    assert any(
        "is a sum of free atoms (H -0.500273, C -37.846772" in line for line in check(sound).lines()
    )
    other = totals(dataset).values - free_atoms("g4mp2").energies(dataset.molecules)
    report = check(sound.with_column("bound", replace(bound, values=other)))
    assert "H, C, N, O disagree with the table of b3lyp/6-31g(2df,p)" in problems(report)


def test_energies_that_are_all_equal_were_lost_but_a_count_may_be_zero_everywhere() -> None:
    assert "all values are equal" in problems(check(scaled(wobbly(40), "pairs", 0.0)))
    zeros = Column(torch.zeros(40, dtype=torch.float64), "property", "gfn2", unit="")
    report = check(wobbly(40).with_column("gfn2_imaginary", zeros))
    assert problems(report) == ""
    assert any("all values are equal" in line for line in report.lines())


def test_squeezed_atoms_are_noticed() -> None:
    dataset = wobbly(40)
    positions = dataset.molecules.positions.clone()
    positions[1] = positions[0] + 0.45 * (positions[1] - positions[0])
    assert "nearer than 0.6 bond lengths, first: wobbly 0 (row 0)" in problems(
        check(replace(dataset, molecules=dataset.molecules.moved(positions)))
    )


def test_real_trajectories_agree_with_their_forces_and_real_copies_are_few(real_data) -> None:  # type: ignore[no-untyped-def]
    path = real_data / "rmd17_ethanol.npz"
    if not path.is_file():
        pytest.skip("no rmd17_ethanol.npz")
    dataset = read(path, level="pbe/def2-svp")
    slopes = [
        float(line.partition(" are ")[2].split()[0])
        for line in check(dataset).lines()
        if "consistent" in line
    ]
    assert slopes == [pytest.approx(1, abs=0.01)]
    assert check(scaled(dataset, "energy_forces", -1.0)).failed


def test_an_energy_that_was_shifted_is_listed() -> None:
    stored = data.load("mini")
    dataset = stored.dataset
    shifted = dataset.columns["b3lyp"].values.clone()
    shifted[100] += 627.5
    report = check(dataset.with_column("b3lyp", replace(dataset.columns["b3lyp"], values=shifted)))
    assert any("b3lyp outliers" in line and "(row 100)" in line for line in report.lines())


def test_the_embedded_sets_are_sound() -> None:
    for name in ("mini", "mini-frames"):
        stored = data.load(name)
        assert not check(stored.dataset, stored.splits).failed


def test_charged_molecules_are_pointed_out() -> None:
    ion = Molecules.one([8, 1], [[0, 0, 0], [0, 0, 0.97]], charge=-1)
    report = check(Dataset(ion, {"e": Column(torch.tensor([-100.0]))}))
    assert any("1 charged" in line for line in report.lines())
