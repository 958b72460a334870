"""What signals are judged on: a model, molecules it was not fitted to, and those it was fitted to.

A run folder holds all three. A model that ships, or a model file, is given a data set.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from onekcal.data.dataset import Dataset
from onekcal.errors import InputError
from onekcal.models.artefact import Artefact
from onekcal.models.shipped import load_model
from onekcal.runs.choose_split import choose, judged
from onekcal.runs.data_choice import DataChoice
from onekcal.runs.data_choice import load as load_data
from onekcal.runs.folder import load
from onekcal.signals.signal import Asked, Trained

MOST = 20_000
"""The most test molecules that are asked."""
LEARNED = 4_000
"""The most training molecules that signals look at; more make them slower and hardly better."""


@dataclass(frozen=True)
class Subject:
    """A model and the molecules that its signals are judged on.

    Parameters
    ----------
    name
        What the user called it.
    artefact
        The model.
    test
        Molecules that it was not fitted to, with the target column.
    trained
        Those that it was fitted to; None where they are not at hand.
    part
        Which part of the run stands in where it has no test part; otherwise empty.
    """

    name: str
    artefact: Artefact
    test: Dataset
    trained: Trained | None = None
    part: str = ""

    @property
    def asked(self) -> Asked:
        """What signals look at."""
        return Asked.of(self.artefact, self.test, self.trained)


def of_run(folder: Path, most: int = MOST) -> Subject:
    """Read a run folder.

    Parameters
    ----------
    folder
        The folder of a finished run.
    most
        The most test molecules; more are drawn at random, always the same.

    Returns
    -------
    Subject
        The model, its test part and its training part.

    Raises
    ------
    InputError
        The run learned a property of atoms.
    """
    experiment, _ = load(folder)
    data = load_data(experiment.data).dataset.aimed(experiment.data.target)
    with np.load(folder / "split.npz") as split:
        train, valid, test = (split[part] for part in ("train", "valid", "test"))
    tested = judged(train, valid, test)
    learned = np.concatenate([train, valid]) if experiment.refit else train
    return _subject(
        folder.resolve().name, load_model(folder), data, tested.rows, learned, most, tested.part
    )


def of_model(model: str, choice: DataChoice, most: int = MOST, fitted: bool = False) -> Subject:
    """Give a model a data set to be judged on.

    Parameters
    ----------
    model
        A model that ships, or a model file.
    choice
        The data set, its target and its split; the test part is taken.
    most
        The most test molecules; more are drawn at random, always the same.
    fitted
        Whether the model was fitted to the training part of this split, and to its validation part
        where its card says that it was fitted again.

    Returns
    -------
    Subject
        The model and the test part; what it was fitted to only with `fitted`.
    """
    stored, artefact = load_data(choice), load_model(model)
    split = choose(stored, choice)
    again = [split.valid] if artefact.card.refit else []
    learned = np.concatenate([split.train, *again]) if fitted else None
    return _subject(model, artefact, stored.dataset.aimed(choice.target), split.test, learned, most)


def _subject(
    name: str,
    artefact: Artefact,
    data: Dataset,
    rows: np.ndarray,
    learned: np.ndarray | None,
    most: int,
    part: str = "",
) -> Subject:
    if data.aim.atomic:
        raise InputError(f"{name} learned a property of atoms; signals are told of molecules")
    trained = None
    if learned is not None:
        some = _drawn(learned, LEARNED)
        trained = Trained(data[some], len(some) / len(learned))
    return Subject(name, artefact, data[_drawn(rows, most)], trained, part)


def _drawn(rows: np.ndarray, most: int) -> np.ndarray:
    """At most `most` of the rows, always the same."""
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(0).permutation(rows)[:most])
