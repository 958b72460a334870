"""Which atoms are bonded and how, from distances alone, and whether that changed."""

from __future__ import annotations

from typing import Any

import numpy as np

from onekcal.molecules import SYMBOLS

RADII = {
    1: 0.31, 2: 0.28, 3: 1.28, 4: 0.96, 5: 0.84, 6: 0.76, 7: 0.71, 8: 0.66, 9: 0.57, 10: 0.58,
    11: 1.66, 12: 1.41, 13: 1.21, 14: 1.11, 15: 1.07, 16: 1.05, 17: 1.02, 18: 1.06, 34: 1.20, 35: 1.20, 53: 1.39,
}  # fmt: skip
"""Å; covalent radii (Cordero et al., Dalton Trans. 2832, 2008)."""
OTHER_RADIUS = 1.5
"""Å, for an element not in the table."""
BONDED, LONG, APART = 1.25, 1.375, 1.5
"""A pair is bonded below 1.25 times the sum of its radii, certainly apart above 1.5 times; a long bond lies between."""
TIGHTER = (1.2, 1.15)
"""In cages atoms come as near as that without a bond: tried where the bonds found make no sense."""
ATTEMPTS = 10_000
"""Assignments of bond orders that are tried on one molecule; small molecules take a handful."""


def stretch(numbers: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """(n, n) distances over sums of covalent radii, infinite on the diagonal; `positions` in Å."""
    radii = np.array([RADII.get(int(z), OTHER_RADIUS) for z in numbers])
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    np.fill_diagonal(distances, np.inf)
    return distances / (radii[:, None] + radii[None])


def bonded(numbers: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """(n, n) bool: bonded pairs; `positions` in Å."""
    return stretch(numbers, positions) < BONDED


def bond_changes(numbers: np.ndarray, before: np.ndarray, after: np.ndarray) -> list[str]:
    """Bonds broken or formed between two geometries (Å), as "C2–O5 broken"; empty when the molecule is the same.

    Broken: bonded before and beyond 1.5 radii after; formed: beyond 1.5 before and bonded after. What lies between is
    a long bond, not another molecule.
    """
    was, now = stretch(numbers, before), stretch(numbers, after)
    changes = []
    for i, j in zip(*np.triu_indices(len(numbers), 1)):
        pair = f"{SYMBOLS[int(numbers[i])]}{i + 1}–{SYMBOLS[int(numbers[j])]}{j + 1}"
        if was[i, j] < BONDED and now[i, j] > APART:
            changes.append(f"{pair} broken")
        elif was[i, j] > APART and now[i, j] < BONDED:
            changes.append(f"{pair} formed")
    return changes


def fragments(numbers: np.ndarray, positions: np.ndarray) -> int:
    """How many pieces that not even a long bond (midway between bonded and apart) connects; `positions` in Å."""
    return pieces(stretch(numbers, positions) < LONG)


def pieces(joined: np.ndarray) -> int:
    """How many connected pieces a symmetric (n, n) table of neighbours has; a lone atom is one, no atoms are none."""
    unseen, count = np.ones(len(joined), dtype=bool), 0
    while unseen.any():
        count += 1
        edge = np.zeros_like(unseen)
        edge[unseen.argmax()] = True
        while edge.any():
            unseen &= ~edge
            edge = joined[edge].any(0) & unseen
    return count


def perceived(
    numbers: np.ndarray, positions: np.ndarray, charge: int = 0, spin: int = 0
) -> Any | None:
    """An RDKit molecule (bond orders, hydrogens implicit) told from a geometry (Å); None where no valences fit it."""
    from rdkit import Chem, rdBase
    from rdkit.Chem import rdDetermineBonds
    from rdkit.Chem.MolStandardize import rdMolStandardize

    apart = stretch(numbers, positions)
    with rdBase.BlockLogs():
        for limit in (BONDED, *TIGHTER):
            mol, place = Chem.RWMol(), Chem.Conformer(len(numbers))
            for z, where in zip(numbers.tolist(), positions.tolist()):
                place.SetAtomPosition(mol.AddAtom(Chem.Atom(z)), where)
            for i, j in zip(*np.nonzero(np.triu(apart < limit))):
                mol.AddBond(int(i), int(j), Chem.BondType.SINGLE)
            mol.AddConformer(place)
            try:
                rdDetermineBonds.DetermineBondOrders(
                    mol,
                    charge=charge,
                    allowChargedFragments=not spin,
                    embedChiral=False,
                    maxIterations=ATTEMPTS,
                )
                found = Chem.RemoveHs(mol)  # checks valences, too
                if any(atom.GetAtomicNum() == 1 for atom in found.GetAtoms()) and len(numbers) > 2:
                    continue  # protons beside carbanions, for want of a triple bond
                if any(atom.GetFormalCharge() for atom in found.GetAtoms()):
                    # sulfur is given a charge where none is needed: S⁺=C–O⁻ for S–C=O
                    found = rdMolStandardize.Normalize(found)
                    Chem.SanitizeMol(found)  # where something was changed, rings are unknown again
                return found
            except (ValueError, RuntimeError):
                continue
    return None
