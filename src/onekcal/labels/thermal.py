"""H(298 K) − H(0) of a molecule from its bonds alone, by linear regression on QM9's own U0 and H.

A molecule is counted into groups – each heavy atom by its element, its number of neighbours and how many of those are
hydrogen – and into rings and rotors. Every bent molecule has 4 RT for translation, rotation and pV (a linear one
3.5 RT, an atom 2.5 RT); what the vibrations add is a sum over the counts, without a constant.
`scripts/fit_thermal.py` fits the numbers below and measures their error.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from onekcal.labels.bonds import bonded
from onekcal.labels.frequencies import GAS, TEMPERATURE
from onekcal.molecules import SYMBOLS, Molecules

GROUPED = 1.2
"""Sums of radii; tighter than elsewhere, so that the bridgeheads of small cages do not count as bonded."""
RT = GAS * TEMPERATURE
"""kcal/mol at 298.15 K."""


def groups(molecule: Molecules) -> Counter[str]:
    """Counts of groups ("C4H3" is a methyl carbon: four neighbours, three of them hydrogen), rings and rotors."""
    numbers, positions = molecule.numbers.numpy(), molecule.positions.numpy()
    bonds = bonded(numbers, positions, GROUPED)
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
    """Three- and four-membered rings, and all independent ones, among the heavy atoms."""
    a = bonds.astype(np.int64)
    two = a @ a
    triangles = int(np.trace(two @ a)) // 6
    pairs = two * ~bonds
    np.fill_diagonal(pairs, 0)
    squares = int((pairs * (pairs - 1) // 2).sum()) // 4  # two paths over different atoms between unbonded corners
    pieces = _pieces(bonds)
    return {"triangles": triangles, "squares": squares, "rings": int(a.sum()) // 2 - len(a) + pieces}


def _pieces(bonds: np.ndarray) -> int:
    from scipy.sparse.csgraph import connected_components

    return int(connected_components(bonds, directed=False)[0]) if len(bonds) else 0


def _rotors(numbers: np.ndarray, bonds: np.ndarray, neighbours: np.ndarray) -> int:
    """Bonds between two saturated or oxygen-like ends, neither terminal, whose removal parts the molecule."""
    count = 0
    free = (neighbours >= 2) & ~((numbers == 6) & (neighbours < 3))
    for i, j in zip(*np.nonzero(np.triu(bonds & free[:, None] & free[None]))):
        cut = bonds.copy()
        cut[i, j] = cut[j, i] = False
        if _pieces(cut) > _pieces(bonds) and (numbers[i] != 1 and numbers[j] != 1):
            both_flat = numbers[i] == numbers[j] == 6 and neighbours[i] == neighbours[j] == 3
            count += not both_flat
    return count
