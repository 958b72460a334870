"""The predictions in the folder of a run, written and read back."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from onekcal.data.dataset import Dataset
from onekcal.errors import ConfigError, DataError
from onekcal.molecules import SYMBOLS
from onekcal.runs.experiment import Experiment, read
from onekcal.trust.metrics import KCAL, Metrics


def write_predictions(
    path: Path,
    data: Dataset,
    predicted: torch.Tensor,
    half: float,
    terms: dict[str, torch.Tensor] | None = None,
) -> None:
    """Write predictions.csv.

    Its columns are name, formula, atoms, reference, predicted, error, lower, upper, and the model's
    further output. Where the data are of atoms, the columns atom (its number in the molecule, from
    1) and element follow `atoms`.

    Parameters
    ----------
    path
        The file.
    data
        M molecules, or A atoms, with their reference values.
    predicted
        (M,) or (A,) in the unit of the reference.
    half
        Half width of the interval in this unit.
    terms
        Further output of the model by name, each (M, …).
    """
    molecules, atomic = data.molecules, data.aim.atomic
    # (M, k)
    more = {name: values.reshape(len(values), -1) for name, values in (terms or {}).items()}
    heads = [
        name if each.shape[1] == 1 else f"{name}_{k}"
        for name, each in more.items()
        for k in range(each.shape[1])
    ]
    who: Iterable[tuple[object, ...]] = zip(
        molecules.names, molecules.formulas, molecules.sizes.tolist()
    )
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
    """Write atoms.npz in single precision; without atoms there is no file.

    Parameters
    ----------
    path
        The file.
    atoms
        "forces" (A, 3) kcal/mol/Å and "energies" (A,) kcal/mol, those that the model has.
    """
    if atoms:
        arrays: dict[str, Any] = {
            name: values.numpy().astype(np.float32) for name, values in atoms.items()
        }
        np.savez_compressed(path, **arrays)


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
