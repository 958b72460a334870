"""A SMILES, and RDKit's molecule of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onekcal.errors import InputError
from onekcal.molecules import SYMBOLS

if TYPE_CHECKING:
    from rdkit.Chem import Mol


def is_smiles(text: str) -> bool:
    """Say whether a text has the form of a SMILES; its valences may still be wrong.

    Parameters
    ----------
    text
        Any text.
    """
    return _mol(text, sanitize=False) is not None


def read_smiles(smiles: str) -> Mol:
    """Return RDKit's molecule of a SMILES, without added hydrogens and without a geometry.

    Parameters
    ----------
    smiles
        One whole molecule. It may be charged or have unpaired electrons.

    Raises
    ------
    InputError
        It cannot be read, is several molecules, has an open place (*), or holds an element
        beyond Rn.
    """
    from rdkit import Chem

    mol = _mol(smiles)
    if mol is None:
        raise InputError(
            f"{short(smiles)} is not a SMILES that can be read (valences, ring closures, brackets?)"
        )
    pieces = len(Chem.GetMolFrags(mol))
    if pieces > 1:
        raise InputError(
            f"{short(smiles)} is {pieces} disconnected molecules; give them one at a time"
        )
    for k, atom in enumerate(mol.GetAtoms(), 1):
        if atom.GetAtomicNum() == 0:
            raise InputError(f"{short(smiles)} has an open place (*); give a whole molecule")
        if atom.GetAtomicNum() >= len(SYMBOLS):
            raise InputError(
                f"{short(smiles)}: atom {k} is {atom.GetSymbol()!r}; elements from H to Rn are "
                "known"
            )
    return mol


MOST_ATOMS = 300
"""Of a molecule that is given as a SMILES. A geometry of as many takes seconds, of twice as many
minutes."""


def with_hydrogens(mol: Mol) -> Mol:
    """Return a molecule with its hydrogens, if a geometry of it can be made in bearable time.

    Parameters
    ----------
    mol
        RDKit's molecule of a SMILES.

    Raises
    ------
    InputError
        It has more than `MOST_ATOMS` atoms.
    """
    from rdkit import Chem

    whole = Chem.AddHs(mol)
    if whole.GetNumAtoms() > MOST_ATOMS:
        raise InputError(
            f"the SMILES has {whole.GetNumAtoms():,} atoms; geometries are made for up to "
            f"{MOST_ATOMS:,}: give the geometry as xyz"
        )
    return whole


def _mol(smiles: str, sanitize: bool = True) -> Mol | None:
    """Return what RDKit reads, without its messages; None where it can read nothing."""
    from rdkit import Chem, rdBase

    if "\0" in smiles:
        return None
    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(smiles.strip(), sanitize=sanitize)
    return mol if mol is not None and mol.GetNumAtoms() else None


def short(smiles: str) -> str:
    """Return a SMILES in quotes for a message, shortened where it is long.

    Parameters
    ----------
    smiles
        The SMILES.
    """
    return repr(smiles) if len(smiles) <= 60 else f"{smiles[:57]!r}…"
