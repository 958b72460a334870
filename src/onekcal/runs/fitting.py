"""Fit the stages of an experiment and calibrate their intervals."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np
import torch

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
from onekcal.runs.evaluate import spread_between
from onekcal.runs.experiment import Experiment
from onekcal.trust.conformal import MANY, Conformal
from onekcal.trust.traits import traits

NOVEL = 0.99
"""Quantile of the validation molecules' novelty; what lies above is new to the model."""


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
    limit
        The highest novelty of molecules that the model knows.
    seconds
        How long the fit took.
    """

    stages: list[Stage]
    model: Stack
    data: Dataset
    calibration: dict[str, Conformal]
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
    judged = {experiment.geometry: valid} | {kind: some for kind, (some, _) in others.items()}
    novelty = {kind: model.novelty(some.molecules) for kind, some in judged.items() if len(some)}
    calibration = {
        kind: Conformal.calibrated(
            some.energies - model.energies(some.molecules, some.columns),
            spread_between(experiment, kind, some),
            None
            if len(some) < MANY or some.aim.atomic
            else traits(some.molecules, novelty[kind], spread_between(experiment, kind, some)),
        )
        for kind, some in judged.items()
        if len(some)
    }
    known = novelty.get(experiment.geometry)
    limit = math.inf if known is None else float(known.quantile(NOVEL))
    if experiment.refit:
        stages = [
            (name, settings | dict(stage.chosen))
            for (name, settings), stage in zip(stages, model.stages)
        ]
        train = data[np.concatenate([split.train, split.valid])]
        model = Stack([build(name, settings) for name, settings in stages]).fit(train, data[[]])
    return Fitted(stages, model, train, calibration, limit, time.perf_counter() - started)


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
