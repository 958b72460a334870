"""The rule for a bond, the bonds of a geometry, their orders, and what changed between two.

Two atoms are bonded where their distance is below `BONDED` times the sum of their covalent radii
(Cordero et al., Dalton Trans. 2832, 2008, as ASE tabulates them).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from ase.data import covalent_radii

from onekcal.molecules import SYMBOLS

if TYPE_CHECKING:
    from rdkit.Chem import Mol

BONDED, LONG, APART = 1.25, 1.375, 1.5
"""In sums of covalent radii. A pair is bonded below the first and certainly apart above the last.

A long bond lies between them.
"""
TIGHTER = (1.2, 1.15)
"""Lower limits for a bond. They are tried where the first one gives impossible valences.

In cages, atoms that are not bonded come as near as this.
"""
ATTEMPTS = 10_000
"""How many assignments of bond orders are tried at most. Small molecules need a handful."""


def stretch(numbers: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return each distance over the sum of the two covalent radii.

    Parameters
    ----------
    numbers
        (n,) nuclear charges.
    positions
        (n, 3) Å.

    Returns
    -------
    ndarray
        (n, n), infinite on the diagonal.
    """
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    np.fill_diagonal(distances, np.inf)
    radii = covalent_radii[numbers]
    return distances / (radii[:, None] + radii[None])


def bonded(numbers: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Say which pairs of atoms are bonded.

    Parameters
    ----------
    numbers
        (n,) nuclear charges.
    positions
        (n, 3) Å.

    Returns
    -------
    ndarray
        (n, n) bool.
    """
    return stretch(numbers, positions) < BONDED


def bond_changes(numbers: np.ndarray, before: np.ndarray, after: np.ndarray) -> list[str]:
    """Return the bonds that were broken or formed between two geometries.

    A bond is broken where a pair was bonded and is now certainly apart. It is formed where a pair
    was certainly apart and is now bonded. A bond that only became long is no change.

    Parameters
    ----------
    numbers
        (n,) nuclear charges.
    before, after
        (n, 3) Å.

    Returns
    -------
    list
        Lines such as "C2–O5 broken"; none where the molecule is the same.
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
    """Count the pieces that not even a long bond connects.

    Parameters
    ----------
    numbers
        (n,) nuclear charges.
    positions
        (n, 3) Å.
    """
    return pieces(stretch(numbers, positions) < LONG)


def pieces(joined: np.ndarray) -> int:
    """Count the connected pieces of a graph.

    Parameters
    ----------
    joined
        (n, n) bool, symmetric: which atoms are neighbours. A lone atom is one piece.
    """
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
) -> Mol | None:
    """Return RDKit's molecule of a geometry, with bond orders and implicit hydrogens.

    Parameters
    ----------
    numbers
        (n,) nuclear charges.
    positions
        (n, 3) Å.
    charge, spin
        Total charge (e) and number of unpaired electrons.

    Returns
    -------
    Mol or None
        None where no assignment of bond orders gives possible valences.
    """
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
                whole = Chem.RemoveHs(mol)  # checks valences, too
                if any(atom.GetAtomicNum() == 1 for atom in whole.GetAtoms()) and len(numbers) > 2:
                    continue  # protons beside carbanions, where a triple bond is missing
                if any(atom.GetFormalCharge() for atom in whole.GetAtoms()):
                    # sulfur gets a charge where none is needed: S⁺=C–O⁻ for S–C=O
                    whole = rdMolStandardize.Normalize(whole)
                    Chem.SanitizeMol(whole)  # a change makes RDKit forget the rings
                return whole
            except (ValueError, RuntimeError):
                continue
    return None
