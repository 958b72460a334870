"""The store of fields under ONEKCAL_HOME/fields: read memory-mapped, filled where it lacks some."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from onekcal.errors import DataError
from onekcal.fields.compute import FieldRequest, keys_of
from onekcal.fields.fill import Filling, digest_of, fill
from onekcal.fields.voxel_file import THERE, VoxelFile, open_file
from onekcal.labels.labelling import Failed
from onekcal.molecules import Molecules, Selection, rows_of
from onekcal.system.home import home


def folder() -> Path:
    """Return the folder of the store.

    Files of `onekcal field --out` that are put there are used too.
    """
    return home() / "fields"


class StoredFields:
    """Fields (M, C, n, n, n) float32 of a batch, memory-mapped.

    A number, a slice, a mask or row numbers as index give a numpy array.

    Parameters
    ----------
    files
        The open files.
    where
        (M, C, 3) the file, row and channel of each field.
    shape
        (C, n, n, n).
    """

    dtype = np.dtype(np.float32)

    def __init__(self, files: list[VoxelFile], where: np.ndarray, shape: tuple[int, ...]) -> None:
        self.files, self.where = files, where
        self.shape = (len(where), *shape)

    def __len__(self) -> int:
        return len(self.where)

    def __getitem__(self, which: Selection) -> np.ndarray:
        rows = rows_of(which, len(self)).numpy()
        out = np.empty((len(rows), *self.shape[1:]), np.float32)
        where = self.where[rows]
        for c in range(self.shape[1]):
            for f in np.unique(where[:, c, 0]):
                mine = np.flatnonzero(where[:, c, 0] == f)
                out[mine, c] = self.files[f].fields[where[mine, c, 1], where[mine[0], c, 2]]
        return out[0] if isinstance(which, (int, np.integer)) else out

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:
        return self[:].astype(dtype or np.float32, copy=False)


def stored(
    molecules: Molecules,
    what: FieldRequest,
    scheduler: str | None = None,
    workers: int | None = None,
    quiet: bool = True,
) -> tuple[StoredFields, Filling]:
    """Return the fields of molecules, and compute those that the store lacks.

    Parameters
    ----------
    molecules
        The molecules.
    what
        The request.
    scheduler, workers, quiet
        As in `onekcal.fields.stored_fields`.

    Returns
    -------
    tuple
        The fields, and what was done. Molecules that failed are in the `Filling`.
    """
    start = time.monotonic()
    keys = [key.tobytes() for key in keys_of(molecules)]
    files = _files(what)
    where = _places(files, keys, what)
    lacking = where[:, :, 0] < 0
    computed, failed = 0, []
    for pattern in np.unique(lacking[lacking.any(1)], axis=0):
        rows = np.flatnonzero((lacking == pattern).all(1))
        some, part = molecules[rows], what.only(np.flatnonzero(pattern).tolist())
        done = fill(
            folder() / f"{digest_of(some, part)[:24]}.h5", some, part, scheduler, workers, quiet
        )
        computed += done.computed
        failed += [Failed(int(rows[one.row]), one.name, one.reason) for one in done.failed]
        files.append(open_file(done.out))
    if computed or lacking.any():
        where = _places(files, keys, what)
    filling = Filling(
        folder(), len(molecules) - len(failed), computed, failed, time.monotonic() - start
    )
    used = np.unique(where[:, :, 0][where[:, :, 0] >= 0])  # the other files are not kept open
    where[:, :, 0] = np.where(where[:, :, 0] < 0, -1, np.searchsorted(used, where[:, :, 0]))
    return StoredFields([files[f] for f in used], where, what.shape), filling


def _files(what: FieldRequest) -> list[VoxelFile]:
    """Open the files of the store that hold any of the channels."""
    files = []
    for path in sorted(folder().glob("*.h5")):
        try:
            file = open_file(path)
        except DataError:
            continue
        if set(file.contents) & set(what.contents):
            files.append(file)
    return files


def _places(files: Sequence[VoxelFile], keys: Sequence[bytes], what: FieldRequest) -> np.ndarray:
    """(M, C, 3) the file, row and channel of every field; −1 where no file has it."""
    where = np.full((len(keys), len(what.kinds), 3), -1)
    for f, file in enumerate(files):
        rows = np.array([file.row_of.get(key, -1) for key in keys])
        for c, content in enumerate(what.contents):
            if content in file.contents:
                channel = file.contents.index(content)
                hit = (rows >= 0) & (where[:, c, 0] < 0)
                hit[hit] = file.state[rows[hit], channel] == THERE
                where[hit, c] = np.stack(
                    [np.full(hit.sum(), f), rows[hit], np.full(hit.sum(), channel)], 1
                )
    return where


def refused(filling: Filling) -> DataError:
    """Return the error that names the first molecule without fields.

    Parameters
    ----------
    filling
        What was done; at least one molecule failed.
    """
    first = filling.failed[0]
    return DataError(
        f"{len(filling.failed)} of {filling.done + len(filling.failed)} molecules have no field, "
        f"first: row {first.row} ({first.name}): {first.reason}; leave them out, or repair them"
    )
