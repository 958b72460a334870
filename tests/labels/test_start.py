"""Where G4(MP2) of a SMILES starts: bonds between two lone pairs are turned, and B3LYP chooses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from onekcal.geometry.conformers import Conformers, conformers
from onekcal.geometry.species import species
from onekcal.labels.start import lower_start, turned
from onekcal.molecules import Molecules
from onekcal.quantum.b3lyp import VibratingB3LYP

HYDRAZINE = Molecules.one(
    [7, 7, 1, 1, 1, 1],
    [
        [0.0, 0.0, 0.0],
        [0.0, 0.0, 1.45],
        [0.53, 0.81, -0.3],
        [0.53, -0.81, -0.3],
        [-0.53, 0.81, 1.75],
        [-0.53, -0.81, 1.75],
    ],
)
"""The trans form, Å."""


def energy(molecule: Molecules) -> float:
    """Hartree."""
    point = VibratingB3LYP(molecule).at(molecule.positions.numpy(), gradient=False)
    return point.energy


def test_hydrazine_starts_gauche_where_gfn2_has_only_the_trans_form() -> None:
    pytest.importorskip("pyscf")
    found = conformers(species("NN"))
    start = lower_start(found)
    assert energy(start) < energy(found.lowest) - 1.5 / 627.5
    again = lower_start(replace(found, molecules=start))
    assert torch.equal(again.positions, start.positions)


def test_b3lyp_chooses_among_conformers_that_gfn2_finds_alike() -> None:
    pytest.importorskip("pyscf")
    found = conformers(species("OCC=O"))
    other = replace(found, molecules=found.molecules[[1, 0]], energies=np.zeros(2))
    assert torch.equal(lower_start(other).positions, found.lowest.positions)
    far = replace(other, energies=np.array([0.0, 2.1]))
    assert torch.equal(lower_start(far).positions, other.lowest.positions)


def test_a_turn_keeps_every_distance_within_a_side() -> None:
    (other,) = turned(HYDRAZINE)
    before, after = (
        np.linalg.norm(m.positions[:, None] - m.positions[None], axis=-1)
        for m in (HYDRAZINE, other)
    )
    sides = [[0, 2, 3, 1], [1, 4, 5, 0]]
    for side in sides:
        np.testing.assert_allclose(after[np.ix_(side, side)], before[np.ix_(side, side)], atol=1e-9)
    assert np.abs(after[2:4, 4:] - before[2:4, 4:]).max() > 0.3


@pytest.mark.parametrize(
    ("smiles", "bonds"),
    [("NN", 1), ("PP", 1), ("NNN", 2), ("CNN", 1), ("C1CNN1", 0), ("OO", 0), ("CC", 0), ("N=N", 0)],
)
def test_bonds_between_three_coordinate_atoms_are_turned_outside_rings(
    smiles: str, bonds: int
) -> None:
    assert len(turned(conformers(species(smiles), 3).lowest)) == bonds


def test_what_has_no_such_bond_is_left_as_it_is_without_a_calculation() -> None:
    water = Molecules.one([8, 1, 1], [[0.0, 0.0, 0.0], [0.96, 0.0, 0.0], [-0.24, 0.93, 0.0]])
    found = Conformers(water, np.zeros(1), np.ones(1, bool), 1)
    assert torch.equal(lower_start(found).positions, water.positions)
