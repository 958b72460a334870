"""Parts of a molecule turned about a bond, and the way off a saddle point.

The way that leaves a saddle point is a straight displacement v. Where it turns a methyl group, a
straight way soon stretches bonds and leads uphill. So v is written as turns about the bonds b
outside rings:

    v ≈ Σ_b c_b r_b,   r_b = axis_b × (x − a_b) for the atoms on one side of b, 0 for the others

both without translation and rotation. Where the turns explain `SHARE` of |v|², the molecule turns,
and else it goes straight on. It goes as far as the energy falls.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from onekcal.geometry.bonds import bonded
from onekcal.geometry.inertia import internal
from onekcal.quantum.method import Calculation

STRIDE = 0.2
"""Å, the largest movement of an atom in the first step off a saddle point."""
STRIDES = 6
SHARE = 0.7


def off_saddle(
    calculation: Calculation, numbers: np.ndarray, positions: np.ndarray, way: np.ndarray
) -> list[np.ndarray]:
    """Leave a saddle point on both sides, as far as the energy falls.

    Parameters
    ----------
    calculation
        The molecule under a method.
    numbers
        (n,) nuclear charges.
    positions
        (n, 3) Å, the saddle point.
    way
        (n, 3) a displacement that leads down from it, of any length.

    Returns
    -------
    list of ndarray
        (n, 3) Å, two places, the lower one first.
    """
    move = curved(numbers, positions, way)
    ends = []
    for side in (1.0, -1.0):
        place = move(side * STRIDE)
        energy = calculation.at(place, gradient=False).energy
        for k in range(2, STRIDES + 1):
            further = move(side * STRIDE * k)
            next_energy = calculation.at(further, gradient=False).energy
            if next_energy >= energy:
                break
            place, energy = further, next_energy
        ends.append((energy, place))
    return [place for _, place in sorted(ends, key=lambda end: end[0])]


def curved(
    numbers: np.ndarray, positions: np.ndarray, way: np.ndarray
) -> Callable[[float], np.ndarray]:
    """Return the path that begins along a displacement: turns about bonds, or a straight line.

    Parameters
    ----------
    numbers, positions
        (n,) nuclear charges and (n, 3) Å.
    way
        (n, 3) a displacement of any length.

    Returns
    -------
    callable
        Positions (n, 3) Å at a distance s in Å: how far the atom that moves most has gone.
    """
    straight = way / np.linalg.norm(way, axis=1).max()
    space = internal(np.ones(len(numbers)), positions).T
    aim = space @ straight.ravel()
    rotors = rotors_of(bonded(numbers, positions))
    if rotors:
        fields = np.array([turn_field(positions, *rotor) for rotor in rotors])
        turns = space @ fields.reshape(len(rotors), -1).T  # (vibrations, rotors)
        angles, *_ = np.linalg.lstsq(turns, aim, rcond=None)
        if ((turns @ angles - aim) ** 2).sum() < (1 - SHARE) * (aim @ aim):
            return partial(_turned_by, positions, rotors, angles)
    return lambda s: positions + s * straight


def _turned_by(
    positions: np.ndarray, rotors: list[tuple[np.ndarray, int, int]], angles: np.ndarray, s: float
) -> np.ndarray:
    """(n, 3) Å: every rotor turned by s times its angle, one after the other."""
    out = positions
    for (side, a, b), angle in zip(rotors, angles):
        out = rotated(out, side, a, b, s * angle)
    return out


def rotors_of(joined: np.ndarray) -> list[tuple[np.ndarray, int, int]]:
    """Return the bonds a–b about which a part of the molecule can turn, with the atoms on b's side.

    Parameters
    ----------
    joined
        (n, n) bool, the bonds.
    """
    out = []
    for a, b in zip(*np.nonzero(np.triu(joined))):
        side = side_of(joined, int(a), int(b))
        if not side[a] and side.sum() > 1 and (~side).sum() > 1:  # not in a ring, no end
            out.append((side, int(a), int(b)))
    return out


def side_of(joined: np.ndarray, a: int, b: int) -> np.ndarray:
    """(n,) bool: the atoms that hang together with b when the bond a–b is cut.

    Parameters
    ----------
    joined
        (n, n) bool, the bonds.
    a, b
        The atoms of the bond.
    """
    rest = joined.copy()
    rest[a, b] = rest[b, a] = False
    side = np.arange(len(rest)) == b
    while (grown := side | rest[side].any(0)).sum() > side.sum():
        side = grown
    return side


def turn_field(positions: np.ndarray, side: np.ndarray, a: int, b: int) -> np.ndarray:
    """(n, 3) Å: how the atoms of one side move when they turn about the axis a → b by one radian.

    Parameters
    ----------
    positions
        (n, 3) Å.
    side
        (n,) bool.
    a, b
        The atoms of the bond.
    """
    axis = positions[b] - positions[a]
    field = np.cross(axis / np.linalg.norm(axis), positions - positions[a])
    return np.where(side[:, None], field, 0.0)


def rotated(positions: np.ndarray, side: np.ndarray, a: int, b: int, angle: float) -> np.ndarray:
    """(n, 3) Å: the atoms of one side turned about the axis a → b.

    Parameters
    ----------
    positions
        (n, 3) Å.
    side
        (n,) bool.
    a, b
        The atoms of the bond.
    angle
        Radians.
    """
    axis = positions[b] - positions[a]
    axis = axis / np.linalg.norm(axis)
    arms = positions[side] - positions[a]
    along = np.outer(arms @ axis, axis)
    out = positions.copy()
    out[side] = positions[a] + along + np.cos(angle) * (arms - along)
    out[side] += np.sin(angle) * np.cross(axis, arms)
    return out
