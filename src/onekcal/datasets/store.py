"""The store: one HDF5 file a data set, a handful of plain arrays. Written whole or not at all.

molecules/numbers (A,) uint8   positions (A, 3) Å   sizes (M,)   [charge, spin]   name (M,)
columns/NAME      values, with quantity, level, kind, at, unit and note as attributes, and
                  own_geometry = 0 where they were computed at other geometries
splits/NAME       (M,) uint8
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import h5py
import numpy as np
import torch

from onekcal.data.dataset import Column, Dataset
from onekcal.datasets.card import Card, Stored
from onekcal.errors import DataError
from onekcal.molecules import Molecules
from onekcal.system.files import damage_refused, disk_is_full, whole_file
from onekcal.system.hdf5 import fixed, word

FORMAT = 2
"""2: texts of a fixed length. Files of format 1 are read, too."""
MEANING = ("quantity", "level", "kind", "at", "unit", "note")
ELSEWHERE = "own_geometry"
"""Stands at columns that were computed at other geometries, and nowhere else."""


def save(path: Path, stored: Stored) -> str:
    """Write a data set. The file is written whole or not at all.

    Parameters
    ----------
    path
        The file (.h5). Its folder is made where it does not exist.
    stored
        The data set.

    Returns
    -------
    str
        SHA-256 of the content.
    """
    arrays = _arrays(stored)
    digest = _digest(arrays, stored)
    # HDF5 cannot recover from a full disk, so the file is made in memory and written at once
    image = io.BytesIO()
    with h5py.File(image, "w", libver="latest") as file:  # with checksums
        file.attrs.update(
            format=FORMAT, card=fixed(json.dumps(asdict(stored.card))), digest=fixed(digest)
        )
        for name, values in arrays.items():
            file.create_dataset(name, data=values)
        for name, column in stored.dataset.columns.items():
            attributes = file[f"columns/{_key(name)}"].attrs
            attributes.update({key: fixed(getattr(column, key)) for key in MEANING})
            if not column.own_geometry:
                attributes[ELSEWHERE] = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as part:
            part.write_bytes(image.getbuffer())
    except OSError as problem:
        full = "the disk is full: free space, or set ONEKCAL_HOME to another disk"
        why = full if disk_is_full(problem) else problem.strerror
        raise DataError(f"{path} could not be written ({why}); nothing was left behind") from None
    return digest


def _key(name: str) -> str:
    """Return the name of a column as HDF5 may hold it: a slash would make a folder there."""
    return name.replace("/", "\N{DIVISION SLASH}")


def _name(key: str) -> str:
    return key.replace("\N{DIVISION SLASH}", "/")


def read(path: Path) -> Stored:
    """Read a data set that `save` wrote.

    Parameters
    ----------
    path
        The file (.h5).

    Raises
    ------
    DataError
        The file does not exist, is damaged, is something else, or a newer onekcal wrote it.
    """
    with _opened(path) as file:
        if "format" not in file.attrs:
            raise DataError(f"{path} is an HDF5 file, but not one of onekcal's store")
        if file.attrs["format"] > FORMAT:
            raise DataError(
                f"{path} was written by a newer onekcal (format {file.attrs['format']}, this "
                f"one reads up to {FORMAT}); upgrade onekcal"
            )
        columns = {_name(key): _column(file["columns"][key]) for key in file.get("columns", {})}
        splits = {
            _name(key): torch.from_numpy(file["splits"][key][:]) for key in file.get("splits", {})
        }
        card = Card(**json.loads(word(file.attrs["card"])))
        return Stored(
            Dataset(_molecules(file["molecules"]), columns),
            splits,
            card,
            word(file.attrs["digest"]),
        )


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    """A file of the store; what is damaged in it ends in one line."""
    if not path.is_file():
        raise DataError(f"no data at {path}")
    with (
        damage_refused(path, "a file of onekcal's store", "get or import it again"),
        h5py.File(path, "r") as file,
    ):
        yield file


def card(path: Path) -> Card:
    """Read the card of a stored file, with the number of molecules that the file holds.

    Parameters
    ----------
    path
        The file (.h5).
    """
    with _opened(path) as file:
        stored = Card(**json.loads(word(file.attrs["card"])))
        return replace(stored, molecules=len(file["molecules/sizes"]))


def _arrays(stored: Stored) -> dict[str, np.ndarray]:
    molecules = stored.dataset.molecules
    arrays: dict[str, np.ndarray] = {
        "molecules/numbers": molecules.numbers.numpy().astype(np.uint8),
        "molecules/positions": molecules.positions.numpy(),
        "molecules/sizes": molecules.sizes.numpy().astype(np.uint16),
        "molecules/name": np.char.encode(molecules.names.astype(str), "utf-8"),
    }
    for field in ("charge", "spin"):
        value = getattr(molecules, field)
        if value is not None and value.any():
            arrays[f"molecules/{field}"] = value.numpy().astype(np.int8)
    arrays |= {
        f"columns/{_key(name)}": column.values.numpy()
        for name, column in stored.dataset.columns.items()
    }
    arrays |= {f"splits/{_key(name)}": labels.numpy() for name, labels in stored.splits.items()}
    return arrays


def _digest(arrays: dict[str, np.ndarray], stored: Stored) -> str:
    """SHA-256 of the numbers and of their meaning (kind, unit and so on)."""
    total = hashlib.sha256()
    for name, column in sorted(stored.dataset.columns.items()):
        words = [name, *(getattr(column, key) for key in MEANING)]
        total.update(json.dumps(words if column.own_geometry else [*words, ELSEWHERE]).encode())
    for name in sorted(arrays):
        values = np.ascontiguousarray(arrays[name])
        total.update(f"{name} {values.dtype.str} {values.shape}".encode())
        total.update(values.data)
    return total.hexdigest()


def _column(values: h5py.Dataset) -> Column:
    meaning = {key: word(values.attrs[key]) for key in MEANING}
    own = bool(values.attrs.get(ELSEWHERE, True))
    return Column(torch.from_numpy(values[:]), own_geometry=own, **meaning)  # type: ignore[arg-type]


def _molecules(group: h5py.Group) -> Molecules:
    sizes = torch.from_numpy(group["sizes"][:].astype(np.int64))
    offsets = torch.zeros(len(sizes) + 1, dtype=torch.int64)
    offsets[1:] = sizes.cumsum(0)
    extra = {
        key: torch.from_numpy(group[key][:].astype(np.int64))
        for key in ("charge", "spin")
        if key in group
    }
    return Molecules(
        torch.from_numpy(group["numbers"][:].astype(np.int64)),
        torch.from_numpy(group["positions"][:].astype(np.float64)),
        offsets,
        name=np.char.decode(group["name"][:], "utf-8"),
        **extra,
    )
