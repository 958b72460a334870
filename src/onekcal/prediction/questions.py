"""What is asked of a model: molecules from SMILES, files and standard input, one after the other.

A SMILES is passed on as it is; its geometry is made when the question is answered. Files .smi, .csv
and .tsv are read line by line, so that a long file takes no more memory than a short one. Files of
geometries are read whole. Standard input is told by how it begins. A molecule that cannot be read
becomes a question with a `problem` in its place, and the next one follows.
"""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from onekcal.errors import InputError, OnekcalError, did_you_mean, in_short, unknown
from onekcal.io import read_all
from onekcal.io.python_objects import text_or_molecules
from onekcal.io.rdkit_formats import blocks_of, drawn, tags_of, title_of
from onekcal.io.reading import FORMATS
from onekcal.io.recognition import (
    COORDINATES,
    beginning,
    is_coordinates,
    is_count,
    recognised,
)
from onekcal.io.records import Problem
from onekcal.io.smiles import is_smiles, short
from onekcal.io.smiles_lines import NAME_HEADINGS, SmilesLine, csv_lines, is_text, smi_lines
from onekcal.labels.computed import Store
from onekcal.molecules import Molecules

if TYPE_CHECKING:
    from onekcal.io.python_objects import Given

STANDARD_INPUT = "-"
SMILES_FILES, TABLES = (".smi", ".smiles"), (".csv", ".tsv")
ENDING = re.compile(r"\.[A-Za-z]\w{1,7}$")
"""How the name of a file ends; no SMILES ends so."""


@dataclass(frozen=True)
class Question:
    """One molecule that is asked for.

    Parameters
    ----------
    source
        Where the user finds it: the SMILES, or the file and the line or molecule in it.
    name
        Its name; empty where it has none.
    smiles
        The SMILES, where no geometry is given.
    molecule
        The molecule with its geometry (Å), where one is given.
    problem
        Why it could not be read; empty where it could.
    columns
        What its row of a table says besides, or the tags of its sdf block, by heading.
    """

    source: str
    name: str = ""
    smiles: str = ""
    molecule: Molecules | None = None
    problem: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Where it was found, with its SMILES: what messages begin with."""
        bare = not self.smiles or self.smiles in self.source
        return self.source if bare else f"{self.source} ({short(self.smiles)})"


def questions(
    inputs: Iterable[Given], length: str | None = None, smiles_column: str | None = None
) -> Iterator[Question]:
    """Read every molecule that is asked for, in order.

    Parameters
    ----------
    inputs
        SMILES, names of files, "-" for standard input, molecules, ASE's `Atoms` or RDKit's `Mol`.
    length
        The unit of coordinates in files; None: the unit that the file names, or Å.
    smiles_column
        The heading of the column of SMILES in tables; None: it is found.

    Yields
    ------
    Question
        One for each molecule; one with a `problem` where a molecule or a file cannot be read.
    """
    for place, given in enumerate(inputs, 1):
        try:
            text = text_or_molecules(given)
        except InputError as problem:
            yield Question(f"input {place}", problem=f"input {place}: {problem}")
            continue
        if isinstance(text, Molecules):
            for k, molecule in enumerate(text):
                name = str(molecule.names[0])
                where = f"molecule {k}" if text is given else molecule.formulas[0]
                yield Question(name or where, name, molecule=molecule)
            continue
        try:
            yield from (
                _standard_input(sys.stdin, length, smiles_column)
                if text == STANDARD_INPUT
                else _of(text, length, smiles_column)
            )
        except OnekcalError as problem:
            yield Question(text, problem=str(problem))
        except OSError as problem:
            yield Question(text, problem=f"{in_short(text)!r} cannot be read: {in_short(problem)}")


def count(inputs: Iterable[Given]) -> int | None:
    """Estimate how many molecules are asked for, for a progress bar.

    Parameters
    ----------
    inputs
        As in `questions`.

    Returns
    -------
    int or None
        None where the number is not known beforehand.
    """
    total = 0
    for text in inputs:
        if not isinstance(text, (str, Path)):
            total += len(text) if isinstance(text, Molecules) else 1
            continue
        path = _file(text) if text != STANDARD_INPUT else None
        if text == STANDARD_INPUT or (path is not None and path.suffix.lower() == ".npz"):
            return None
        total += 1 if path is None else _count(path)
    return total


def _count(path: Path) -> int:
    """How many lines of a file mark a molecule."""
    marks = {
        ".sdf": lambda line: line.startswith("$$$$"),
        ".xyz": lambda line: is_count(line.strip()),
    }
    marks[".extxyz"] = marks[".xyz"]
    mark = marks.get(path.suffix.lower(), str.strip)
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            return sum(bool(mark(line)) for line in lines) - (path.suffix.lower() in TABLES)
    except OSError:  # reading it will say why
        return 1


def further_headings(inputs: Iterable[Given], smiles_column: str | None = None) -> list[str]:
    """List the headings of all further columns of files, for a table that holds them all.

    Parameters
    ----------
    inputs
        What is asked; only tables and sdf files have such columns.
    smiles_column
        As in `questions`.
    """
    out: dict[str, str] = {}
    for text in inputs:
        path = _file(text) if isinstance(text, (str, Path)) else None
        ending = path.suffix.lower() if path else ""
        try:
            if path is not None and ending in TABLES:
                out |= next(iter(_lines(path, smiles_column))).columns
            elif path is not None and ending in (".sdf", ".mol"):
                out |= next(iter(_tags(_blocks(str(path), None))), {})
        except (OnekcalError, OSError):  # reading it will say why
            continue
    return list(out)


def _of(text: str, length: str | None, smiles_column: str | None) -> Iterator[Question]:
    """The questions of one argument: of a file, or of a SMILES."""
    path = _file(text)
    if path is None:
        return _smiles(text)
    ending = path.suffix.lower()
    if ending not in FORMATS:
        unknown("format for", path.suffix or path.name, FORMATS)
    if ending in SMILES_FILES + TABLES:
        return _lines(path, smiles_column)
    return _geometries(text, length=length)


def _file(text: str | Path) -> Path | None:
    """The file that a text names; None where the text itself is the molecule."""
    path = Path(text)
    try:
        return path if path.is_file() else None
    except (OSError, ValueError):  # a SMILES longer than any file name
        return None


def _is_folder(text: str) -> bool:
    try:
        return Path(text).is_dir()
    except (OSError, ValueError):  # longer than any name of a folder
        return False


def _smiles(text: str) -> Iterator[Question]:
    """The question of a SMILES; other texts are refused."""
    if not text.strip():
        raise InputError("an empty argument; expected a SMILES or the name of a file")
    if is_coordinates(text):
        raise InputError(f"{in_short(text)!r} {COORDINATES}")
    if not is_smiles(text):
        if Path(text).suffix.lower() in FORMATS or ENDING.search(text):
            raise InputError(f"there is no file {in_short(text)}")
        if _is_folder(text):
            raise InputError(f"{text} is a folder; expected a file or a SMILES")
        known = Store().names()
        if smiles := named(text.strip(), known):
            yield Question(text.strip(), text.strip(), smiles)
            return
        raise InputError(
            f"{in_short(text)!r} is neither a file that exists nor a SMILES that can be read, and "
            f"no stored answer has this name{did_you_mean(text.strip().lower(), known)}"
        )
    yield Question(text.strip(), smiles=text.strip())


def named(text: str, names: Mapping[str, set[str]]) -> str:
    """Return the SMILES that a name stands for; nothing where the name is unknown.

    Parameters
    ----------
    text
        The name.
    names
        Names of stored answers in lower case, and the SMILES they stand for.

    Raises
    ------
    InputError
        The name stands for several molecules, or for a geometry.
    """
    found = sorted(names.get(text.lower(), ()))
    if found == [""]:
        raise InputError(
            f"{text!r} was computed from a geometry; give the file instead of its name"
        )
    if len(found) > 1:
        several = ", ".join(smiles or "one computed from a geometry" for smiles in found)
        raise InputError(
            f"{text!r} is the name of several stored answers ({several}); write a SMILES"
        )
    return found[0] if found else ""


# --- lines of SMILES --------------------------------------------------------------------------


def _lines(path: Path, smiles_column: str | None) -> Iterator[Question]:
    """The questions of a file of SMILES, one line at a time."""
    with path.open(encoding="utf-8-sig", errors="replace", newline=None) as lines:
        if path.suffix.lower() in SMILES_FILES:
            yield from _some(smi_lines(lines, str(path)), str(path))
        else:
            yield from _some(csv_lines(lines, str(path), smiles_column), str(path))


def _some(lines: Iterator[SmilesLine], where: str) -> Iterator[Question]:
    """A question for each line; an empty text is refused."""
    first = next(lines, None)
    if first is None:
        raise InputError(f"{where} is empty; expected at least one molecule")
    for line in itertools.chain([first], lines):
        problem = "" if line.smiles else f"{line.place}: no SMILES in this row"
        yield Question(
            line.place, line.name, line.smiles, problem=problem, columns=dict(line.further)
        )


def _standard_input(
    stream: TextIO, length: str | None, smiles_column: str | None
) -> Iterator[Question]:
    """SMILES or a table line by line, or the whole text of an xyz or sdf file."""
    where = "standard input"
    kind = recognised(beginning(stream))
    first = ""
    if not kind:  # it must be read to tell
        first = next((line for line in stream if line.strip()), "")
        kind = recognised(first)
    if not kind:
        raise InputError(
            "standard input is empty; expected SMILES, one a line, a table, an xyz or an sdf file"
        )
    if kind == "coordinates":
        raise InputError(f"{where} {COORDINATES}")
    if kind in ("xyz", "sdf"):
        text = (first + stream.read()).replace("\r\n", "\n").removeprefix("\ufeff")
        yield from _geometries(text if "\n" in text else text + "\n", where, kind, length)
        return
    lines = (
        line.removeprefix("\ufeff") for line in itertools.chain([first] if first else [], stream)
    )
    if kind == "csv":
        yield from _some(csv_lines(lines, where, smiles_column), where)
    else:
        yield from _some(smi_lines(lines, where), where)


# --- geometries -------------------------------------------------------------------------------


def _geometries(
    source: str, where: str = "", format: str | None = None, length: str | None = None
) -> Iterator[Question]:
    """The molecules of a file or a text with their geometries and tags, in order; no labels."""
    where = where or source
    dataset, problems = read_all(
        source, format=format, length=length, energy_key=None, forces_key=None
    )
    blocks = _blocks(source, format)
    tags = _tags(blocks)
    bad = {_number(problem.place): problem for problem in problems}
    good = iter([] if dataset is None else dataset.molecules)
    alone = dataset is not None and len(dataset) == 1 and not problems
    total = len(problems) + (0 if dataset is None else len(dataset))
    for k in range(1, total + 1):
        told = tags[k - 1] if k <= len(tags) else {}
        if k in bad:
            place = bad[k].place.replace("text", where, 1) if format else bad[k].place
            block = blocks[k - 1] if k <= len(blocks) else ""
            name, smiles = _named(title_of(block), told), drawn(block)
            problem = "" if smiles else str(Problem(place, bad[k].what))
            yield Question(place, name, smiles, problem=problem, columns=told)
            continue
        molecule = next(good)
        yield Question(
            where if alone else f"{where}, molecule {k}",
            _named(str(molecule.names[0]), told),
            molecule=molecule,
            columns=told,
        )


def _number(place: str) -> int:
    """Which molecule of its file a problem belongs to."""
    found = re.search(r"molecule (\d+)", place)
    assert found, place
    return int(found[1])


def _blocks(source: str, format: str | None) -> list[str]:
    """The blocks of an sdf file, one a molecule; none of other formats."""
    ending = format or Path(source).suffix.lower().removeprefix(".")
    if ending not in ("sdf", "mol"):
        return []
    return blocks_of(
        source if format else Path(source).read_text(encoding="utf-8-sig", errors="replace")
    )


def _tags(blocks: list[str]) -> list[dict[str, str]]:
    """The tags of each molecule of an sdf file, the same for all."""
    tags = [tags_of(block) for block in blocks]
    every = dict.fromkeys((key for each in tags for key in each), "")
    return [every | each for each in tags]


def _named(name: str, columns: Mapping[str, str]) -> str:
    """The name of a molecule: its own, or that of its tags."""
    if name or not columns:
        return name
    by_key = {head.lower(): cell for head, cell in columns.items()}
    return next(filter(None, (by_key.get(key, "") for key in NAME_HEADINGS)), "") or next(
        (cell for cell in columns.values() if is_text(cell)), ""
    )
