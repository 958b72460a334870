"""Predict from a fitted model: one answer a molecule, or one clear line why there is none."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from onekcal.data.dataset import Dataset
from onekcal.errors import DataError, InputError, OnekcalError
from onekcal.models.artefact import Artefact
from onekcal.molecules import SYMBOLS, Molecules
from onekcal.trust.conformal import Conformal, coverage
from onekcal.trust.metrics import metrics


@dataclass(frozen=True)
class Answer:
    """The energy of one molecule relative to free atoms, kcal/mol, or the problem that prevented it."""

    source: str
    formula: str = ""
    energy: float = math.nan
    lower: float = -math.inf
    upper: float = math.inf
    level: str = ""
    problem: str = ""


def load_model(path: Path) -> Artefact:
    """A model file, or the model of a run folder."""
    return Artefact.load(path / "model.safetensors" if path.is_dir() else path)


def evaluate(path: Path, data: Dataset) -> dict[str, Any]:
    """Errors (kcal/mol) on data with a target, and the coverage of the interval where the model has one."""
    artefact = load_model(path)
    predicted = artefact.model.energies(data.molecules, data.columns)
    found: dict[str, Any] = dict(metrics(data.energies, predicted))
    for scores in artefact.calibration.values():
        found["coverage of 0.9"] = coverage(data.energies, *Conformal(scores).interval(predicted))
    return found


def predict_molecules(
    artefact: Artefact, molecules: Molecules, source: str, relax: bool = False, nominal: float = 0.9
) -> list[Answer]:
    """One answer a molecule. A lone atom is 0 by definition; elements never seen are refused.

    `relax` moves each molecule to its nearest GFN2-xTB minimum first.
    """
    scores = artefact.calibration.get("data")
    half = Conformal(scores).radius(nominal) if scores is not None else math.inf
    answers = []
    for m, molecule in enumerate(molecules):
        label = str(molecule.names[0]) or (f"{source} #{m + 1}" if len(molecules) > 1 else source)
        formula = molecule.formulas[0]
        try:
            energy = _energy(artefact, molecule, relax)
            if len(molecule.numbers) == 1:
                answers.append(Answer(label, formula, 0.0, 0.0, 0.0, artefact.level))
                continue
            answers.append(Answer(label, formula, energy, energy - half, energy + half, artefact.level))
        except OnekcalError as problem:
            answers.append(Answer(label, formula, problem=f"{label}: {problem}"))
    return answers


def _energy(artefact: Artefact, molecule: Molecules, relax: bool) -> float:
    if problems := molecule.check():
        raise InputError(problems[0])
    strange = [SYMBOLS[z] for z in molecule.elements if z not in artefact.elements]
    if strange:
        known = ", ".join(SYMBOLS[z] for z in artefact.elements)
        raise InputError(f"the model has never seen {', '.join(strange)}; it knows {known}")
    if int(molecule.charges[0]) or int(molecule.spins[0]):
        raise InputError(f"the model knows neutral closed-shell molecules; this one has charge "
                         f"{int(molecule.charges[0])} and {int(molecule.spins[0])} unpaired electrons")
    if relax and len(molecule.numbers) > 1:
        from onekcal.labels.relax import relax as relaxed

        molecule = relaxed(molecule).molecule
    with torch.no_grad():
        return float(artefact.model.energies(molecule)[0])


def predict_inputs(inputs: Iterable[str], model: Path) -> list[Answer]:
    """Answers for SMILES and files, in order; one that cannot be read does not stop the others.

    A force-field geometry made from SMILES is no geometry the models here were fitted to: it is relaxed with GFN2-xTB.
    """
    from onekcal.io import read_all

    artefact = load_model(model)
    if artefact.kind != "atomization":
        raise DataError(f"{model} learned {artefact.kind} energies, whose zero is not that of free atoms")
    answers: list[Answer] = []
    for text in inputs:
        try:
            dataset, problems = read_all(text, energy_key=None, forces_key=None)  # labels are not wanted here
        except OnekcalError as problem:
            answers.append(Answer(text, problem=str(problem)))
            continue
        if dataset is not None and len(dataset):
            drawn = not Path(text).is_file() or Path(text).suffix.lower() in (".smi", ".smiles", ".csv")
            answers += predict_molecules(artefact, dataset.molecules, text, relax=drawn)
        answers += [Answer(text, problem=str(problem)) for problem in problems]
    return answers
