"""The folder of a finished run, read and compared with another."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

from onekcal.errors import ConfigError, DataError
from onekcal.runs.experiment import Experiment, read
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
    try:
        return read(experiment), json.loads(metrics.read_text())
    except ConfigError as problem:
        raise DataError(f"{folder} cannot be used here: {problem}") from None
    except json.JSONDecodeError as problem:
        raise DataError(f"{metrics} is damaged: {problem}") from None


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
    if [r["name"] for r in first] != [r["name"] for r in second]:
        return {"molecules": max(len(first), len(second)), "largest_difference": float("inf")}
    pairs = [(float(a["predicted"]), float(b["predicted"])) for a, b in zip(first, second)]
    apart = [0.0 if math.isnan(a) and math.isnan(b) else abs(a - b) for a, b in pairs]
    worst = (
        math.inf if any(math.isnan(difference) for difference in apart) else max(apart, default=0.0)
    )
    return {"molecules": len(pairs), "largest_difference": worst}


def _predictions(folder: Path) -> list[dict[str, str]]:
    with (folder / "predictions.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
