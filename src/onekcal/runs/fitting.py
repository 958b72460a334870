"""Fit the stages of an experiment and calibrate their intervals."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from onekcal import datasets as store
from onekcal.data.dataset import Dataset
from onekcal.data.splits import TEST, VALID
from onekcal.errors import ConfigError, unknown
from onekcal.models.artefact import Stage
from onekcal.models.blend import every_stage
from onekcal.models.registry import build
from onekcal.models.stack import Stack
from onekcal.networks.model import NetworkModel
from onekcal.networks.training.batches import check_elements
from onekcal.runs.choose_split import Split
from onekcal.runs.evaluate import rivalry_between
from onekcal.runs.experiment import Experiment
from onekcal.trust.conformal import MANY, Conformal
from onekcal.trust.traits import traits

NOVEL = 0.99
"""Quantile of the validation molecules' novelty; what lies above is new to the model."""


class Judged(NamedTuple):
    """Molecules that a model was calibrated on, before it was fitted to them too."""

    data: Dataset
    predicted: Tensor
    """(M,), or (A,) where the target is of atoms."""
    novelty: Tensor | None
    """(M,); None where the model cannot tell."""


@dataclass(frozen=True)
class Fitted:
    """A fitted model, and what was calibrated on molecules it was not fitted to.

    Parameters
    ----------
    stages
        Name and settings of each stage; with `refit`, the settings that were chosen.
    model
        The fitted stack.
    data
        The molecules that it was fitted to.
    calibration
        Kind of geometry → the intervals.
    judged
        Kind of geometry → the molecules of the calibration, as they were predicted.
    limit
        The highest novelty of molecules that the model knows.
    seconds
        How long the fit took.
    """

    stages: list[Stage]
    model: Stack
    data: Dataset
    calibration: dict[str, Conformal]
    judged: dict[str, Judged]
    limit: float
    seconds: float


def fit(
    experiment: Experiment, data: Dataset, split: Split, others: dict[str, tuple[Dataset, Dataset]]
) -> Fitted:
    """Fit the stages and calibrate the intervals; with `refit`, fit again to both parts.

    Parameters
    ----------
    experiment
        The stages, the seed and the kind of geometry of the data.
    data
        The whole data set, aimed at the target.
    split
        Its parts.
    others
        What `other_geometries` returned.

    Returns
    -------
    Fitted
        The model and its calibration.
    """
    train, valid, stages = data[split.train], data[split.valid], experiment.resolved_stages()
    torch.manual_seed(experiment.data.seed)
    started = time.perf_counter()
    model = Stack([build(name, settings) for name, settings in stages])
    if any(isinstance(stage, NetworkModel) for stage in every_stage(model)):
        check_elements(data[split.test].molecules, train.molecules.elements, "test")
    model.fit(train, valid)
    asked = {experiment.geometry: valid} | {kind: some for kind, (some, _) in others.items()}
    judged = {kind: _judged(model, some) for kind, some in asked.items() if len(some)}
    calibration = {kind: _calibrated(experiment, kind, one) for kind, one in judged.items()}
    known = judged[experiment.geometry].novelty if experiment.geometry in judged else None
    limit = math.inf if known is None else float(known.quantile(NOVEL))
    if experiment.refit:
        stages = [
            (name, settings | dict(stage.chosen))
            for (name, settings), stage in zip(stages, model.stages)
        ]
        train = data[np.concatenate([split.train, split.valid])]
        model = Stack([build(name, settings) for name, settings in stages]).fit(train, data[[]])
    return Fitted(stages, model, train, calibration, judged, limit, time.perf_counter() - started)


def _judged(model: Stack, some: Dataset) -> Judged:
    """What a model says of molecules that it was not fitted to."""
    predicted = model.energies(some.molecules, some.columns)
    return Judged(some, predicted, model.novelty(some.molecules))


def _calibrated(experiment: Experiment, kind: str, judged: Judged) -> Conformal:
    """The intervals of one kind of geometry; of many molecules they follow the molecule."""
    some, rivalry = judged.data, rivalry_between(experiment, kind, judged.data)
    many = len(some) >= MANY and not some.aim.atomic
    return Conformal.calibrated(
        some.energies - judged.predicted,
        rivalry,
        traits(some.molecules, judged.novelty, rivalry) if many else None,
    )


def other_geometries(experiment: Experiment) -> dict[str, tuple[Dataset, Dataset]]:
    """Load the same molecules at other geometries, in the split of the training data.

    Parameters
    ----------
    experiment
        Names the data sets in `also`.

    Returns
    -------
    dict
        Kind of geometry → molecules to calibrate on, and molecules to test on. With `valid: 0` the
        validation part was trained on, and there are none to calibrate on.
    """
    others = {}
    for kind, name in experiment.also.items():
        if name in store.names():
            store.get(name)
        other = store.load(name, strict=experiment.data.strict)
        if experiment.data.split not in other.splits:
            unknown(f"split of {name}:", experiment.data.split, other.splits, ConfigError)
        labels, data = (
            other.splits[experiment.data.split],
            other.dataset.aimed(experiment.data.target),
        )
        others[kind] = (data[(labels == VALID) & (experiment.data.valid > 0)], data[labels == TEST])
    return others
