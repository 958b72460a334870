"""The files of predictions in the folder of a run."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from onekcal.data.dataset import Dataset
from onekcal.molecules import SYMBOLS
from onekcal.runs.fitting import Judged
from onekcal.trust.metrics import KCAL


def write_predictions(
    path: Path,
    data: Dataset,
    predicted: torch.Tensor,
    half: torch.Tensor,
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
        (M,) or (A,) half widths of the intervals in this unit.
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
        for m, (each, reference, answer, wide) in enumerate(
            zip(who, data.energies.tolist(), predicted.tolist(), half.tolist())
        ):
            numbers = [reference, answer, answer - reference, answer - wide, answer + wide]
            numbers += [value for values in more.values() for value in values[m].tolist()]
            out.writerow([*each, *(format(number, digits) for number in numbers)])


def write_calibration(path: Path, judged: Mapping[str, Judged]) -> None:
    """Write calibration.csv: what the intervals were calibrated on, before the model saw it.

    Its columns are geometry (the kind), name, reference, predicted and novelty. Nothing is written
    where nothing was calibrated, or where the data are of atoms.

    Parameters
    ----------
    path
        The file.
    judged
        Kind of geometry → molecules with predictions, in the unit of the reference.
    """
    told = {kind: one for kind, one in judged.items() if not one.data.aim.atomic}
    if not told:
        return
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["geometry", "name", "reference", "predicted", "novelty"])
        for kind, (data, predicted, novelty) in told.items():
            strange = [""] * len(data) if novelty is None else [f"{x:.5g}" for x in novelty]
            for row in zip(data.molecules.names, data.energies, predicted, strange):
                out.writerow([kind, row[0], f"{row[1]:.4f}", f"{row[2]:.4f}", row[3]])


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
