"""xyz and extended xyz: many frames, numbers like `1.2*^-6`, extra columns, labels under any key.

A broken frame costs only itself. Reading goes on at the next line that is a count followed by that
many atoms.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from onekcal.errors import InputError, in_short
from onekcal.io.assembly import lost_label
from onekcal.io.options import ReadOptions
from onekcal.io.recognition import is_count
from onekcal.io.records import Parsed, Problem, Record, energy_of, meaning_of, whole_number
from onekcal.molecules import charge_of

PAIR = re.compile(
    r"""([A-Za-z_][\w.\-]*)\s*=\s*("(?:[^"\\]|\\.)*"|'[^']*'|\{[^}]*\}|\[[^\]]*\]|[^\s"'{\[]\S*)"""
)
"""One pair of a comment line: key=value, key="many words", key={1 2 3}."""
PROPERTY = re.compile(r"([^:\s]+):([RISL]):(\d+)")
OWN = {"properties", "lattice", "pbc", "name", "charge", "spin", "multiplicity", "energy_unit"}
"""A comment with one of these keys is an extended one."""

element = lru_cache(maxsize=256)(charge_of)


@dataclass(frozen=True)
class Layout:
    """Which columns of an atom line hold what.

    Parameters
    ----------
    species, pos
        Columns of the element and of x; y and z follow x.
    forces
        The column of the first force component. None where there are no forces.
    width
        How many columns a line has.
    others
        Names of arrays that look like forces and are not the ones wanted.
    """

    species: int = 0
    pos: int = 1
    forces: int | None = None
    width: int = 4
    others: tuple[str, ...] = ()


@dataclass
class _Seen:
    """What the comments of a whole file announce."""

    energies: set[str] = field(default_factory=set)
    forces: set[str] = field(default_factory=set)
    periodic: int = 0


def read_xyz(text: str, options: ReadOptions, where: str) -> Parsed:
    """Read all frames of a text.

    Parameters
    ----------
    text
        The content of an xyz or extended xyz file.
    options
        What the caller says about it.
    where
        The file, as messages name it.
    """
    seen = _Seen()
    records: list[Record] = []
    problems: list[Problem] = []
    lines = text.split("\n")
    for k, (at, count, broken) in enumerate(_frames(lines), 1):
        place = f"{where}, molecule {k} (line {at + 1})"
        try:
            if broken:
                raise InputError(broken)
            records.append(_record(lines, at, count, options, place, seen))
        except InputError as problem:
            problems.append(Problem(place, str(problem)))
    if records and all(record.energy is None for record in records):
        lost_label(seen.energies, options.energy_key, "energ", "energy_key", where)
    if records and all(record.forces is None for record in records):
        lost_label(seen.forces, options.forces_key, "force", "forces_key", where)
    if seen.periodic:
        warnings.warn(
            f"{where}: the Lattice of {seen.periodic:,} of {len(records):,} frames is ignored; "
            "every frame is read as an isolated molecule",
            stacklevel=4,
        )
    return records, problems


# --- where frames are -------------------------------------------------------------------------


def _frames(lines: list[str]) -> Iterator[tuple[int, int, str]]:
    """(line of the count, atoms, what is broken) of every frame."""
    at, end = 0, len(lines)
    while at < end:
        word = lines[at].strip()
        if not word:
            at += 1
            continue
        count = int(word) if is_count(word) else 0
        after = at + 2 + count
        if count < 1:
            broken = f"expected the number of atoms, got {word!r}"
        elif after < end and _is_atom(lines[after]):
            broken = f"line {at + 1} says {count} atoms but line {after + 1} is one more"
        elif after > end or any(_no_atom(line) for line in lines[at + 2 : after]):
            there = next((k for k in range(at + 2, min(after, end)) if not _is_atom(lines[k])), end)
            broken = f"expected {count} lines of `symbol x y z`, line {there + 1} has none"
        else:
            broken = ""
        yield at, count, broken
        at = _next_frame(lines, at + 1) if broken else after


def _next_frame(lines: list[str], at: int) -> int:
    """The next line that begins a whole frame; the end where there is none."""
    for k in range(at, len(lines)):
        word = lines[k].strip()
        if is_count(word) and int(word) > 0 and k + 1 < len(lines) and not _is_atom(lines[k + 1]):
            rows = lines[k + 2 : k + 2 + int(word)]
            if len(rows) == int(word) and all(_is_atom(row) for row in rows):
                return k
    return len(lines)


def _no_atom(line: str) -> bool:
    """A blank line, or the count of the next frame: this one is short."""
    word = line.strip()
    return not word or is_count(word)


def _is_atom(line: str) -> bool:
    """Does a line look like `symbol x y z`?"""
    words = line.split()
    if len(words) < 4 or not (is_count(words[0]) or words[0].isalpha()):
        return False
    try:
        [_number(word) for word in words[1:4]]
        return True
    except ValueError:
        return False


# --- one frame --------------------------------------------------------------------------------


def _record(
    lines: list[str], at: int, count: int, options: ReadOptions, place: str, seen: _Seen
) -> Record:
    comment = lines[at + 1].strip()
    info = comment_pairs(comment, options.energy_key) if "=" in comment else {}
    layout = _layout(info.get("Properties", ""), options.forces_key)
    rows = [line.split() for line in lines[at + 2 : at + 2 + count]]
    positions = _columns(rows, layout.pos, layout, at + 3) * options.scale
    numbers = np.array([element(row[layout.species]) for row in rows], dtype=np.int64)
    record = Record(place, numbers, positions, comment)
    if info:
        own = {key.lower(): value for key, value in info.items()}
        record.name, record.charge = own.get("name", ""), whole_number(own, "charge")
        record.spin = (
            whole_number(own, "multiplicity") - 1
            if "multiplicity" in own
            else whole_number(own, "spin")
        )
        record.meaning = meaning_of(info)
        if options.energy_key in info:
            record.energy = energy_of(info[options.energy_key], options.energy_key, _number)
        seen.energies.update(key for key in info if "energ" in key.lower() and key != "energy_unit")
        seen.periodic += "Lattice" in info and not _isolated(info.get("pbc", "T"))
    if layout.forces is not None:
        record.forces = _columns(rows, layout.forces, layout, at + 3)
        if not np.isfinite(record.forces).all():
            raise InputError(f"a force under {options.forces_key!r} is not a finite number")
    seen.forces.update(layout.others)
    return record


def comment_pairs(text: str, energy_key: str | None) -> dict[str, str]:
    """Return the key=value pairs of an extended comment line.

    Parameters
    ----------
    text
        The comment line. A plain one, such as a SMILES, has no pairs.
    energy_key
        A key that makes a comment an extended one, besides the usual keys.
    """
    if re.sub(r"\\.", "", text).count('"') % 2 and re.search(r'=\s*"', text):
        raise InputError(f"the comment line has an open quote: {text!r}")
    pairs = {key: _unquoted(value) for key, value in PAIR.findall(text)}
    if not any(key.lower() in OWN or key == energy_key or "energ" in key.lower() for key in pairs):
        return {}
    return pairs


def _unquoted(value: str) -> str:
    if value[0] == '"' and value[-1] == '"' and len(value) > 1:
        return re.sub(r"\\(.)", r"\1", value[1:-1])
    return value[1:-1] if value[0] in "'{[" and len(value) > 1 else value


def _isolated(pbc: str) -> bool:
    return not any(
        word in "Tt1" or word.lower() == "true" for word in re.split(r"[\s,]+", pbc.strip()) if word
    )


@lru_cache(maxsize=64)
def _layout(properties: str, forces_key: str | None) -> Layout:
    if not properties:
        return Layout()
    places: dict[str, tuple[int, int]] = {}
    start = 0
    if not all(is_count(width) for _, _, width in PROPERTY.findall(properties)):
        raise InputError(f"Properties must count columns, got {in_short(properties)!r}")
    for name, _, width in PROPERTY.findall(properties):
        places[name] = (start, int(width))
        start += int(width)
    species = next((places[key] for key in ("species", "Z", "numbers") if key in places), None)
    if species is None or places.get("pos", (0, 0))[1] != 3:
        raise InputError(
            f"Properties must name species (or Z) and pos with 3 columns, got {properties!r}"
        )
    forces = places.get(forces_key) if forces_key else None
    if forces is not None and forces[1] != 3:
        raise InputError(f"{forces_key!r} must have 3 columns, got {forces[1]}")
    others = tuple(
        key for key, (_, width) in places.items() if "force" in key.lower() and width == 3
    )
    return Layout(
        species[0], places["pos"][0], None if forces is None else forces[0], start, others
    )


def _columns(rows: list[list[str]], start: int, layout: Layout, line: int) -> np.ndarray:
    """(n, 3) numbers of three columns from `start`; every line must be as wide as announced."""
    a, b, c = start, start + 1, start + 2
    try:
        out = np.array([[float(row[a]), float(row[b]), float(row[c])] for row in rows])
        if min(map(len, rows)) >= layout.width:
            return out
    except (ValueError, IndexError):
        out = np.empty((len(rows), 3))
    for k, row in enumerate(rows):
        if len(row) < layout.width:
            raise InputError(f"line {line + k}: expected {layout.width} columns, got {len(row)}")
        try:
            out[k] = [_number(word) for word in row[a : c + 1]]
        except ValueError:
            raise InputError(
                f"line {line + k}: expected 3 numbers, got {' '.join(row[a : c + 1])!r}"
            ) from None
    return out


def _number(word: str) -> float:
    """A number, also as Mathematica (1.2*^-6) and Fortran (1.2D-6) write it."""
    try:
        return float(word)
    except ValueError:
        return float(word.replace("*^", "e").replace("D", "e").replace("d", "e"))
