"""SMILES: one text, the lines of a .smi file, the rows of a table, and RDKit's molecule of them."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from onekcal.errors import InputError
from onekcal.molecules import SYMBOLS

if TYPE_CHECKING:
    from rdkit.Chem import Mol


class SmilesLine(NamedTuple):
    """One line of a file of SMILES."""

    place: str
    """The file and the line, as a message names them."""
    smiles: str
    """Empty where a row of a table has none."""
    name: str = ""
    cells: Mapping[str, str] = MappingProxyType({})
    """Every cell of a table's row by its heading in lower case."""


def smi_lines(lines: Iterable[str], where: str) -> Iterator[SmilesLine]:
    """Read `SMILES name` from each line.

    A first line that says SMILES is a heading. Lines that begin with # are comments.

    Parameters
    ----------
    lines
        The lines of a file.
    where
        The file, as messages name it.
    """
    first = True
    for k, line in enumerate(lines, 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if not (first and words[0].lower() == "smiles"):
            yield SmilesLine(f"{where}, line {k}", words[0], " ".join(words[1:]))
        first = False


def csv_lines(lines: Iterable[str], where: str) -> Iterator[SmilesLine]:
    """Read the rows of a table that has a column SMILES and maybe one called name.

    Parameters
    ----------
    lines
        The lines of a file. Commas, semicolons or tabs separate the cells.
    where
        The file, as messages name it.

    Raises
    ------
    InputError
        No column is called SMILES, or the table cannot be read.
    """
    numbered = enumerate(lines, 1)
    blank, heading = next(((k - 1, line) for k, line in numbered if line.strip()), (0, ""))
    if not heading:
        return
    rest = (line for _, line in numbered)
    separator = max(",;\t", key=heading.count)
    rows = csv.reader(itertools.chain([heading], rest), delimiter=separator)
    try:
        heads = [head.strip() for head in next(rows)]
        keys = [head.lower() for head in heads]
        if "smiles" not in keys:
            raise InputError(
                f"{where}: expected a column named SMILES, got {', '.join(heads) or 'none'}"
            )
        for row in filter(None, rows):
            cells = dict.fromkeys(keys, "") | dict(zip(keys, map(str.strip, row)))
            place = f"{where}, line {blank + rows.line_num}"
            yield SmilesLine(place, cells["smiles"], cells.get("name", ""), cells)
    except csv.Error as problem:
        raise InputError(f"{where} cannot be read: {problem}") from None


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
