"""The folder of a finished run, read and compared with another."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from onekcal.errors import ConfigError, DataError
from onekcal.models.registry import allowed_modules_only
from onekcal.runs.experiment import Experiment, read
from onekcal.system.files import damage_refused, read_json
from onekcal.trust.metrics import Metrics


def load(folder: Path) -> tuple[Experiment, Metrics]:
    """Read the experiment and the metrics of a finished run.

    Parameters
    ----------
    folder
        The folder of the run.

    Returns
    -------
    tuple
        The experiment, and its metrics by name.

    Raises
    ------
    DataError
        When the folder is no finished run, or cannot be used by this version.
    """
    experiment, metrics = folder / "experiment.yaml", folder / "metrics.json"
    if not (experiment.is_file() and metrics.is_file()):
        raise DataError(
            f"{folder} is not a finished run (it needs experiment.yaml and metrics.json)"
        )
    found = read_json(metrics)
    if not isinstance(found, dict):
        raise DataError(f"{metrics} should hold metrics but is damaged; run the experiment again")
    try:
        with allowed_modules_only(experiment):
            return read(experiment), found  # type: ignore[return-value]
    except ConfigError as problem:
        lines = "; ".join(str(problem).splitlines())
        raise DataError(f"{folder} cannot be used here: {lines}") from None


def compare(old: Path, new: Path) -> dict[str, float]:
    """Compare the predictions of two runs.

    Parameters
    ----------
    old, new
        Folders of finished runs.

    Returns
    -------
    dict
        "molecules", and "largest_difference" in the unit of the predictions; the difference is
        infinite where the molecules are not the same.
    """
    first, second = (_predictions(folder) for folder in (old, new))
    if [name for name, _ in first] != [name for name, _ in second]:
        return {"molecules": max(len(first), len(second)), "largest_difference": float("inf")}
    pairs = [(a, b) for (_, a), (_, b) in zip(first, second)]
    apart = [0.0 if math.isnan(a) and math.isnan(b) else abs(a - b) for a, b in pairs]
    worst = (
        math.inf if any(math.isnan(difference) for difference in apart) else max(apart, default=0.0)
    )
    return {"molecules": len(pairs), "largest_difference": worst}


def _predictions(folder: Path) -> list[tuple[str, float]]:
    """Name and prediction of each molecule."""
    path = folder / "predictions.csv"
    if not path.is_file():
        raise DataError(f"{folder} is not a finished run (it has no predictions.csv)")
    with (
        damage_refused(path, "a whole table of predictions", "run the experiment again"),
        path.open(newline="", encoding="utf-8") as file,
    ):
        return [(row["name"], float(row["predicted"])) for row in csv.DictReader(file)]
