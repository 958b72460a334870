"""The sanity battery: every check of a fitted model, and its outcome on the model's card."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import torch

from onekcal import datasets
from onekcal.battery.check import Check, Outcome, Patient, checked
from onekcal.battery.distance import ADDITIVE, ATOMS, BROKEN, CUTOFF, HOLES
from onekcal.battery.forces import FORCES, NVE
from onekcal.battery.spellings import SPELT
from onekcal.battery.symmetry import (
    BATCH,
    PERMUTATION,
    PRECISION,
    REFLECTION,
    REPEAT,
    ROTATION,
    TRANSLATION,
)
from onekcal.errors import InputError
from onekcal.models.artefact import Artefact
from onekcal.molecules import SYMBOLS
from onekcal.runs.card_page import markdown
from onekcal.system.files import write_text
from onekcal.system.threads import on_one_thread
from onekcal.trust.metrics import KCAL

CHECKS: dict[str, Check] = {
    "rotation": ROTATION,
    "translation": TRANSLATION,
    "reflection": REFLECTION,
    "permutation": PERMUTATION,
    "batch": BATCH,
    "repeat": REPEAT,
    "precision": PRECISION,
    "forces": FORCES,
    "drift": NVE,
    "cut-off": CUTOFF,
    "far apart": ADDITIVE,
    "free atoms": ATOMS,
    "holes": HOLES,
    "broken bonds": BROKEN,
    "spellings": SPELT,
}
"""Every check by its name, in the order of the card."""
SPREAD = 6
"""Molecules of different size, besides one for each element that they lack."""


def patient_of(artefact: Artefact) -> Patient:
    """Choose the molecules that a model is asked about.

    They come from the small set that ships: a few of different size, with every element that the
    model knows.

    Parameters
    ----------
    artefact
        The model.

    Raises
    ------
    InputError
        The model gives no energies of molecules, or knows none of these.
    """
    if artefact.unit != KCAL or any(stage.of_atoms for stage in artefact.model.stages):
        raise InputError("the battery checks energies of molecules, and this model gives others")
    molecules = datasets.load("mini").dataset.molecules
    known = torch.isin(molecules.numbers, torch.tensor(artefact.elements))
    all_known = molecules.sum_atoms(known.to(torch.int64)) == molecules.sizes
    small = molecules.sizes <= max(artefact.largest, 3)
    rows = torch.nonzero(all_known & small & (molecules.sizes >= 3)).flatten()
    if not len(rows):
        names = ", ".join(SYMBOLS[z] for z in artefact.elements)
        raise InputError(f"the battery holds no molecule of {names} alone")
    rows = rows[molecules.sizes[rows].argsort(stable=True)]
    chosen = [int(rows[k]) for k in torch.linspace(0, len(rows) - 1, SPREAD).long()]
    for z in artefact.elements:
        if not (molecules[chosen].numbers == z).any():
            has = molecules.composition([z])[rows, 0] > 0
            chosen += [int(row) for row in rows[has][:1]]
    return Patient(artefact, molecules[list(dict.fromkeys(chosen))])


@on_one_thread
def battery(
    artefact: Artefact,
    names: Sequence[str] | None = None,
    watch: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Check a model.

    Parameters
    ----------
    artefact
        The model.
    names
        The checks; None: all.
    watch
        Hears of each outcome.

    Returns
    -------
    list of Outcome
        One for each check.
    """
    patient, out = patient_of(artefact), []
    for name in CHECKS if names is None else names:
        out.append(checked(name, CHECKS[name], patient))
        watch(out[-1])
    return out


def keep(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Write the outcomes into a saved model and onto its card.

    Parameters
    ----------
    path
        A run folder, or a model file; a card beside it has the same name with .md.
    outcomes
        What came of the battery.
    """
    folder = path.is_dir()
    file = path / "model.safetensors" if folder else path
    artefact = Artefact.load(file)
    artefact.card.battery = kept(outcomes)
    artefact.save(file)
    card = path / "card.md" if folder else path.with_suffix(".md")
    if folder or card.is_file():
        name = path.resolve().name if folder else path.stem
        write_text(card, markdown(artefact, name))


def kept(outcomes: Sequence[Outcome]) -> dict[str, object]:
    """Return what a model card keeps of the battery.

    Parameters
    ----------
    outcomes
        What came of it.

    Returns
    -------
    dict
        The version of onekcal and the outcomes, without times.
    """
    rows = [
        {key: _finite(value) for key, value in one.to_dict().items() if key != "seconds"}
        for one in outcomes
    ]
    return {"onekcal": version("onekcal"), "checks": rows}


def _finite(value: object) -> object:
    """None for a number that JSON cannot hold."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
