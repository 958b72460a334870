"""The symmetry number: how many rotations map a molecule onto itself.

Two nuclei a and b, which are not in line with the centre, fix a rotation: it is known from the
places a′ and b′ that they are turned to. So every pair (a′, b′) of the same elements at the same
distances is tried. Each pair gives one proper rotation. It counts where every turned nucleus lies
on a nucleus of its element, within `TOLERANCE`. The rotation is fitted to all nuclei before that
(Kabsch, Acta Cryst. A 32, 922, 1976). Rotations of groups against each other do not count.
"""

from __future__ import annotations

from itertools import permutations, product

import numpy as np

from onekcal.geometry.inertia import shape_of
from onekcal.molecules import Molecules

TOLERANCE = 0.1
"""Å. A rotated nucleus may lie so far from the one whose place it takes.

A relaxation leaves errors of a few hundredths along soft torsions.
"""
LOOSE = 3.0
"""How many times the tolerance is allowed before a rotation is fitted to all nuclei."""
NEAR = 0.5
"""Å. A nucleus so near the centre tells no direction well."""
SLANT = 0.3
"""Sine of an angle at the centre; two nuclei with a smaller one are nearly in line with it."""


def symmetry_number(molecule: Molecules, tolerance: float = TOLERANCE) -> int:
    """Count the rotations that map a molecule onto itself.

    Parameters
    ----------
    molecule
        One molecule.
    tolerance
        Å, how far a rotated nucleus may lie from the one whose place it takes.

    Returns
    -------
    int
        1 for an atom, 1 or 2 for a linear molecule, 12 for methane, 24 for SF₆.
    """
    numbers, positions = molecule.numbers.numpy(), molecule.positions.numpy()
    charges = numbers.astype(float)
    places = positions - charges @ positions / charges.sum()  # every rotation keeps this centre
    shape = shape_of(charges, places)
    if shape == "atom":
        return 1
    if shape == "linear":
        return 2 if _permutation(numbers, places, -places, tolerance) is not None else 1
    return _count(numbers, places, tolerance)


def _count(numbers: np.ndarray, places: np.ndarray, tolerance: float) -> int:
    """The number of rotations of a molecule that is not linear."""
    distances = np.linalg.norm(places, axis=1)
    a, b = _reference(numbers, places, distances, tolerance)
    frame = _frame(places[a], places[b])
    alike = [
        np.flatnonzero(
            (numbers == numbers[k]) & (abs(distances - distances[k]) < LOOSE * tolerance)
        )
        for k in (a, b)
    ]
    apart = np.linalg.norm(places[a] - places[b])
    rotations = set()
    for c, d in product(*alike):
        if c == d or abs(np.linalg.norm(places[c] - places[d]) - apart) > LOOSE * tolerance:
            continue
        if np.linalg.norm(np.cross(places[c], places[d])) < 1e-6:
            continue
        rotation = _frame(places[c], places[d]) @ frame.T
        order = _permutation(numbers, places, places @ rotation.T, LOOSE * tolerance)
        if order is None:
            continue
        turned = places @ _fitted(places, places[order]).T
        if np.linalg.norm(turned - places[order], axis=1).max() < tolerance:
            rotations.add(tuple(order.tolist()))
    return max(len(rotations), 1)


def _reference(
    numbers: np.ndarray, places: np.ndarray, distances: np.ndarray, tolerance: float
) -> tuple[int, int]:
    """Two nuclei that are far from being in line with the centre, of the rarest kinds."""
    alike = (numbers[:, None] == numbers) & (abs(distances[:, None] - distances) < tolerance)
    size = alike.sum(1)
    area = np.linalg.norm(np.cross(places[:, None], places), axis=-1)
    length = np.multiply.outer(distances, distances)
    near = np.minimum.outer(distances, distances) < NEAR
    clear = ~near & (area > SLANT * length)

    def worth(pair: tuple[int, int]) -> tuple[bool, int, float]:
        tried = int(size[pair[0]] * size[pair[1]]) if clear[pair] else 0
        return bool(clear[pair]), -tried, float(area[pair])

    return max(permutations(range(len(numbers)), 2), key=worth)


def _frame(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(3, 3) right-handed orthonormal columns; the first points along a, the second towards b."""
    x = a / np.linalg.norm(a)
    z = np.cross(a, b)
    z /= np.linalg.norm(z)
    return np.stack([x, np.cross(z, x), z], axis=1)


def _permutation(
    numbers: np.ndarray, places: np.ndarray, turned: np.ndarray, tolerance: float
) -> np.ndarray | None:
    """(n,) which nucleus's place each one takes; None where one of them takes no place."""
    gaps = np.linalg.norm(turned[:, None] - places[None], axis=-1)
    gaps[numbers[:, None] != numbers[None]] = np.inf
    order = gaps.argmin(axis=1)
    if gaps.min(axis=1).max() > tolerance or len(set(order.tolist())) < len(order):
        return None
    return order


def _fitted(places: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """(3, 3) the proper rotation R that brings R·places nearest to the targets."""
    u, _, v = np.linalg.svd(places.T @ targets)
    sign = np.sign(np.linalg.det(u @ v))
    return v.T @ np.diag([1.0, 1.0, sign]) @ u.T
