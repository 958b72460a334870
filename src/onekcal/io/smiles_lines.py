"""The lines of a .smi file and the rows of a table that hold SMILES."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from onekcal.errors import InputError


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
