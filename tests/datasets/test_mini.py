"""The embedded sets, and splits in general."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from onekcal import datasets as data
from onekcal.data.splits import label_split
from onekcal.datasets.sets import mini
from onekcal.errors import DataError
from onekcal.molecules import Molecules
from onekcal.units import BOHR, HARTREE


def test_mini_is_always_here_and_as_its_card_says() -> None:
    for name in ("mini", "mini-frames"):
        stored = data.load(name)
        assert data.is_here(name)
        assert len(stored.dataset) == stored.card.molecules
        assert stored.digest
        assert stored.dataset.molecules.elements == [1, 6, 7, 8, 9, 16]
        assert stored.dataset.molecules.check() == []


def test_mini_energies_are_bound_and_the_two_levels_agree_on_what_is_stable() -> None:
    stored = data.load("mini")
    gfn2, b3lyp = (stored.dataset.columns[name] for name in ("gfn2", "b3lyp"))
    assert (gfn2.level, b3lyp.level) == ("gfn2-xtb", "b3lyp/6-31g df")
    for column in (gfn2, b3lyp):
        assert (column.kind, column.at) == ("atomization", "electronic")
        assert (column.values < 0).all()
    # GFN2-xTB's free atoms are far from the DFT's, by a constant an element: the levels agree once
    # that is taken off
    counts = stored.dataset.molecules.composition(stored.dataset.molecules.elements)
    apart = (b3lyp.values - gfn2.values)[:, None]
    shift = (counts @ torch.linalg.lstsq(counts, apart).solution).flatten()
    assert float(torch.corrcoef(torch.stack([gfn2.values + shift, b3lyp.values]))[0, 1]) > 0.99
    assert (
        float(torch.corrcoef(torch.stack([gfn2.values - shift, b3lyp.values]))[0, 1]) < 0.97
    )  # the other sign fails


def test_hydrogen_has_the_bond_it_should() -> None:
    stored = data.load("mini")
    row = stored.dataset.molecules.formulas.index("H2")
    # D_e of H2 is 109.5 kcal/mol; B3LYP in a double-zeta basis without polarisation is within a few
    # of it
    assert float(stored.dataset.columns["b3lyp"].values[row]) == pytest.approx(-109.5, abs=5.0)


@pytest.mark.parametrize("column", ["gfn2", "b3lyp"])
def test_frame_forces_are_the_slope_of_the_energy(column: str) -> None:
    """Between two frames of a molecule, the energy changes as the mean force along the way says
    (trapezoid rule).
    """
    stored = data.load("mini-frames")
    molecules = stored.dataset.molecules
    energies = stored.dataset.columns[column].values
    pull = stored.dataset.columns[f"{column}_forces"].values
    assert (
        float(molecules.sum_atoms(pull).abs().max()) < 0.5
    )  # kcal/mol/Å; the grid of the DFT leaves a little
    predicted, found = [], []
    for m in range(len(molecules) - 1):
        a, b = (slice(*molecules.offsets[k : k + 2].tolist()) for k in (m, m + 1))
        if molecules.names[m] == molecules.names[m + 1]:
            step = molecules.positions[b] - molecules.positions[a]
            predicted.append(float(-((pull[a] + pull[b]) / 2 * step).sum()))
            found.append(float(energies[m + 1] - energies[m]))
    wrong = {
        name: np.abs(factor * np.array(predicted) - np.array(found)).mean() / np.abs(found).mean()
        for name, factor in (("as read", 1.0), ("other sign", -1.0), ("Bohr for Å", BOHR))
    }
    # frames lie 0.2 Å an atom apart, so the rule itself errs by a fifth of the change; a wrong unit
    # by half of it
    assert len(found) > 300
    assert wrong["as read"] < 0.3
    assert wrong["Bohr for Å"] > 0.3
    assert wrong["other sign"] > 1.0


def test_the_random_split_is_fixed_and_parents_are_never_torn() -> None:
    for name in ("mini", "mini-frames"):
        first, again = (data.load(name).splits["random"] for _ in range(2))
        assert torch.equal(first, again)
        shares = torch.bincount(first.to(torch.int64), minlength=3) / len(first)
        assert torch.allclose(shares, torch.tensor([0.8, 0.1, 0.1]), atol=0.01)
    frames = data.load("mini-frames")

    def torn(labels: torch.Tensor) -> int:
        parts: dict[str, set[int]] = {}
        for molecule, label in zip(frames.dataset.molecules.names, labels.tolist()):
            parts.setdefault(str(molecule), set()).add(label)
        return sum(len(found) > 1 for found in parts.values())

    assert torn(frames.splits["parents"]) == 0
    assert torn(frames.splits["random"]) > 10  # the plain split does tear them


def test_a_split_of_rows_is_refused_where_it_does_not_fit() -> None:
    assert label_split(5, test=[4], valid=[0]).tolist() == [1, 0, 0, 0, 2]
    assert label_split(5, test=[4], train=[1]).tolist() == [255, 0, 255, 255, 2]
    for test, train in (([5], None), ([-1], None), ([1, 1], None), ([1], [1, 2])):
        with pytest.raises(DataError):
            label_split(5, test=test, train=train)


def test_a_mini_without_its_file_says_how_to_rebuild_it(tmp_path: Path) -> None:
    read = mini.molecules("mini").read_mirror
    assert read is not None
    with pytest.raises(DataError, match=r"make_mini\.py"):
        read(tmp_path)


def test_totals_of_mini_come_back_from_its_own_atoms() -> None:
    from importlib.resources import files

    with np.load(str(files("onekcal.datasets.sets") / "mini.npz")) as file:
        molecules = Molecules(
            *(
                torch.from_numpy(file[k].astype(t))
                for k, t in (("Z", np.int64), ("R", np.float64), ("offsets", np.int64))
            )
        )
        atoms = dict(zip(file["atom_Z"].tolist(), file["atom_b3lyp"].tolist()))
        totals = file["E_b3lyp"][file["frame_of"] < 0]
        rows = np.flatnonzero(file["frame_of"] < 0)
    sums = [sum(atoms[int(z)] for z in molecule.numbers) for molecule in molecules[rows]]
    np.testing.assert_allclose(
        data.load("mini").dataset.columns["b3lyp"].values.numpy(),
        (totals - np.array(sums)) * HARTREE,
        atol=1e-8,
    )
