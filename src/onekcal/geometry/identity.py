"""Which molecule it is: one text for all copies of a molecule, from its SMILES or its geometry.

The text names the atoms with their hydrogens and which of them are bonded, the charge and the
unpaired electrons. Given these, bond orders are no further property: resonance forms are one
molecule, tautomers are two. Stereoisomers and conformers are one. Bond orders are left out because
those perceived from a geometry differ from those of a SMILES, above all in radicals.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from onekcal.geometry.bonds import BONDED, LONG, pieces, stretch
from onekcal.geometry.species import Species
from onekcal.molecules import Molecules


def identity(molecule: Molecules) -> str:
    """Return the identity of a molecule with a geometry.

    Atoms are bonded below the limit of a bond. Where that leaves several pieces, long bonds (that
    of N2O4) hold them together.

    Parameters
    ----------
    molecule
        One molecule, Å.
    """
    numbers = molecule.numbers.numpy()
    apart = stretch(numbers, molecule.positions.detach().numpy())
    joined = apart < BONDED
    if pieces(joined) > 1:
        joined = apart < LONG
    pairs = zip(*(ends.tolist() for ends in np.nonzero(np.triu(joined))))
    return _written(numbers.tolist(), pairs, int(molecule.charges[0]), int(molecule.spins[0]))


def identity_of_species(state: Species) -> str:
    """Return the identity of what a SMILES names.

    Parameters
    ----------
    state
        What `species` read of the SMILES.
    """
    numbers = [atom.GetAtomicNum() for atom in state.mol.GetAtoms()]
    pairs = ((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in state.mol.GetBonds())
    return _written(numbers, pairs, state.charge, state.spin)


def _written(numbers: list[int], pairs: Iterable[tuple[int, int]], charge: int, spin: int) -> str:
    """The canonical text of a graph without bond orders, and charge and unpaired electrons."""
    from rdkit import Chem

    graph = Chem.RWMol()
    for number in numbers:
        atom = Chem.Atom(number)
        atom.SetNoImplicit(True)
        graph.AddAtom(atom)
    for i, j in pairs:
        graph.AddBond(int(i), int(j), Chem.BondType.SINGLE)
    return f"{Chem.MolToSmiles(graph)} {charge:+d} {spin}"
