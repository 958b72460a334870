"""The lines of a .smi file and the rows of a table that hold SMILES."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from onekcal.errors import InputError, did_you_mean, in_short

SMILES_HEADINGS = ("smiles", "canonical_smiles", "isomeric_smiles")
"""Headings of a column of SMILES, the first that is there; capitals do not matter."""
NAME_HEADINGS = ("name", "id", "title")
"""Headings of the column that names a row, in the same way."""
NOTHING: Mapping[str, str] = MappingProxyType({})


class SmilesLine(NamedTuple):
    """One line of a file of SMILES."""

    place: str
    """The file and the line, as a message names them."""
    smiles: str
    """Empty where a row of a table has none."""
    name: str = ""
    cells: Mapping[str, str] = NOTHING
    """Every cell of a table's row by its heading."""
    further: Mapping[str, str] = NOTHING
    """The cells that are neither under SMILES nor under name."""


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


def csv_lines(
    lines: Iterable[str], where: str, smiles_column: str | None = None
) -> Iterator[SmilesLine]:
    """Read the rows of a table that has a column of SMILES and maybe one of names.

    The name of a row is its cell under `name`, `id` or `title`. Where there is no such column, it
    is the first column whose first cell is a text.

    Parameters
    ----------
    lines
        The lines of a file. Commas, semicolons or tabs separate the cells.
    where
        The file, as messages name it.
    smiles_column
        The heading of the column of SMILES. None: one of `SMILES_HEADINGS`.

    Raises
    ------
    InputError
        No column holds SMILES, two have the same heading, or the table cannot be read.
    """
    numbered = enumerate(lines, 1)
    blank, heading = next(((k - 1, line) for k, line in numbered if line.strip()), (0, ""))
    if not heading:
        return
    rest = (line for _, line in numbered)
    rows = csv.reader(itertools.chain([heading], rest), delimiter=separator(heading))
    try:
        heads = headings(next(rows))
        smiles = _smiles_column(heads, smiles_column, where)
        named = _column(heads, NAME_HEADINGS)
        kept: list[str] | None = None
        for row in filter(None, rows):
            cells = dict.fromkeys(heads, "") | dict(zip(heads, map(str.strip, row)))
            if kept is None:
                named = named or _first_text(cells, smiles)
                own = {h for h, use in ((smiles, "smiles"), (named, "name")) if h.lower() == use}
                kept = [head for head in heads if head not in own]
            yield SmilesLine(
                f"{where}, line {blank + rows.line_num}",
                cells[smiles],
                cells[named] if named else "",
                cells,
                {head: cells[head] for head in kept},
            )
    except csv.Error as problem:
        raise InputError(f"{where} cannot be read: {problem}") from None


def separator(heading: str) -> str:
    """Return what separates the cells of a table: a comma, a semicolon or a tab.

    Parameters
    ----------
    heading
        Its first line.
    """
    return max(",;\t", key=heading.count)


def headings(row: Iterable[str]) -> list[str]:
    """Return the headings of a table; the second of the same name is called name_2.

    Parameters
    ----------
    row
        The cells of its first line. One without a text is called after its place.
    """
    out: dict[str, None] = {}  # in order; a list would be searched for every cell
    copies: dict[str, int] = {}
    for k, cell in enumerate(row, 1):
        head = new = cell.strip() or f"column_{k}"
        while new in out:
            copies[head] = copies.get(head, 1) + 1
            new = f"{head}_{copies[head]}"
        out[new] = None
    return list(out)


def _column(heads: list[str], wanted: Iterable[str]) -> str:
    """The first wanted heading that is there, whatever its capitals; empty where none is."""
    return next((h for key in wanted for h in heads if h.lower() == key), "")


def _smiles_column(heads: list[str], told: str | None, where: str) -> str:
    """The heading of the column of SMILES."""
    if told is not None:
        if told in heads:
            return told
        found = _column(heads, [told.strip().lower()])
        if not found:
            raise InputError(f"{where} has no column {told!r}{did_you_mean(told, heads)}")
        return found
    found = _column(heads, SMILES_HEADINGS)
    if not found:
        raise InputError(
            f"{where}: expected a column named SMILES, got {in_short(', '.join(heads))}; "
            "--smiles-column says which one it is"
        )
    return found


def _first_text(cells: Mapping[str, str], smiles: str) -> str:
    """The first heading whose cell is a text; other columns of SMILES are none."""
    return next(
        (
            h
            for h, cell in cells.items()
            if h != smiles and "smiles" not in h.lower() and is_text(cell)
        ),
        "",
    )


def is_text(cell: str) -> bool:
    """Say whether a cell holds a text, which is neither nothing nor a number.

    Parameters
    ----------
    cell
        Its content.
    """
    try:
        float(cell)
    except ValueError:
        return bool(cell)
    return False
