"""The parts of a split from a file of row numbers, such as a run's split.npz."""

from __future__ import annotations

from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from onekcal.data.splits import TEST, TRAIN, UNUSED, VALID
from onekcal.errors import ConfigError


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
        with path.open("rb") as raw, np.load(raw) as file:
            rows = {
                part: file[part].astype(np.int64).ravel()
                for part in ("train", "valid", "test")
                if part in file.files
            }
    except (OSError, ValueError, BadZipFile) as problem:
        raise ConfigError(f"the split file {path} cannot be read ({problem})") from None
    if not {"train", "test"} <= set(rows):
        raise ConfigError(
            f"the split file {path} must hold row numbers `train` and `test`, got "
            f"{', '.join(rows) or 'none'}"
        )
    everything = np.concatenate(list(rows.values()))
    if everything.max() >= count or everything.min() < 0:
        raise ConfigError(
            f"the split file {path} names row {everything.max()}, but there are {count} molecules: "
            "it belongs to other data"
        )
    if len(np.unique(everything)) < len(everything):
        raise ConfigError(f"the split file {path} names a molecule in two parts")
    labels = np.full(count, UNUSED, np.uint8)
    for part, label in (("train", TRAIN), ("valid", VALID), ("test", TEST)):
        labels[rows.get(part, [])] = label
    return labels
