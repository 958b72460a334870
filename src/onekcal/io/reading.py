"""Molecules from files: xyz, extxyz, sdf and mol, SMILES (text, .smi, .csv, .tsv), npz.

`read` stops at the first problem. `read_all` returns every sound molecule and a list of problems.
A problem names the file, the line or molecule, what was expected and what was there.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, Unpack

from onekcal.data.dataset import Dataset
from onekcal.errors import InputError, in_short, unknown
from onekcal.io.assembly import dataset_of
from onekcal.io.options import ReadKeywords, ReadOptions
from onekcal.io.recognition import COORDINATES, recognised
from onekcal.io.records import Parsed, Problem

FORMATS = {
    ".xyz": "xyz",
    ".extxyz": "xyz",
    ".sdf": "sdf",
    ".mol": "sdf",
    ".smi": "smi",
    ".smiles": "smi",
    ".csv": "csv",
    ".tsv": "csv",
    ".npz": "npz",
}
"""Formats by the ending of a file's name."""


def read(
    source: str | os.PathLike[str],
    *,
    format: str | None = None,
    on_error: Literal["raise", "skip"] = "raise",
    **options: Unpack[ReadKeywords],
) -> Dataset:
    """Read molecules and labels from a file, from a SMILES or from the text of a file.

    Parameters
    ----------
    source
        A path, a SMILES, or text in one of the formats.
    format
        "xyz", "extxyz", "sdf", "mol", "smi", "smiles", "csv", "tsv" or "npz". None goes by the
        ending of the name, or by the text.
    on_error
        "raise" raises the first problem. "skip" leaves out what cannot be read. (`read_all` says
        what that is, and why.)
    **options
        What the file does not say itself. `energy`, `length`, `forces`: its units ("hartree",
        "bohr", "eV/angstrom"). `level`, `kind`, `at`: what its energies are (see `Column`).
        `energy_key`, `forces_key`: the names of its labels; None reads geometries alone.
        `trust_lengths`: True reads it even if its distances are not bond lengths.
        `smiles_column`: the heading of the SMILES in a table.

    Returns
    -------
    Dataset
        Molecules in Å. The columns `energy` (kcal/mol) and `energy_forces` (kcal/mol/Å) are there
        where the file has such labels.

    Raises
    ------
    InputError
        There is no such file, or it cannot be read.
    """
    if on_error not in ("raise", "skip"):
        unknown("way to treat a problem (on_error)", str(on_error), ["raise", "skip"])
    dataset, problems = read_all(source, format=format, **options)
    if dataset is None or (problems and on_error == "raise"):
        raise InputError(str(problems[0]))
    return dataset


def read_all(
    source: str | os.PathLike[str],
    *,
    format: str | None = None,
    **options: Unpack[ReadKeywords],
) -> tuple[Dataset | None, list[Problem]]:
    """Read every molecule that can be read, and list the problems of the others.

    Parameters
    ----------
    source, format, **options
        As in `read`.

    Returns
    -------
    tuple
        The data (None where no molecule can be read), and one problem for each molecule left out.

    Raises
    ------
    InputError
        The problem concerns the whole file: it does not exist, is empty, has another unit, or has
        its labels under another key.
    """
    chosen = ReadOptions(**options)
    kind = _format(format)
    path = _file(source, kind)
    if path is None:
        text = str(source)
        return dataset_of(
            _parsed(_unified(text), kind or _kind_of(text), chosen, "text"), chosen, "text"
        )
    if kind is None and path.suffix.lower() not in FORMATS:
        unknown("format for", path.suffix or path.name, FORMATS)
    kind = kind or FORMATS[path.suffix.lower()]
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty; expected at least one molecule")
    if kind == "npz":
        from onekcal.io.npz import read_npz

        return read_npz(path, chosen)
    text = _unified(path.read_bytes().decode("utf-8-sig", errors="replace"))
    return dataset_of(_parsed(text, kind, chosen, str(path)), chosen, str(path))


def _parsed(text: str, kind: str, chosen: ReadOptions, where: str) -> Parsed:
    if kind == "xyz":
        from onekcal.io.xyz import read_xyz

        parsed = read_xyz(text, chosen, where)
    else:
        from onekcal.io import rdkit_formats as rdkit

        if kind == "text":
            return rdkit.read_text(text, chosen, where)
        parsed = {"sdf": rdkit.read_sdf, "smi": rdkit.read_smi, "csv": rdkit.read_csv}[kind](
            text, chosen, where
        )
    if not any(parsed):
        raise InputError(f"{where} holds no molecule")
    return parsed


def _unified(text: str) -> str:
    """Return the text with one kind of line ending."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _format(name: str | None) -> str | None:
    if name is None:
        return None
    ending = "." + name.lower().removeprefix(".")
    if ending not in FORMATS:
        unknown("format", name, [known[1:] for known in FORMATS])
    return FORMATS[ending]


def _file(source: str | os.PathLike[str], kind: str | None) -> Path | None:
    """Return the path that is meant, or None where `source` is itself the text.

    A name that ends like a file must be one.
    """
    if isinstance(source, str) and ("\n" in source or "\r" in source):
        return None
    path = Path(source)
    try:
        there, folder = path.is_file(), path.is_dir()
    except (OSError, ValueError):  # a SMILES longer than any file name
        there = folder = False
    if there:
        return path
    if folder:
        raise InputError(f"{source} is a folder; expected a file")
    if not isinstance(source, str) or path.suffix.lower() in FORMATS or kind not in (None, "smi"):
        raise InputError(f"no file {in_short(str(source))}")
    return None


def _kind_of(text: str) -> str:
    """Tell the format of a text; a single line is a SMILES."""
    kind = recognised(text)
    if kind == "coordinates":
        raise InputError(f"the text {COORDINATES}")
    return "text" if "\n" not in text.strip() else kind
