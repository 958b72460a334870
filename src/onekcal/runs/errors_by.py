"""Errors of the test molecules by size and by functional group; of atoms, by element.

The groups are told from the geometry alone: not every data set names its molecules, and two that
do may draw one molecule differently. A molecule counts in every group it has.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from onekcal.data.dataset import Dataset
from onekcal.geometry.bonds import perceived
from onekcal.models.model_card import ErrorsBy, Row
from onekcal.molecules import SYMBOLS, Molecules
from onekcal.trust.conformal import coverage
from onekcal.trust.metrics import KCAL, metrics

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
MOST = 20_000
"""Molecules whose groups are looked at."""
LARGEST = 20
"""Heavy atoms from which on molecules are counted together."""


def errors_by(data: Dataset, predicted: Tensor, half: float) -> ErrorsBy:
    """Sort the errors of predictions by heavy atoms and by functional group.

    Where the data are of atoms, errors are sorted by element instead.

    Parameters
    ----------
    data
        Molecules with their reference values (M,), or values of atoms (A,).
    predicted
        Predictions, of the same shape and unit as the reference values.
    half
        Half width of the interval in the same unit; infinite where there is none.

    Returns
    -------
    ErrorsBy
        A few kB for JSON; figures that are not finite are None. `not_perceived` counts the
        molecules whose bonds could not be told from their geometry.
    """
    molecules = data.molecules
    if data.aim.atomic:
        return {
            "elements": {
                SYMBOLS[z]: _row(data, predicted, half, molecules.numbers == z)
                for z in molecules.elements
            }
        }
    sizes = molecules.sum_atoms((molecules.numbers > 1).to(torch.int64)).clamp_max(LARGEST)
    by_size = {
        f"{size}{' or more' if size == LARGEST else ''}": _row(data, predicted, half, sizes == size)
        for size in sizes.unique().tolist()
    }
    members, unclear = _members(molecules[:MOST])
    return {
        "heavy_atoms": by_size,
        "groups": {
            name: _row(data, predicted, half, torch.tensor(rows))
            for name, rows in members.items()
            if rows
        },
        "perceived": min(len(data), MOST) - unclear,
        "not_perceived": unclear,
    }


def _members(molecules: Molecules) -> tuple[dict[str, list[int]], int]:
    """Group → numbers of the molecules that have it, and how many show no clear bonds."""
    members: dict[str, list[int]] = {name: [] for name in (*LACKS, *HAS)}
    unclear = 0
    for m, molecule in enumerate(molecules):
        mol = perceived(
            molecule.numbers.numpy(),
            molecule.positions.numpy(),
            int(molecule.charges[0]),
            int(molecule.spins[0]),
        )
        unclear += mol is None
        for name in () if mol is None else groups(mol):
            members[name].append(m)
    return members, unclear


def groups(mol: Mol) -> list[str]:
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


def _row(data: Dataset, predicted: Tensor, half: float, which: Tensor) -> Row:
    """Errors of the molecules that a mask or row numbers choose."""
    reference, predicted = data.energies[which], predicted[which]
    found = metrics(reference, predicted, data.aim.unit)
    inside = (
        coverage(reference, predicted - half, predicted + half) if math.isfinite(half) else math.nan
    )
    digits = 3 if data.aim.unit == KCAL else 6

    def rounded(value: float) -> float | None:
        return round(value, digits) if math.isfinite(value) else None

    return {
        "count": len(reference),
        "mae": rounded(found["mae"]),
        "median": rounded(found["median"]),
        "above_1": rounded(found.get("above_1", math.nan)),
        "coverage": rounded(inside),
    }
