"""The way off a saddle point: parts of a molecule turn, bonds keep their lengths."""

from __future__ import annotations

import numpy as np
import pytest

from onekcal.geometry.bonds import bonded
from onekcal.geometry.conformers import conformers
from onekcal.geometry.turning import (
    STRIDE,
    curved,
    off_saddle,
    rotated,
    rotors_of,
    side_of,
    turn_field,
)
from onekcal.molecules import Molecules
from onekcal.quantum.named import method


@pytest.fixture(scope="module")
def ethane() -> Molecules:
    """Staggered, at GFN2-xTB's minimum."""
    return conformers("CC").lowest


def eclipsed(ethane: Molecules) -> np.ndarray:
    positions = ethane.positions.numpy()
    side = side_of(bonded(ethane.numbers.numpy(), positions), 0, 1)
    return rotated(positions, side, 0, 1, np.pi / 3)


def lengths(numbers: np.ndarray, at: np.ndarray, bonds: np.ndarray) -> np.ndarray:
    return np.linalg.norm(at[:, None] - at[None], axis=-1)[bonds]


def test_a_methyl_group_turns_with_its_bonds_as_they_are_and_a_straight_way_stretches_them(
    ethane: Molecules,
) -> None:
    numbers, top = ethane.numbers.numpy(), eclipsed(ethane)
    bonds = bonded(numbers, top)
    ((side, a, b),) = rotors_of(bonds)
    way = turn_field(top, side, a, b)
    there = curved(numbers, top, way)(0.8)
    kept = lengths(numbers, top, bonds)
    np.testing.assert_allclose(lengths(numbers, there, bonds), kept, atol=1e-9)
    assert np.abs(there - top).max() > 0.3
    straight = top + 0.8 * way / np.linalg.norm(way, axis=1).max()
    assert np.abs(lengths(numbers, straight, bonds) - kept).max() > 0.1


def test_from_the_eclipsed_form_both_sides_lead_to_the_staggered_one(ethane: Molecules) -> None:
    calculation = method("gfn2").calculation(ethane)
    numbers, top = ethane.numbers.numpy(), eclipsed(ethane)
    ((side, a, b),) = rotors_of(bonded(numbers, top))

    def height(at: np.ndarray) -> float:
        low = calculation.at(ethane.positions.numpy(), gradient=False).energy
        return (calculation.at(at, gradient=False).energy - low) * 627.5

    barrier = height(top)  # 3 kcal/mol
    ends = off_saddle(calculation, numbers, top, turn_field(top, side, a, b))
    assert barrier > 2
    assert [height(end) < 0.1 * barrier for end in ends] == [True, True]
    assert height(ends[0]) <= height(ends[1])
    assert np.abs(ends[0] - ends[1]).max() > 0.5  # not the same side twice


def test_what_is_no_turn_goes_straight_on() -> None:
    numbers = np.array([7, 1, 1, 1])
    flat = np.array([[0, 0, 0], [1.0, 0, 0], [-0.5, 0.866025, 0], [-0.5, -0.866025, 0]])
    way = np.array([[0, 0, -0.2], [0, 0, 1.0], [0, 0, 1.0], [0, 0, 1.0]])
    assert rotors_of(bonded(numbers, flat)) == []
    np.testing.assert_allclose(curved(numbers, flat, way)(STRIDE), flat + STRIDE * way, atol=1e-12)


def test_a_stretch_of_a_molecule_with_rotors_goes_straight_on(ethane: Molecules) -> None:
    numbers, at = ethane.numbers.numpy(), ethane.positions.numpy()
    way = np.zeros_like(at)
    way[0] = at[0] - at[1]
    way /= np.linalg.norm(way, axis=1).max()
    np.testing.assert_allclose(curved(numbers, at, way)(0.1), at + 0.1 * way, atol=1e-12)


@pytest.mark.parametrize(
    ("smiles", "count"), [("CC", 1), ("CCC", 2), ("C1CC1", 0), ("O", 0), ("CC=O", 1), ("CO", 1)]
)
def test_rotors_are_bonds_outside_rings_with_atoms_on_both_sides(smiles: str, count: int) -> None:
    molecule = conformers(smiles, count=1).lowest
    joined = bonded(molecule.numbers.numpy(), molecule.positions.numpy())
    assert len(rotors_of(joined)) == count


def test_a_turn_field_is_the_first_order_of_the_turn(ethane: Molecules) -> None:
    at = ethane.positions.numpy()
    ((side, a, b),) = rotors_of(bonded(ethane.numbers.numpy(), at))
    moved = (rotated(at, side, a, b, 1e-6) - at) / 1e-6
    np.testing.assert_allclose(moved, turn_field(at, side, a, b), atol=1e-5)
