"""What is asked of a model: molecules from SMILES, files and standard input, one after the other.

SMILES are passed on as they are (a geometry is made when the question is answered), and .smi, .csv
and standard input are read line by line: a file of thousands takes no more memory than one of ten.
Files of geometries are read whole. What cannot be read becomes a question with a `problem`; the
others go on.
"""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from onekcal.errors import InputError, OnekcalError, unknown
from onekcal.io.smiles import SmilesLine, csv_lines, is_smiles, smi_lines
from onekcal.molecules import Molecules

STANDARD_INPUT = "-"
SMILES_FILES, TABLES = (".smi", ".smiles"), (".csv",)
ENDING = re.compile(r"\.[A-Za-z]\w{1,7}$")
"""How the name of a file ends."""


@dataclass(frozen=True)
class Question:
    """One molecule asked for: a SMILES, or nuclei where a geometry is given; or why it could not
    be read.
    """

    source: str  # as the user would find it: the SMILES, or the file and the line or molecule
    name: str = ""
    smiles: str = ""
    molecule: Molecules | None = None
    problem: str = ""


def questions(inputs: Iterable[str | Molecules], length: str | None = None) -> Iterator[Question]:
    """Every molecule of SMILES, names of files, "-" (standard input) and batches, in order;
    `length`: files' unit.
    """
    for text in inputs:
        if isinstance(text, Molecules):
            for k, molecule in enumerate(text):
                yield Question(
                    str(molecule.names[0]) or f"molecule {k}",
                    str(molecule.names[0]),
                    molecule=molecule,
                )
            continue
        try:
            yield from (
                _standard_input(sys.stdin, length) if text == STANDARD_INPUT else _of(text, length)
            )
        except OnekcalError as problem:
            yield Question(text, problem=str(problem))
        except OSError as problem:
            yield Question(text, problem=f"{text} cannot be read: {problem}")


def count(inputs: Iterable[str]) -> int | None:
    """About how many molecules are asked for, for a progress bar; None where that is not known
    beforehand.
    """
    total = 0
    for text in inputs:
        path = _file(text) if text != STANDARD_INPUT else None
        if text == STANDARD_INPUT or (path is not None and path.suffix.lower() == ".npz"):
            return None
        total += 1 if path is None else _count(path)
    return total


def _count(path: Path) -> int:
    marks = {
        ".sdf": lambda line: line.startswith("$$$$"),
        ".xyz": lambda line: line.strip().isdigit(),
    }
    marks[".extxyz"] = marks[".xyz"]
    mark = marks.get(path.suffix.lower(), str.strip)
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            return sum(bool(mark(line)) for line in lines) - (path.suffix.lower() in TABLES)
    except OSError:  # reading it will say why
        return 1


def _of(text: str, length: str | None) -> Iterator[Question]:
    from onekcal.io.reading import FORMATS

    path = _file(text)
    if path is None:
        return _smiles(text)
    ending = path.suffix.lower()
    if ending not in FORMATS:
        unknown("format for", path.suffix or path.name, FORMATS)
    if ending in SMILES_FILES + TABLES:
        return _lines(path)
    return _geometries(text, length=length)


def _file(text: str) -> Path | None:
    """The file meant, or None where the text itself is the molecule."""
    path = Path(text)
    try:
        return path if path.is_file() else None
    except (OSError, ValueError):  # a SMILES longer than any file name
        return None


def _smiles(text: str) -> Iterator[Question]:
    from onekcal.io.reading import FORMATS

    if not text.strip():
        raise InputError("an empty argument; expected a SMILES or the name of a file")
    if not is_smiles(text):
        if Path(text).suffix.lower() in FORMATS or ENDING.search(text):
            raise InputError(f"there is no file {text}")
        if len(text) < 256 and Path(text).is_dir():
            raise InputError(f"{text} is a folder; expected a file or a SMILES")
        raise InputError(f"{text!r} is neither a file that exists nor a SMILES that can be read")
    yield Question(text.strip(), smiles=text.strip())


# --- lines of SMILES --------------------------------------------------------------------------


def _lines(path: Path) -> Iterator[Question]:
    """The questions of a file of SMILES, one line at a time."""
    read = smi_lines if path.suffix.lower() in SMILES_FILES else csv_lines
    with path.open(encoding="utf-8-sig", errors="replace", newline=None) as lines:
        yield from _some(read(lines, str(path)), str(path))


def _some(lines: Iterator[SmilesLine], where: str) -> Iterator[Question]:
    """A question for each line; a text without any is refused."""
    first = next(lines, None)
    if first is None:
        raise InputError(f"{where} is empty; expected at least one molecule")
    for line in itertools.chain([first], lines):
        problem = "" if line.smiles else f"{line.place}: no SMILES in this row"
        yield Question(line.place, line.name, line.smiles, problem=problem)


def _standard_input(stream: TextIO, length: str | None) -> Iterator[Question]:
    """SMILES line by line, or the text of an xyz file, which begins with a count."""
    where = "standard input"
    first = next((line for line in stream if line.strip()), "")
    if not first:
        raise InputError("standard input is empty; expected SMILES, one a line, or an xyz file")
    if first.strip().isdigit():
        yield from _geometries(first + stream.read(), where, "xyz", length)
    else:
        yield from _some(smi_lines(itertools.chain([first], stream), where), where)


# --- geometries -------------------------------------------------------------------------------


def _geometries(
    source: str, where: str = "", format: str | None = None, length: str | None = None
) -> Iterator[Question]:
    """The molecules of a file (or of its text) with their geometries, then its problems; labels
    are not wanted.
    """
    from onekcal.io import read_all

    where = where or source
    dataset, problems = read_all(
        source, format=format, length=length, energy_key=None, forces_key=None
    )
    lost = {
        int(found[1])
        for problem in problems
        if (found := re.search(r"molecule (\d+)", problem.place))
    }
    places = (k for k in itertools.count(1) if k not in lost)
    alone = dataset is not None and len(dataset) == 1 and not problems
    for molecule in [] if dataset is None else dataset.molecules:
        place = where if alone else f"{where}, molecule {next(places)}"
        yield Question(place, str(molecule.names[0]), molecule=molecule)
    for problem in problems:
        place = problem.place.replace("text", where, 1) if format else problem.place
        yield Question(place, problem=f"{place}: {problem.what}")
