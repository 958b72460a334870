"""A finished run, read from its folder for its report."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import yaml

from onekcal.data.dataset import Dataset
from onekcal.errors import DataError, InputError, OnekcalError
from onekcal.models.artefact import Artefact
from onekcal.models.model_card import Json, ModelCard
from onekcal.runs.choose_split import judged
from onekcal.runs.data_choice import load as load_data
from onekcal.runs.experiment import Experiment
from onekcal.runs.folder import load
from onekcal.trust.conformal import coverage
from onekcal.trust.metrics import Metrics

LEVELS = tuple(round(0.05 * k, 2) for k in range(1, 20))
"""Nominal coverages at which the intervals of a run are compared with its test part."""
DOUBT = ("R", "novelty")
"""Columns of predictions.csv that grow with the error to be expected."""


@dataclass
class Finished:
    """One finished run on M test molecules, or on atoms where a property of atoms was learned.

    Parameters
    ----------
    folder
        Its folder, as the user named it.
    name
        The name of its folder.
    experiment
        What was run.
    metrics, provenance
        What its JSON files hold.
    names
        M names.
    columns
        (M,) each: reference, predicted, error, and further output of the model.
    test
        The test molecules; None where they cannot be read.
    missing
        Why something cannot be shown; empty where all can.
    atoms
        Predicted "forces" (A, 3) kcal/mol/Å and "energies" (A,) kcal/mol.
    epochs
        Column → values, for each training.
    card
        The model's card.
    calibration
        Nominal and measured coverage of the intervals.
    """

    folder: Path
    name: str
    experiment: Experiment
    metrics: Metrics
    provenance: Json
    names: list[str]
    columns: dict[str, np.ndarray]
    test: Dataset | None
    missing: str
    atoms: dict[str, np.ndarray]
    epochs: list[dict[str, list[float]]]
    card: ModelCard
    calibration: list[tuple[float, float]]

    @property
    def unit(self) -> str:
        """The unit of reference, prediction and error."""
        return self.metrics.get("unit", "kcal/mol")

    @property
    def finite(self) -> np.ndarray:
        """(M,) whether a molecule has a prediction."""
        return np.isfinite(self.columns["error"])


def finished(folder: Path) -> Finished:
    """Read the folder of a finished run.

    Parameters
    ----------
    folder
        The folder.

    Returns
    -------
    Finished
        What it holds.

    Raises
    ------
    DataError
        When there is no finished run, or part of it is absent.
    """
    if folder.name.endswith(".part") or (
        folder.with_name(folder.name + ".part").is_dir() and not folder.is_dir()
    ):
        raise DataError(
            f"{folder} is a run that did not finish; go on with `onekcal train --resume`, or start "
            "it again"
        )
    if not folder.is_dir():
        raise DataError(f"no run at {folder}")
    experiment, metrics = load(folder)
    names, columns = _predictions(folder / "predictions.csv")
    artefact, why = _artefact(folder)
    test, missing = _test(experiment, folder, len(names))
    return Finished(
        folder=folder,
        name=folder.resolve().name,
        experiment=experiment,
        metrics=metrics,
        provenance=_json(folder / "provenance.json"),
        names=names,
        columns=columns,
        test=test,
        missing=missing or why,
        atoms=_arrays(folder / "atoms.npz"),
        epochs=[_epochs(path) for path in sorted(folder.glob("epochs*.csv"))],
        card=artefact.card if artefact else ModelCard(),
        calibration=_calibration(artefact, experiment, columns),
    )


def refuse_unlike(runs: list[Finished]) -> None:
    """Refuse to compare runs on different test molecules.

    Parameters
    ----------
    runs
        At least one.

    Raises
    ------
    InputError
        When two of them differ.
    """
    first = runs[0]
    for other in runs[1:]:
        ours, theirs = first.experiment.data, other.experiment.data
        if (ours.set, ours.target) != (theirs.set, theirs.target):
            raise InputError(
                f"{first.name} was tested on {ours.set} ({ours.target}) and {other.name} on "
                f"{theirs.set} ({theirs.target}): their errors do not compare; show them apart"
            )
        if first.names != other.names or not np.allclose(
            first.columns["reference"], other.columns["reference"], atol=2e-3
        ):
            raise InputError(
                f"{first.name} and {other.name} were tested on different molecules of {ours.set}: "
                "their errors "
                "do not compare; give both the same split, seed and number of test molecules"
            )


def _predictions(path: Path) -> tuple[list[str], dict[str, np.ndarray]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            lines = list(csv.DictReader(file))
    except FileNotFoundError:
        raise DataError(f"{path} is missing: the run cannot be shown") from None
    if not lines:
        raise DataError(f"{path} holds no prediction: there is nothing to show")
    numeric = [
        name for name in lines[0] if name not in ("name", "formula", "atoms", "atom", "element")
    ]
    atom = "atom" in lines[0]
    names = [
        f"{line['name']}, {line['element']} {line['atom']}" if atom else line["name"]
        for line in lines
    ]
    return names, {name: np.array([float(line[name]) for line in lines]) for name in numeric}


def _artefact(folder: Path) -> tuple[Artefact | None, str]:
    try:
        return Artefact.load(folder / "model.safetensors"), ""
    except OnekcalError as problem:
        return None, str(problem)


def _test(experiment: Experiment, folder: Path, count: int) -> tuple[Dataset | None, str]:
    """The test molecules, from the store."""
    try:
        dataset = load_data(experiment.data).dataset.aimed(experiment.data.target)
        with np.load(folder / "split.npz") as split:
            test = dataset[judged(split["train"], split["valid"], split["test"]).rows]
    except (OnekcalError, OSError, KeyError, IndexError) as problem:
        return None, f"molecules cannot be shown: {problem}"
    points = len(test.energies)
    return (
        (test, "")
        if points == count
        else (None, f"molecules cannot be shown: {experiment.data.set} has changed")
    )


def _calibration(
    artefact: Artefact | None, experiment: Experiment, columns: dict[str, np.ndarray]
) -> list[tuple[float, float]]:
    conformal = artefact.calibration.get(experiment.geometry) if artefact else None
    if conformal is None or not len(conformal.scores):
        return []
    kept = np.isfinite(columns["error"])
    reference, predicted = (
        torch.tensor(columns[name][kept]) for name in ("reference", "predicted")
    )
    return [(level, coverage(reference, *conformal.interval(predicted, level))) for level in LEVELS]


def _epochs(path: Path) -> dict[str, list[float]]:
    with path.open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    return {
        name: [float(line[name] or "nan") for line in lines] for name in (lines[0] if lines else {})
    }


def _arrays(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        return {}
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


def _json(path: Path) -> Json:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def as_yaml(experiment: Experiment) -> str:
    """Write an experiment without its defaults.

    Parameters
    ----------
    experiment
        The experiment.

    Returns
    -------
    str
        YAML.
    """
    return yaml.safe_dump(
        experiment.model_dump(mode="json", exclude_defaults=True),
        sort_keys=False,
        allow_unicode=True,
    )
