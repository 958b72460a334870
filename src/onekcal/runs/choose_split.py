"""Choose the molecules that a model learns from, is calibrated on, and is tested on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from onekcal.data.splits import TEST, TRAIN, VALID
from onekcal.datasets.card import Stored
from onekcal.errors import ConfigError, unknown
from onekcal.runs.data_choice import DataChoice
from onekcal.runs.split_file import labels_of_file

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


class Judged(NamedTuple):
    """The molecules that a run is measured on.

    Parameters
    ----------
    rows
        Row numbers into the data set.
    part
        "" where they are the test part; else the part that stands in for it: "validation" or
        "training".
    """

    rows: Rows
    part: str


def judged(train: Rows, valid: Rows, test: Rows) -> Judged:
    """Choose what a run is measured on: the test part, where there is one.

    Parameters
    ----------
    train, valid, test
        Row numbers of the parts.
    """
    if len(test):
        return Judged(test, "")
    return Judged(valid, "validation") if len(valid) else Judged(train, "training")


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
    labels = _labels(stored, choice, rng)
    if choice.test == 0 and choice.split == "random":  # nothing is held back
        spare = (TEST, VALID) if choice.valid == 0 else (TEST,)
        labels = np.where(np.isin(labels, spare), TRAIN, labels)
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
    if len(train) == 0 or (len(test) == 0 and choice.test != 0):
        raise ConfigError(
            f"split {choice.split!r} of {choice.set} gives {len(train)} training and {len(test)} "
            "test molecules; at least one of each is needed (data.test: 0 asks for no test part)"
        )
    return Split(train, valid, test[: choice.test])


def _labels(
    stored: Stored, choice: DataChoice, rng: np.random.Generator
) -> npt.NDArray[np.int64] | npt.NDArray[np.uint8]:
    """(M,) the part of each molecule: from a file, of the data set, or drawn."""
    if choice.split.endswith(".npz"):
        return labels_of_file(Path(choice.split), len(stored.dataset))
    if choice.split in stored.splits:
        return stored.splits[choice.split].numpy()
    if choice.split == "random":
        tenths = rng.permutation(np.arange(len(stored.dataset)) * 10 // max(len(stored.dataset), 1))
        return np.select([tenths < 8, tenths == 8], [TRAIN, VALID], TEST)
    unknown(
        f"split of {choice.set}:",
        choice.split,
        dict.fromkeys([*stored.splits, "random"]),
        ConfigError,
    )
