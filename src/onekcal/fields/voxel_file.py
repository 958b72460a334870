"""One file of fields: HDF5, of fixed size from its first moment, written and read through the
memory map of its arrays.

    fields (M, C, n, n, n) float32        state (M, C) uint8: 0 not there, 1 there, 2 failed
    keys (M,) hash of the molecule        checks (M, C) uint32: CRC-32 of a field
    molecules/numbers (A,), positions (A, 3) Å in the cube, sizes (M,), name (M,)
    attributes: format, kinds (C,), contents (C,), n, box (Å), density, turn

HDF5 writes its structure once, when the file is made; nothing that is written later moves anything.
A process killed at any moment therefore leaves a sound file, in which a field counts as there once
its state says so and its bytes have the CRC that was noted – also after a power cut, which may keep
the one and lose the other.
"""

from __future__ import annotations

import errno
import json
import os
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from onekcal.errors import DataError
from onekcal.fields.compute import FieldRequest, keys_of
from onekcal.fields.grid import frames
from onekcal.fields.kinds import FIELDS_FORMAT
from onekcal.molecules import Molecules
from onekcal.system.files import whole_file

ABSENT, THERE, FAILED = 0, 1, 2


@dataclass
class VoxelFile:
    """An open file of fields."""

    path: Path
    kinds: tuple[str, ...]
    contents: tuple[str, ...]
    keys: list[bytes]  # (M,)
    fields: np.ndarray  # (M, C, n, n, n) memory map
    state: np.ndarray  # (M, C) memory map
    checks: np.ndarray  # (M, C) memory map

    @cached_property
    def row_of(self) -> dict[bytes, int]:
        """Where a molecule is, by its key; the first where it is there several times."""
        return {key: row for row, key in reversed(list(enumerate(self.keys)))}

    def put(self, row: int, channel: int, values: np.ndarray) -> None:
        """Write one field (n, n, n), and note that it is there, in this order."""
        whole = np.ascontiguousarray(values, dtype=np.float32)
        self.fields[row, channel] = whole
        self.checks[row, channel] = zlib.crc32(whole.data)
        self.state[row, channel] = THERE

    def sound(self, row: int, channel: int) -> bool:
        """Is a field there, with the bytes that were noted?"""
        return bool(
            self.state[row, channel] == THERE
            and zlib.crc32(self.fields[row, channel].data) == self.checks[row, channel]
        )

    def forget_damaged(self) -> int:
        """Fields whose bytes are not those that were noted, and failures, count as absent again;
        how many were damaged.
        """
        damaged = 0
        for row, channel in np.argwhere(self.state == THERE):
            if not self.sound(row, channel):
                self.state[row, channel] = ABSENT
                damaged += 1
        self.state[self.state == FAILED] = ABSENT
        return damaged

    def flush(self) -> None:
        """To the disk."""
        for part in (self.fields, self.checks, self.state):
            part.flush()  # type: ignore[attr-defined]


def create(path: Path, molecules: Molecules, what: FieldRequest) -> None:
    """An empty file with room for the fields of `molecules`, all of it reserved on the disk."""
    import h5py

    count = len(molecules)
    placed = frames(molecules, what.box, what.turn).placed(molecules)
    try:
        with whole_file(path) as part:
            with h5py.File(part, "w", libver="latest") as file:
                file.attrs.update(
                    format=FIELDS_FORMAT,
                    kinds=json.dumps([kind.name for kind in what.kinds]),
                    n=what.n,
                    contents=json.dumps(what.contents),
                    box=what.box,
                    density=what.density,
                    turn=what.turn,
                    unit="fields in atomic units, lengths in Å",
                )
                file["keys"] = keys_of(molecules)
                file["state"] = np.zeros((count, len(what.kinds)), np.uint8)
                file["checks"] = np.zeros((count, len(what.kinds)), np.uint32)
                file["molecules/numbers"] = placed.numbers.numpy().astype(np.uint8)
                file["molecules/positions"] = placed.positions.numpy()
                file["molecules/sizes"] = placed.sizes.numpy().astype(np.uint16)
                file["molecules/name"] = np.char.encode(placed.names.astype(str), "utf-8")
                _reserve(h5py, file, (count, *what.shape))
            with part.open("r+b") as raw:
                os.posix_fallocate(raw.fileno(), 0, os.fstat(raw.fileno()).st_size)
    except OSError as problem:
        raise DataError(
            f"{path} could not be made ({problem.strerror or problem}); nothing was left behind"
        ) from None


def _reserve(h5py: Any, file: Any, shape: tuple[int, ...]) -> None:
    """The array of fields, contiguous and with its place in the file, but not written."""
    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    settings.set_layout(h5py.h5d.CONTIGUOUS)
    settings.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    settings.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    space = h5py.h5s.create_simple(shape)
    h5py.h5d.create(file.id, b"fields", h5py.h5t.IEEE_F32LE, space, settings)


def open_file(path: Path, write: bool = False, whole: bool = False) -> VoxelFile:
    """A file of fields; with `whole`, one in which a field is still absent is refused."""
    import h5py

    try:
        with h5py.File(path, "r", locking=False) as file:
            if "contents" not in file.attrs or "state" not in file:
                raise DataError(f"{path} is an HDF5 file, but not one of fields")
            if file.attrs["format"] != FIELDS_FORMAT:
                raise DataError(
                    f"{path} holds fields of format {file.attrs['format']}, this onekcal reads "
                    f"{FIELDS_FORMAT}; compute them again"
                )
            kinds, contents = (
                tuple(json.loads(file.attrs[name])) for name in ("kinds", "contents")
            )
            keys = [key.tobytes() for key in file["keys"][:]]
            whole_file = np.memmap(
                path, np.uint8, "r+" if write else "r"
            )  # one open file for the three of them
            maps = {name: _part(whole_file, file[name]) for name in ("fields", "state", "checks")}
    except FileNotFoundError:
        raise DataError(f"no fields at {path}") from None
    except OSError as problem:
        if problem.errno in (errno.EMFILE, errno.ENFILE):  # the file is sound
            raise
        raise DataError(
            f"{path} is cut off or damaged ({problem}); remove it and compute the fields again"
        ) from None
    found = VoxelFile(path, kinds, contents, keys, **maps)
    if whole and (found.state == ABSENT).any():
        raise DataError(
            f"{path} is half written: {int((found.state == ABSENT).any(1).sum())} of {len(keys)} "
            "molecules are "
            "missing; run the same `onekcal field` again, which goes on where it stopped"
        )
    return found


def _part(file: np.ndarray, dataset: Any) -> np.ndarray:
    offset = dataset.id.get_offset()
    if offset is None or len(file) < offset + dataset.nbytes:
        raise OSError("its arrays are not all there")
    return file[offset : offset + dataset.nbytes].view(dataset.dtype).reshape(dataset.shape)
