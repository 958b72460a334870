"""The data doctor finds what is planted and stays quiet where nothing is."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from conftest import wobbly
from onekcal import data
from onekcal.data.check import Report, check, fingerprints
from onekcal.data.dataset import Column, Dataset
from onekcal.molecules import Molecules
from onekcal.units import BOHR, EV, HARTREE


def frames(count: int = 120) -> Dataset:
    """A trajectory: distorted methanol with consistent energies and forces."""
    return wobbly(4 * count, seed=5)[list(range(3, 4 * count, 4))]


def scaled(dataset: Dataset, name: str, factor: float) -> Dataset:
    column = dataset.columns[name]
    return dataset.with_column(name, replace(column, values=column.values * factor))


def problems(report: Report) -> str:
    return "\n".join(line for line in report.lines() if line.startswith(("error", "warning")))


def test_a_sound_trajectory_has_no_problems() -> None:
    report = check(frames())
    assert problems(report) == ""
    assert any("consistent" in line for line in report.lines())


@pytest.mark.parametrize(
    ("name", "factor", "message"),
    [
        ("pairs_forces", -1.0, "these are gradients"),
        ("pairs_forces", 1 / EV, "probably forces are in ev/angstrom"),
        ("pairs_forces", BOHR / HARTREE, "probably forces are in hartree/bohr"),
        ("pairs_forces", -1 / HARTREE, "forces are in hartree/angstrom, and are gradients"),
        ("pairs_forces", 3.0, "a factor no unit explains"),
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
    assert "not finite" in problems(check(replace(dataset, molecules=dataset.molecules.moved(positions))))


def test_lengths_in_bohr_and_an_atom_far_away_are_noticed() -> None:
    dataset = wobbly(40)
    bohr = replace(dataset, molecules=dataset.molecules.moved(dataset.molecules.positions / BOHR))
    assert "--length bohr" in problems(check(bohr))
    positions = dataset.molecules.positions.clone()
    positions[2, 0] += 5.0
    assert "more than 3.0 Å" in problems(check(replace(dataset, molecules=dataset.molecules.moved(positions))))


def test_a_copy_is_found_though_turned_shifted_and_reordered() -> None:
    molecules = wobbly(12).molecules
    one = molecules[7]
    turned = one.positions.flip(0) @ torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64,
                                                                 generator=torch.Generator().manual_seed(1)))[0] + 1.0
    copy = Molecules.one(one.numbers.flip(0).tolist(), turned.numpy())
    prints = fingerprints(Molecules.concatenate([molecules, copy]))
    assert prints[12] == prints[7]
    assert len(set(prints[:12])) == 12
    nudged = copy.moved(copy.positions + 0.1 * torch.eye(6, 3))
    assert fingerprints(nudged)[0] != prints[7]


def test_a_test_molecule_that_was_trained_on_is_a_leak() -> None:
    dataset = wobbly(40)
    twice = dataset[[*range(40), 3, 4]]
    labels = torch.zeros(42, dtype=torch.uint8)
    labels[40:] = 2
    assert "2 test molecules equal a training molecule" in problems(check(twice, {"mine": labels}))
    labels[:] = 0
    labels[[10, 11]] = 2
    assert "split mine" not in problems(check(twice, {"mine": labels}))


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
