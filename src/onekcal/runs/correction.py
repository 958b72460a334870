"""Correct a fitted model with other energies: does it help, and why.

Two things decide. What the energies mean (level, kind, with or without zero-point energy) is
compared with what the model gives. And a learning curve compares the model as a baseline with
GFN2-xTB as a baseline and with no baseline, by the same later stages on the same molecules.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from onekcal import datasets as store
from onekcal.data.dataset import Column, Dataset
from onekcal.errors import OnekcalError
from onekcal.models.artefact import Artefact, Stage
from onekcal.models.baseline import MODEL, Baseline
from onekcal.models.model import Model
from onekcal.models.registry import build
from onekcal.models.shipped import load_model
from onekcal.models.stack import Stack
from onekcal.networks.model import NetworkModel
from onekcal.runs.choose_split import choose, judged
from onekcal.runs.data_choice import load
from onekcal.runs.experiment import Experiment

SIZES = (50, 100, 200)
"""Numbers of energies of the learning curve."""
MOST = 300
"""Molecules that the curve is measured on, at most."""
HELPS = 0.9
"""A baseline helps where its error is below this share of the best other one."""


@dataclass(frozen=True)
class Point:
    """Mean absolute errors (kcal/mol) after some energies; not a number where there is none.

    Parameters
    ----------
    energies
        How many energies were learned from.
    corrected
        With the model as baseline.
    gfn2
        With GFN2-xTB as baseline.
    bare
        Without a baseline.
    """

    energies: int
    corrected: float
    gfn2: float
    bare: float


def corrected_model(experiment: Experiment) -> str | None:
    """Return the name of the fitted model that an experiment corrects; None where there is none.

    Parameters
    ----------
    experiment
        The experiment.
    """
    name, settings = experiment.resolved_stages()[0]
    method = str(settings.get("method", ""))
    return method.removeprefix(MODEL) if name == "baseline" and method.startswith(MODEL) else None


def compared(experiment: Experiment, name: str) -> list[str]:
    """Compare what the energies of the user mean with what a model gives.

    Parameters
    ----------
    experiment
        Names the energies.
    name
        The model.

    Returns
    -------
    list of str
        One line each: theirs, the model's, what follows, and what the model was fitted to.
    """
    if experiment.data.set in store.names():
        store.get(experiment.data.set)
    column = load(experiment.data).dataset.aimed(experiment.data.target).aim
    model = load_model(name)
    return [
        f"your energies: {_meaning(column.level, column.kind, column.at)}",
        f"{name} gives: {_meaning(model.level, model.kind, model.at)}",
        _follows(column, model, name),
        f"{name} was fitted to {model.card.data or 'data that are not named'}: on molecules that "
        "are among those, it looks better than on new ones",
    ]


def _meaning(level: str, kind: str, at: str) -> str:
    vibrations = {"electronic": "without", "0 K": "with"}.get(at, "with heat and")
    return f"{kind}, {level or 'level not stated'}, {at} ({vibrations} zero-point energy)"


def _follows(column: Column, model: Artefact, name: str) -> str:
    """What the differences mean for a correction."""
    apart = []
    if column.level and model.level and column.level.lower() != model.level.lower():
        apart.append("level of theory")
    if column.kind != model.kind:
        apart.append("kind")
    if column.at != model.at:
        apart.append("zero-point energy or heat")
    if apart:
        return (
            f"they differ in {' and '.join(apart)}: {name} knows nothing of that difference, and "
            "your energies have to teach it; the learning curve below shows whether that pays"
        )
    if not column.level:
        return (
            "kind and zero-point energy agree; say the level of your energies (data.level) to have "
            "it compared"
        )
    return f"they mean the same: your energies have to teach only where {name} is wrong"


def curve(experiment: Experiment, name: str, sizes: Sequence[int] | None = None) -> list[Point]:
    """Learn from 0, 50, 100 and 200 energies, with the model as baseline and without it.

    Parameters
    ----------
    experiment
        Its later stages are fitted; its split gives the molecules.
    name
        The model.
    sizes
        Numbers of energies; None: `SIZES`.

    Returns
    -------
    list of Point
        Empty where a stage is a network, which would take too long.
    """
    later = experiment.resolved_stages()[1:]
    if any(isinstance(build(*stage), NetworkModel) for stage in later):
        return []
    sizes = sizes or SIZES
    stored = load(experiment.data)
    split = choose(stored, experiment.data)
    rows, _ = judged(split.train, split.valid, split.test)
    data = _energies_alone(stored.dataset.aimed(experiment.data.target))
    train, test = data[split.train[: max(sizes)]], data[rows[:MOST]]
    train, test = train, test[_known(test, train[: min(sizes)])]
    left = {
        "corrected": _left(Baseline(MODEL + name), train, test),
        "gfn2": _left(Baseline("gfn2"), train, test),
        "bare": (train, test),
    }
    start = left["corrected"][1].energies.abs().mean()
    points = [Point(0, float(start), math.nan, math.nan)]
    for size in (n for n in sizes if n <= len(train)):
        errors = {key: _error(later, some[:size], asked) for key, (some, asked) in left.items()}
        points.append(Point(size, **errors))
    return points


def verdict(points: Sequence[Point], name: str) -> str:
    """Say whether the model helps as a baseline.

    Parameters
    ----------
    points
        The learning curve.
    name
        The model.
    """
    if len(points) < 2:
        return "there are too few energies for a learning curve"
    last = points[-1]
    best, other = min((last.gfn2, "GFN2-xTB as the baseline"), (last.bare, "no baseline"))
    figures = (
        f"after {last.energies} energies the error is {last.corrected:.2f}, with {other} "
        f"{best:.2f} kcal/mol"
    )
    if last.corrected < HELPS * best:
        return f"{name} helps: {figures}"
    if last.corrected < best:
        return f"{name} hardly helps: {figures}"
    way = "baseline: gfn2" if other.startswith("GFN2") else "no baseline"
    return f"{name} does not help: {figures}; use {way}"


def _energies_alone(data: Dataset) -> Dataset:
    """The data without forces, which a curve of energies does not learn."""
    kept = {key: one for key, one in data.columns.items() if not key.endswith("_forces")}
    return Dataset(data.molecules, kept, data.target)


def _known(test: Dataset, train: Dataset) -> np.ndarray:
    """Rows of molecules whose elements the smallest training part has."""
    seen = set(train.molecules.elements)
    return np.array(
        [row for row, one in enumerate(test.molecules) if set(one.elements) <= seen], np.int64
    )


def _left(baseline: Model, train: Dataset, test: Dataset) -> tuple[Dataset, Dataset]:
    """What a baseline leaves of both parts."""
    baseline.fit(train, test[[]])
    train_left, test_left = (
        some.minus(baseline.energies(some.molecules, some.columns)) for some in (train, test)
    )
    return train_left, test_left


def _error(stages: Sequence[Stage], train: Dataset, test: Dataset) -> float:
    """The mean absolute error (kcal/mol) of stages fitted to `train`."""
    try:
        with torch.no_grad():
            model = Stack([build(*stage) for stage in stages]).fit(train, test[[]])
            predicted = model.energies(test.molecules, test.columns)
    except OnekcalError:  # too few molecules for this stage
        return math.nan
    return float((test.energies - predicted).abs().mean())
