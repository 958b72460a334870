"""Damage inside of an HDF5 file: attributes and arrays of other shapes, types and values."""

from __future__ import annotations

import io
from random import Random

import h5py
import numpy as np

from robustness.mutate import changed_json, damaged

ARRAYS = (
    np.zeros(0), np.zeros((0, 3)), np.zeros((2, 2, 2, 2)), np.array(1.0), np.array([np.nan]),
    np.array([b"x", b"\xff"]), np.arange(300, dtype=np.uint8), np.array([-1, 2**40]),
)  # fmt: skip
"""What an array becomes."""
ATTRIBUTES = ("", "x", -1, 10**9, 1.5, "{}", "[]", "null", np.arange(3), b"\xff\xfe", "../../x")
"""What an attribute becomes."""


def in_hdf5(content: bytes, rng: Random) -> bytes:
    """Change one attribute or array; where that cannot be, damage the bytes."""
    image = io.BytesIO(content)
    try:
        with h5py.File(image, "r+") as file:
            _change(file, rng)
    except (OSError, KeyError, TypeError, ValueError, RuntimeError):
        return damaged(content, rng)
    return image.getvalue()


def _change(file: h5py.File, rng: Random) -> None:
    arrays: list[str] = []
    file.visititems(
        lambda name, one: arrays.append(name) if isinstance(one, h5py.Dataset) else None
    )
    owner = rng.choice([file, *(file[name] for name in arrays)])
    if owner.attrs and rng.random() < 0.6:
        name = rng.choice(sorted(owner.attrs))
        old = owner.attrs[name]
        way = rng.random()
        if way < 0.2:
            del owner.attrs[name]
        elif way < 0.5 and isinstance(old, str):
            owner.attrs[name] = changed_json(old.encode(), rng).decode("latin-1")
        else:
            owner.attrs[name] = rng.choice(ATTRIBUTES)
        return
    name = rng.choice(arrays)
    values, kept = file[name][()], dict(file[name].attrs)
    way = rng.random()
    del file[name]
    if way < 0.2:
        return
    if way < 0.5:
        values = rng.choice(ARRAYS)
    elif way < 0.7 and getattr(values, "ndim", 0):
        values = values[: rng.randrange(len(values) + 1)]
    elif way < 0.85 and getattr(values, "ndim", 0) and values.dtype.kind in "iuf":
        values = values.astype(rng.choice(("f4", "i8", "u1", "S5")))
    else:
        values = np.frombuffer(damaged(np.asarray(values).tobytes(), rng), np.uint8)
    file[name] = values
    if rng.random() < 0.8:
        file[name].attrs.update(kept)
