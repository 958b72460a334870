"""Functional groups of a molecule, by SMARTS."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rdkit.Chem import Mol


HAS = {
    "alkene": "C=C",
    "alkyne": "C#C",
    "aromatic, carbon only": "c1ccccc1",
    "aromatic, with N O or S": "[a;!c]",
    "alcohol, enol or phenol": "[OX2H][#6;!$(C=O)]",
    "ether": "[OX2]([#6;!$(C=O)])[#6;!$(C=O)]",
    "aldehyde": "[$([CX3;H1][#6]),$([CX3;H2])]=[OX1]",
    "ketone": "[#6][CX3](=[OX1])[#6]",
    "carboxylic acid": "[CX3](=[OX1])[OX2H]",
    "ester": "[CX3](=[OX1])[OX2][#6]",
    "amide": "[CX3](=[OX1])[NX3]",
    "amine": "[NX3;+0;!$(N-C=[O,N,S]);!$(N-[!#6]);!$(N-C#N)]",
    "imine, amidine or oxime": "[CX3]=[NX2]",
    "nitrile": "[CX2]#[NX1]",
    "nitro": "[NX3+](=O)[O-]",
    "N–N or N–O bond": "[#7]~[#7,#8;!$([O-][N+]=O);!$(O=[N+][O-])]",
    "zwitterion": "[+;!$(*~[-])]",
    "fluorine": "F",
    "sulfur": "[#16]",
    "three-membered ring": "[k3]",
    "four-membered ring": "[k4]",
    "five-membered ring": "[k5]",
    "six-membered ring": "[k6]",
    "atom shared by three rings": "[R3,R4,R5,R6]",
}
"""Functional groups a molecule has (SMARTS); a nitro group's own N–O bonds do not count as such."""


LACKS = {"alkane": "[!#6,$(*=,#,:*)]", "no ring": "[R]"}
"""Classes known by what no atom of the molecule is."""


def functional_groups(mol: Mol) -> list[str]:
    """Name the functional groups of a molecule.

    Parameters
    ----------
    mol
        An RDKit molecule whose hydrogens are implicit.

    Returns
    -------
    list of str
        Keys of `LACKS` and `HAS`.
    """
    return [
        name for name, pattern, wanted in _patterns() if mol.HasSubstructMatch(pattern) is wanted
    ]


@lru_cache(maxsize=1)
def _patterns() -> list[tuple[str, Mol, bool]]:
    """Name, SMARTS as RDKit knows it, and whether it must match."""
    from rdkit.Chem import MolFromSmarts

    return [
        (name, MolFromSmarts(smarts), wanted)
        for table, wanted in ((LACKS, False), (HAS, True))
        for name, smarts in table.items()
    ]
