"""One file of fields: HDF5 of fixed size, written and read through the memory map of its arrays.

    fields (M, C, n, n, n) float32        state (M, C) uint8: 0 absent, 1 there, 2 failed
    keys (M,) hash of the molecule        checks (M, C) uint32: CRC-32 of a field
    molecules/numbers (A,), positions (A, 3) Å in the cube, sizes (M,), name (M,)
    attributes: format, kinds (C,), contents (C,), n, box (Å), density, turn

HDF5 writes its structure once, when the file is made; later writes move nothing. So a process that
is killed at any moment leaves a sound file. A field counts as there once its state says so and its
bytes have the CRC that was noted. A power cut may keep the one and lose the other; then it does not
count.
"""

from __future__ import annotations

import json
import os
import zlib
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path

import h5py
import numpy as np

from onekcal.errors import DataError
from onekcal.fields.compute import FieldRequest, keys_of
from onekcal.fields.grid import frames
from onekcal.fields.kinds import FIELDS_FORMAT
from onekcal.molecules import Molecules
from onekcal.system.files import damage_refused, whole_file
from onekcal.system.hdf5 import fixed, word

ABSENT, THERE, FAILED = 0, 1, 2
REMEDY = "remove it and compute the fields again"


@dataclass
class VoxelFile:
    """An open file of fields.

    Parameters
    ----------
    path
        The file.
    kinds, contents
        (C,) names of the channels, and what their values depend on besides the molecule.
    keys
        (M,) hashes of the molecules.
    fields
        (M, C, n, n, n) memory map.
    state, checks
        (M, C) memory maps: whether a field is there, and its CRC-32.
    """

    path: Path
    kinds: tuple[str, ...]
    contents: tuple[str, ...]
    keys: list[bytes]
    fields: np.ndarray
    state: np.ndarray
    checks: np.ndarray

    @cached_property
    def row_of(self) -> dict[bytes, int]:
        """The row of each molecule by its key; the first row where it has several."""
        return {key: row for row, key in reversed(list(enumerate(self.keys)))}

    def put(self, row: int, channel: int, values: np.ndarray) -> None:
        """Write one field, and then note that it is there.

        Parameters
        ----------
        row, channel
            Its place.
        values
            (n, n, n) the field.
        """
        whole = np.ascontiguousarray(values, dtype=np.float32)
        self.fields[row, channel] = whole
        self.checks[row, channel] = zlib.crc32(whole.data)
        self.state[row, channel] = THERE

    def sound(self, row: int, channel: int) -> bool:
        """Say whether a field is there with the bytes that were noted.

        Parameters
        ----------
        row, channel
            Its place.
        """
        return bool(
            self.state[row, channel] == THERE
            and zlib.crc32(self.fields[row, channel].data) == self.checks[row, channel]
        )

    def forget_damaged(self) -> int:
        """Count failed fields, and fields with other bytes than were noted, as absent again.

        Returns
        -------
        int
            How many had other bytes.
        """
        damaged = 0
        for row, channel in np.argwhere(self.state == THERE):
            if not self.sound(row, channel):
                self.state[row, channel] = ABSENT
                damaged += 1
        self.state[self.state == FAILED] = ABSENT
        return damaged

    def flush(self) -> None:
        """Write everything to the disk."""
        for part in (self.fields, self.checks, self.state):
            part.flush()  # type: ignore[attr-defined]


def create(path: Path, molecules: Molecules, what: FieldRequest) -> None:
    """Make a file with room for the fields of molecules, all of it reserved on the disk.

    Parameters
    ----------
    path
        The file.
    molecules
        One row for each.
    what
        The request.

    Raises
    ------
    DataError
        The file cannot be written.
    """
    count = len(molecules)
    placed = frames(molecules, what.box, what.turn).placed(molecules)
    try:
        with whole_file(path) as part:
            with part.open("wb") as raw:  # a full disk is told here; HDF5 cannot recover from it
                room = 4 * count * prod(what.shape) + 1000 * count + 16_384
                os.posix_fallocate(raw.fileno(), 0, room)
            with h5py.File(part, "w", libver="latest") as file:
                file.attrs.update(
                    format=FIELDS_FORMAT,
                    kinds=fixed(json.dumps([kind.name for kind in what.kinds])),
                    n=what.n,
                    contents=fixed(json.dumps(what.contents)),
                    box=what.box,
                    density=fixed(what.density),
                    turn=what.turn,
                    unit=fixed("fields in atomic units, lengths in Å"),
                )
                file["keys"] = keys_of(molecules)
                file["state"] = np.zeros((count, len(what.kinds)), np.uint8)
                file["checks"] = np.zeros((count, len(what.kinds)), np.uint32)
                file["molecules/numbers"] = placed.numbers.numpy().astype(np.uint8)
                file["molecules/positions"] = placed.positions.numpy()
                file["molecules/sizes"] = placed.sizes.numpy().astype(np.uint16)
                file["molecules/name"] = np.char.encode(placed.names.astype(str), "utf-8")
                _reserve(file, (count, *what.shape))
            with part.open("r+b") as raw:
                os.posix_fallocate(raw.fileno(), 0, os.fstat(raw.fileno()).st_size)
    except OSError as problem:
        raise DataError(
            f"{path} could not be written ({problem.strerror or problem}); nothing was left behind"
        ) from None


def _reserve(file: h5py.File, shape: tuple[int, ...]) -> None:
    """Give the array of fields, contiguous, its place in the file without writing it."""
    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    settings.set_layout(h5py.h5d.CONTIGUOUS)
    settings.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    settings.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    space = h5py.h5s.create_simple(shape)
    h5py.h5d.create(file.id, b"fields", h5py.h5t.IEEE_F32LE, space, settings)


def open_file(path: Path, write: bool = False, whole: bool = False) -> VoxelFile:
    """Open a file of fields.

    Parameters
    ----------
    path
        The file.
    write
        Whether it may be written.
    whole
        Whether a file with an absent field is refused.

    Raises
    ------
    DataError
        There is no such file, or it is damaged, of another format, or half written.
    """
    if not path.is_file():
        raise DataError(f"no fields at {path}")
    with (
        damage_refused(path, "a whole file of fields", REMEDY),
        h5py.File(path, "r", locking=False) as file,
    ):
        if "contents" not in file.attrs or "state" not in file:
            raise DataError(f"{path} is an HDF5 file, but not one of fields")
        if file.attrs["format"] != FIELDS_FORMAT:
            raise DataError(
                f"{path} holds fields of format {file.attrs['format']}, this onekcal reads "
                f"{FIELDS_FORMAT}; compute them again"
            )
        kinds, contents = (
            tuple(json.loads(word(file.attrs[name]))) for name in ("kinds", "contents")
        )
        keys = [key.tobytes() for key in file["keys"][:]]
        content = np.memmap(path, np.uint8, "r+" if write else "r")  # one open file for three
        maps = {name: _part(content, file[name]) for name in ("fields", "state", "checks")}
        shape = (len(keys), len(kinds))
        if len(contents) != len(kinds) or any(m.shape[:2] != shape for m in maps.values()):
            raise ValueError("its arrays do not fit together")
    opened = VoxelFile(path, kinds, contents, keys, **maps)
    absent = int((opened.state == ABSENT).any(1).sum())
    if whole and absent:
        raise DataError(
            f"{path} is half written: {absent} of {len(keys)} molecules are missing; run the same "
            "`onekcal field` again, which goes on where it stopped"
        )
    return opened


def _part(file: np.ndarray, dataset: h5py.Dataset) -> np.ndarray:
    offset = dataset.id.get_offset()
    if offset is None or len(file) < offset + dataset.nbytes:
        raise OSError("some of its arrays are missing")
    return file[offset : offset + dataset.nbytes].view(dataset.dtype).reshape(dataset.shape)
