"""The parts of a split from a file of row numbers, such as a run's split.npz."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from onekcal.data.splits import TEST, TRAIN, UNUSED, VALID
from onekcal.errors import ConfigError, in_short
from onekcal.io.npz import arrays_in
from onekcal.system.files import damage_refused


def labels_of_file(path: Path, count: int) -> npt.NDArray[np.uint8]:
    """Read which part each molecule belongs to.

    Parameters
    ----------
    path
        A file of row numbers `train` and `test`, and maybe `valid`.
    count
        Molecules of the data set.

    Returns
    -------
    ndarray
        (count,) labels of parts; a molecule that the file does not name is unused.

    Raises
    ------
    ConfigError
        The file cannot be read, or belongs to other data.
    """
    try:
        arrays = arrays_in(path, ConfigError)
    except OSError as problem:
        raise ConfigError(f"the split file {path} cannot be read ({in_short(problem)})") from None
    with damage_refused(path, "a split file", "make it again", ConfigError):
        rows: dict[str, npt.NDArray[np.int64]] = {
            part: arrays[part].astype(np.int64).ravel()
            for part in ("train", "valid", "test")
            if part in arrays
        }
    if not {"train", "test"} <= set(rows):
        raise ConfigError(
            f"the split file {path} must hold row numbers `train` and `test`, got "
            f"{', '.join(rows) or 'none'}"
        )
    everything = np.concatenate(list(rows.values()))
    if not len(everything):
        raise ConfigError(f"the split file {path} names no molecule")
    if everything.max() >= count or everything.min() < 0:
        raise ConfigError(
            f"the split file {path} names row {everything.max()}, but there are {count} molecules: "
            "it belongs to other data"
        )
    if len(np.unique(everything)) < len(everything):
        raise ConfigError(f"the split file {path} names a molecule in two parts")
    labels = np.full(count, UNUSED, np.uint8)
    for part, label in (("train", TRAIN), ("valid", VALID), ("test", TEST)):
        labels[rows.get(part, np.zeros(0, np.int64))] = label
    return labels
