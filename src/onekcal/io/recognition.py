"""Which format a text has, told by how it begins."""

from __future__ import annotations

import re
from io import BufferedReader
from typing import TextIO

from onekcal.io.smiles import is_smiles
from onekcal.io.smiles_lines import SMILES_HEADINGS, headings, separator
from onekcal.molecules import CHARGES

FORMAT_NAMES = {
    "xyz": "an xyz file",
    "sdf": "an sdf file",
    "csv": "a table with a heading",
    "smi": "SMILES, one a line",
    "coordinates": "coordinates without the two lines that begin an xyz file",
}
"""The formats of a text in words."""
COORDINATES = (
    "looks like coordinates without the two lines that begin an xyz file; put the number of "
    "atoms and a comment before them"
)
ENOUGH = 8192
"""Characters of a text by which its format is told."""


def recognised(text: str) -> str:
    """Tell the format of a text.

    An xyz file begins with a count. A mol block has its version in its fourth line. A table has a
    heading. Everything else is SMILES, one a line.

    Parameters
    ----------
    text
        The text, or how it begins.

    Returns
    -------
    str
        A key of `FORMAT_NAMES`; empty where the text is.
    """
    lines = text.lstrip("\ufeff").splitlines()
    filled = [line for line in lines if line.strip() and not line.startswith("#")]
    if not filled:
        return ""
    first = filled[0].strip()
    if is_count(first):
        return "xyz"
    if "M  END" in text or any(re.search(r"V[23]000\s*$", line) for line in lines[:8]):
        return "sdf"
    if is_table(first):
        return "csv"
    if all(map(is_coordinates, filled[: max(1, len(filled) - (not text.endswith("\n")))])):
        return "coordinates"
    return "smi"


def is_count(word: str) -> bool:
    """Say whether a word is a number of atoms or of columns.

    Parameters
    ----------
    word
        A word of a file. Digits of other scripts and numbers beyond 999,999,999 are none.
    """
    return word.isascii() and word.isdigit() and len(word) < 10


def is_table(first: str) -> bool:
    """Say whether a line is the heading of a table of several columns.

    Parameters
    ----------
    first
        The first line of a text.
    """
    cells = headings(first.split(separator(first)))
    if len(cells) < 2:
        return False
    known = {cell.strip("\"' ").lower() for cell in cells} & set(SMILES_HEADINGS)
    return bool(known) or not is_smiles(first.split()[0])


def is_coordinates(line: str) -> bool:
    """Say whether a line is an atom: the symbol of an element and three numbers.

    Parameters
    ----------
    line
        One line.
    """
    words = line.split()
    if len(words) != 4 or words[0] not in CHARGES:
        return False
    try:
        [float(word) for word in words[1:]]
    except ValueError:
        return False
    return True


def beginning(stream: TextIO) -> str:
    """Return how a stream begins, as far as it is there, and leave it in the stream.

    Parameters
    ----------
    stream
        Such as standard input. Nothing has been read from it yet.

    Returns
    -------
    str
        Empty where the stream has ended, or cannot tell without being read.
    """
    buffer = getattr(stream, "buffer", None)
    if isinstance(buffer, BufferedReader):
        return buffer.peek(ENOUGH)[:ENOUGH].decode("utf-8", errors="replace")
    if not stream.seekable():
        return ""
    place = stream.tell()
    text = stream.read(ENOUGH)
    stream.seek(place)
    return text
