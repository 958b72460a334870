"""Errors of a fitted model: of a run on its test part, and of any model on other data."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import get_args

import numpy as np
import torch

from onekcal.data.dataset import Dataset
from onekcal.energies import Kind
from onekcal.errors import InputError
from onekcal.models.artefact import Artefact
from onekcal.models.shipped import load_model
from onekcal.models.stack import Stack
from onekcal.molecules import SYMBOLS, Molecules
from onekcal.runs.experiment import Experiment, read
from onekcal.trust.conformal import Conformal, coverage, rivalry_of
from onekcal.trust.metrics import Metrics, metrics
from onekcal.trust.traits import traits


def measure(
    experiment: Experiment,
    model: Stack,
    calibration: dict[str, Conformal],
    test: Dataset,
    others: dict[str, Dataset],
) -> tuple[torch.Tensor, torch.Tensor, Metrics]:
    """Test a fitted model.

    Parameters
    ----------
    experiment
        Says the nominal coverage and the kind of geometry of `test`.
    model, calibration
        The fitted model and, by kind of geometry, the intervals it has.
    test
        The test part.
    others
        By kind of geometry: test molecules at other geometries.

    Returns
    -------
    tuple
        Predictions of `test` (M,) in kcal/mol or the target's unit, half widths of their intervals
        (M,), not a number where there are none, and all metrics by name.
    """
    started, unit = time.perf_counter(), test.aim.unit
    predicted = model.energies(test.molecules, test.columns)
    found: Metrics = {
        **metrics(test.energies, predicted, unit),
        "unit": unit,
        "of": "atoms" if test.aim.atomic else "molecules",
        "train": 0,
        "valid": 0,
        "fit_seconds": 0.0,
        "predict_seconds_per_molecule": (time.perf_counter() - started) / len(test),
        "artefact_bytes": 0,
    }
    for stage in model.stages:
        found |= stage.summary
    own = torch.full_like(predicted, math.nan)
    if experiment.geometry in calibration:
        wide = halves(calibration[experiment.geometry], model, test, experiment.coverage)
        found |= _interval(wide, test, predicted, experiment.coverage)
        own = wide.where(wide.isfinite(), own)
    for kind, asked in others.items():
        guess = model.energies(asked.molecules, asked.columns)
        more = metrics(asked.energies, guess, unit)
        if kind in calibration:
            rivalry = rivalry_between(experiment, kind, asked)
            half = halves(calibration[kind], model, asked, experiment.coverage, rivalry)
            more |= _interval(half, asked, guess, experiment.coverage)
        found |= {f"{kind}: {key}": value for key, value in more.items()}
    return predicted, own, found


def atoms_of(model: Stack, test: Dataset) -> dict[str, torch.Tensor]:
    """Predict the values of each atom.

    Parameters
    ----------
    model
        The fitted model.
    test
        The test part, of M molecules with A atoms.

    Returns
    -------
    dict
        "forces" (A, 3) kcal/mol/Å where the data have forces, and "energies" (A,) kcal/mol where
        the model has energies of atoms.
    """
    forces = {} if test.forces is None else {"forces": model.forces(test.molecules, test.columns)}
    energies = None if test.aim.atomic else model.atomic_energies(test.molecules)
    return forces | ({} if energies is None else {"energies": energies})


def force_errors(atoms: dict[str, torch.Tensor], test: Dataset) -> dict[str, float]:
    """Compare predicted forces with those of the data.

    Parameters
    ----------
    atoms
        What `atoms_of` returned.
    test
        The test part. Frames whose forces are not finite are left out.

    Returns
    -------
    dict
        Mean absolute and root mean square error of a component, kcal/mol/Å; empty without forces.
    """
    if "forces" not in atoms or test.forces is None:
        return {}
    wrong = (atoms["forces"] - test.forces)[torch.isfinite(test.forces)]
    return {
        "force_mae": float(wrong.abs().mean()),
        "force_rmse": float(wrong.square().mean().sqrt()),
    }


def order_errors(missing: torch.Tensor, terms: dict[str, torch.Tensor]) -> dict[str, float]:
    """Compute the error of the energies up to each order of a hierarchical model.

    Parameters
    ----------
    missing
        (M,) reference − predicted, kcal/mol.
    terms
        The model's further output; "orders" (M, n) are the energies of each order, kcal/mol.

    Returns
    -------
    dict
        Order → mean absolute error (kcal/mol); empty for models without orders.
    """
    if "orders" not in terms:
        return {}
    orders = terms["orders"]
    beyond = orders.flip(1).cumsum(1).flip(1) - orders  # (M, n) what follows order k
    return {
        f"mae_order_{k}": float((missing + later).abs().mean()) for k, later in enumerate(beyond.T)
    }


def halves(
    conformal: Conformal,
    model: Stack,
    data: Dataset,
    nominal: float = 0.9,
    rivalry: torch.Tensor | None = None,
) -> torch.Tensor:
    """Compute the half widths of the intervals of molecules.

    Parameters
    ----------
    conformal
        The intervals of their kind of geometry.
    model
        Says how strange the molecules are to it.
    data
        M molecules.
    nominal
        The share of molecules that the intervals are to cover.
    rivalry
        (M,) rivalry of the conformers of each molecule, kcal/mol; None where it is not known.

    Returns
    -------
    Tensor
        (M,), or (A,) where the data are of atoms.
    """
    known = None
    if conformal.widths is not None:
        known = traits(data.molecules, model.novelty(data.molecules), rivalry)
    return conformal.half(len(data.energies), nominal, rivalry, known)


def _interval(
    half: torch.Tensor, test: Dataset, predicted: torch.Tensor, nominal: float
) -> dict[str, float]:
    """Mean half width (kcal/mol) and the share of a test part it covers.

    Empty where too few molecules calibrate it.
    """
    if not half.isfinite().all():
        return {}
    return {
        "interval": float(half.mean()),
        "nominal_coverage": nominal,
        "coverage": coverage(test.energies, predicted - half, predicted + half),
    }


def rivalry_between(experiment: Experiment, kind: str, data: Dataset) -> torch.Tensor | None:
    """Look up how far the conformers of each molecule lie apart.

    Parameters
    ----------
    experiment
        Says which kind of geometry the model was fitted to.
    kind
        The kind of geometry of `data`.
    data
        Molecules, maybe with a column "rivalry".

    Returns
    -------
    Tensor or None
        (M,) kcal/mol; None for geometries that were not made from SMILES, for those fitted to, and
        where the data do not hold it.
    """
    return rivalry_of(data) if kind == "smiles" != experiment.geometry else None


def evaluate(model: str | Path | Artefact, data: Dataset) -> Metrics:
    """Errors of a fitted model on data.

    Parameters
    ----------
    model
        A run folder, a model file, or the name of a model that ships; or what `load_model`
        returned.
    data
        Molecules with a target column.

    Returns
    -------
    dict
        Metrics in the target's unit, and the coverage of the intervals that the model has.
    """
    artefact = model if isinstance(model, Artefact) else load_model(model)
    column = data.aim
    if column.unit != artefact.unit or column.sort != artefact.kind:
        both = column.quantity == "energy" and artefact.kind in get_args(Kind)
        hint = (
            f"; if that is not what they are: onekcal data import FILE --kind {artefact.kind}"
            if both
            else ""
        )
        raise InputError(
            f"the model gives {artefact.kind} in {artefact.unit}, but {data.target!r} is "
            f"{column.meaning}{hint}"
        )
    _refuse_strange(artefact, data.molecules)
    predicted = artefact.model.energies(data.molecules, data.columns)
    found: Metrics = {
        **metrics(data.energies, predicted, column.unit),
        "unit": column.unit,
        "of": "atoms" if column.atomic else "molecules",
    }
    rivalry = rivalry_of(data)
    for kind, conformal in artefact.calibration.items():
        name = "coverage of 0.9" + (
            "" if kind == "data" else f" by the interval of {kind!r} geometries"
        )
        if math.isfinite(conformal.radius()) and not (conformal.by_rivalry and rivalry is None):
            half = halves(conformal, artefact.model, data, rivalry=rivalry)
            found[name] = coverage(data.energies, predicted - half, predicted + half)
    ours, theirs = (f"{one.level or 'an unknown level'} ({one.at})" for one in (artefact, column))
    if column.quantity == "energy" and ours != theirs:
        found["note"] = f"the model was fitted to {ours}, {data.target!r} is {theirs}"
    return found


def _refuse_strange(artefact: Artefact, molecules: Molecules) -> None:
    """Refuse elements that the model has never seen; name the first molecule that holds one."""
    strange = ~torch.isin(molecules.numbers, torch.tensor(artefact.elements))
    if artefact.elements and strange.any():
        rows = molecules.owner[strange].unique().tolist()
        known = ", ".join(SYMBOLS[z] for z in artefact.elements)
        raise InputError(
            f"{len(rows)} of {len(molecules)} molecules hold elements that the model has never "
            f"seen, first: molecule {rows[0]} ({molecules.formulas[rows[0]]}); it knows {known}: "
            "leave the others out"
        )


def fitted_to(path: str | Path, data: str) -> int:
    """Count the molecules of a data set that a run was fitted to.

    Parameters
    ----------
    path
        The folder of the run.
    data
        The name of the data set.

    Returns
    -------
    int
        0 for another data set, or a path that is no run.
    """
    split, experiment = Path(path, "split.npz"), Path(path, "experiment.yaml")
    if not (split.is_file() and experiment.is_file()) or read(experiment).data.set != data:
        return 0
    with np.load(split) as parts:
        return len(parts["train"]) + (len(parts["valid"]) if read(experiment).refit else 0)
