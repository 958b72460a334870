"""What a run leaves in its folder besides the model: predictions, written and read back."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch

from onekcal.data.dataset import Dataset
from onekcal.errors import ConfigError, DataError
from onekcal.molecules import SYMBOLS
from onekcal.runs.experiment import Experiment, read
from onekcal.trust.metrics import KCAL


def write_predictions(
    path: Path,
    data: Dataset,
    predicted: torch.Tensor,
    half: float,
    terms: dict[str, torch.Tensor] | None = None,
) -> None:
    """name, formula, atoms, reference, predicted, error, lower, upper (kcal/mol), and what the
    model tells besides.

    Of atoms, which one follows `atoms`: its number in the molecule, from 1, and its element.
    """
    molecules, atomic = data.molecules, data.aim.atomic
    more = {
        name: values.reshape(len(values), -1) for name, values in (terms or {}).items()
    }  # (M, k)
    heads = [
        name if each.shape[1] == 1 else f"{name}_{k}"
        for name, each in more.items()
        for k in range(each.shape[1])
    ]
    who: Any = zip(molecules.names, molecules.formulas, molecules.sizes.tolist())
    if atomic:
        who = (
            (*each, k + 1, SYMBOLS[z])
            for each, one in zip(who, molecules)
            for k, z in enumerate(one.numbers.tolist())
        )
    digits = ".4f" if data.aim.unit == KCAL else ".6g"
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(
            [
                "name",
                "formula",
                "atoms",
                *(["atom", "element"] if atomic else []),
                "reference",
                "predicted",
                "error",
                "lower",
                "upper",
                *heads,
            ]
        )
        for m, (each, reference, found) in enumerate(
            zip(who, data.energies.tolist(), predicted.tolist())
        ):
            numbers = [reference, found, found - reference, found - half, found + half]
            numbers += [value for values in more.values() for value in values[m].tolist()]
            out.writerow([*each, *(format(number, digits) for number in numbers)])


def write_atoms(path: Path, atoms: dict[str, torch.Tensor]) -> None:
    """Predictions an atom of the test part, single precision: "forces" (A, 3) kcal/mol/Å,
    "energies" (A,) kcal/mol.
    """
    if atoms:
        arrays: dict[str, Any] = {
            name: values.numpy().astype(np.float32) for name, values in atoms.items()
        }
        np.savez_compressed(path, **arrays)


def load(folder: Path) -> tuple[Experiment, dict[str, Any]]:
    """The experiment and the metrics of a finished run."""
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
    """Largest difference (in their unit) between the predictions of two runs; infinite where the
    molecules differ.
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
