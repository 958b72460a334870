"""Choose the molecules that a model learns from, is calibrated on, and is tested on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from onekcal.data.splits import TEST, TRAIN, UNUSED, VALID
from onekcal.datasets.card import Stored
from onekcal.errors import ConfigError, unknown
from onekcal.runs.experiment import DataChoice

Rows = npt.NDArray[np.int64]
"""Row numbers into a data set."""


@dataclass(frozen=True)
class Split:
    """Row numbers into the data set.

    Parameters
    ----------
    train, valid, test
        (molecules of the part,), no molecule in two parts.
    """

    train: Rows
    valid: Rows
    test: Rows


def choose(stored: Stored, choice: DataChoice) -> Split:
    """Draw train, valid and test from the parts of the split that is named.

    A smaller training set lies inside a larger one of the same seed. A random split has eight
    tenths to train on, one tenth to validate on and one to test. If `train` asks for more than its
    part, it takes molecules that valid and test do not use. If `test` asks for more than its part,
    it takes molecules that train and valid do not use.

    Parameters
    ----------
    stored
        The data set with its own splits.
    choice
        Which split, how many molecules of each part, and the seed that draws them.

    Returns
    -------
    Split
        The row numbers of each part.

    Raises
    ------
    ConfigError
        When the split is unknown, or has too few molecules.
    """
    rng = np.random.default_rng(choice.seed)
    if choice.split.endswith(".npz"):
        labels = _split_file(Path(choice.split), len(stored.dataset))
    elif choice.split in stored.splits:
        labels = stored.splits[choice.split].numpy()
    elif choice.split == "random":
        labels = rng.permutation(np.arange(len(stored.dataset)) * 10 // max(len(stored.dataset), 1))
        labels = np.select([labels < 8, labels == 8], [TRAIN, VALID], TEST)
    else:
        unknown(
            f"split of {choice.set}:",
            choice.split,
            dict.fromkeys([*stored.splits, "random"]),
            ConfigError,
        )
    train, valid, test = (
        rng.permutation(np.flatnonzero(labels == part)) for part in (TRAIN, VALID, TEST)
    )
    wanted = int(choice.valid * len(train)) if 0 < choice.valid < 1 else int(choice.valid)
    if len(valid) == 0:
        valid, train = train[:wanted], train[wanted:]
    elif choice.valid == 0:
        if choice.split in stored.splits:
            train = rng.permutation(np.concatenate([train, valid]))
        valid = valid[:0]
    elif choice.valid >= 1:
        valid = valid[:wanted]
    if choice.split == "random" and choice.train is not None and choice.train > len(train):
        taken = np.concatenate([train, valid, test[: choice.test]])
        train = np.concatenate(
            [train, rng.permutation(np.setdiff1d(np.arange(len(labels)), taken))]
        )
    if choice.train is not None:
        if choice.train > len(train):
            raise ConfigError(
                f"data.train is {choice.train}, but split {choice.split!r} of {choice.set} leaves "
                f"{len(train)} training molecules"
            )
        train = train[: choice.train]
    if choice.split == "random" and choice.test is not None and choice.test > len(test):
        order = np.random.default_rng([choice.seed, TEST]).permutation(
            len(labels)
        )  # whatever `train` is
        test = np.concatenate([test, order[~np.isin(order, np.concatenate([train, valid, test]))]])
    if len(train) == 0 or len(test) == 0:
        raise ConfigError(
            f"split {choice.split!r} of {choice.set} gives {len(train)} training and {len(test)} "
            "test molecules; at least one of each is needed"
        )
    return Split(train, valid, test[: choice.test])


def _split_file(path: Path, count: int) -> npt.NDArray[np.uint8]:
    """(count,) labels of parts, from a file of row numbers such as a run's split.npz."""
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
