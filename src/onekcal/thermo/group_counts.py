"""Groups, rings and rotors of a molecule, counted at its geometry.

A group is a heavy atom with its element, its number of neighbours and the number of hydrogens among
them.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from onekcal.geometry.bonds import bonded, pieces
from onekcal.molecules import SYMBOLS, Molecules


def groups(molecule: Molecules) -> Counter[str]:
    """Count the groups, rings and rotors of a molecule.

    Parameters
    ----------
    molecule
        One molecule.

    Returns
    -------
    Counter
        Counts by name. "C4H3" is a methyl carbon: four neighbours, three of them hydrogen.
    """
    numbers, positions = molecule.numbers.numpy(), molecule.positions.numpy()
    bonds = bonded(numbers, positions)
    neighbours = bonds.sum(1)
    hydrogens = bonds[:, numbers == 1].sum(1)
    counts: Counter[str] = Counter()
    for z, around, h in zip(numbers.tolist(), neighbours.tolist(), hydrogens.tolist()):
        if z != 1:
            counts[f"{SYMBOLS[z]}{around}H{h}"] += 1
    counts.update(_rings(bonds[np.ix_(numbers != 1, numbers != 1)]))
    counts["rotors"] = _rotors(numbers, bonds, neighbours)
    return +counts


def _rings(bonds: np.ndarray) -> dict[str, int]:
    """Count three- and four-membered rings, and all independent ones, among the heavy atoms."""
    a = bonds.astype(np.int64)
    two = a @ a
    triangles = int(np.trace(two @ a)) // 6
    pairs = two * ~bonds
    np.fill_diagonal(pairs, 0)
    squares = (
        int((pairs * (pairs - 1) // 2).sum()) // 4
    )  # two paths over different atoms between unbonded corners
    return {
        "triangles": triangles,
        "squares": squares,
        "rings": int(a.sum()) // 2 - len(a) + pieces(bonds),
    }


def _rotors(numbers: np.ndarray, bonds: np.ndarray, neighbours: np.ndarray) -> int:
    """Count the bonds that a group can turn about.

    A bond to hydrogen, in a ring, between two flat carbons or to a linear carbon does not count.
    """
    count, whole = 0, pieces(bonds)
    free = (neighbours >= 2) & ~((numbers == 6) & (neighbours < 3))
    for i, j in zip(*np.nonzero(np.triu(bonds & free[:, None] & free[None]))):
        cut = bonds.copy()
        cut[i, j] = cut[j, i] = False
        if pieces(cut) > whole and (numbers[i] != 1 and numbers[j] != 1):
            both_flat = numbers[i] == numbers[j] == 6 and neighbours[i] == neighbours[j] == 3
            count += not both_flat
    return count
