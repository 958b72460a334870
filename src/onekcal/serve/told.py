"""Answers as the page and the API tell them: everything of `Answer.to_dict`, and what is drawn."""

from __future__ import annotations

import math
from dataclasses import replace
from importlib.util import find_spec
from typing import Any, cast

import numpy as np

from onekcal.data.dataset import Dataset
from onekcal.errors import InputError, MissingExtra
from onekcal.io.writing import WRITERS
from onekcal.labels.forecast import spell
from onekcal.models.artefact import Artefact
from onekcal.molecules import SYMBOLS, Molecules
from onekcal.prediction.answers import ENERGIES, Answer, Spread
from onekcal.prediction.citations import bibtex
from onekcal.prediction.estimate import per_kcal, scaled
from onekcal.prediction.mixture import populations
from onekcal.prediction.options import RUNGS, Options, Rung
from onekcal.prediction.prediction import answer as answer_one
from onekcal.prediction.questions import Question
from onekcal.prediction.reaction import Reaction
from onekcal.prediction.rungs import elapsed
from onekcal.serve.messages import plain
from onekcal.show.answers import ledger_lines

Told = dict[str, Any]
"""What becomes JSON."""


def told(answer: Answer, artefact: Artefact) -> Told:
    """Tell an answer.

    Parameters
    ----------
    answer
        The answer to one question.
    artefact
        The model that was asked.

    Returns
    -------
    dict
        `Answer.to_dict` with the interval's half width, the lines of the ledger, the symbols and
        energies of the atoms, and the conformers with positions and weights.
    """
    out: Told = answer.to_dict()
    out["label"] = answer.label
    out["problem"] = plain(answer.problem)
    own: Told = {
        "half": answer.half if math.isfinite(answer.half) else None,
        "formation_half": answer.heat_half if math.isfinite(answer.heat_half) else None,
        "corrected": answer.formation_half is not None,
        "lines": [] if answer.problem else [line._asdict() for line in ledger_lines(answer)],
        "atom_energies": _atom_energies(answer, artefact),
    }
    if answer.unit != "kcal/mol":
        energies = ENERGIES | {"error", "atom_energies"}
        own = cast(Told, scaled(own, energies, per_kcal(answer.unit)))
    out |= own
    out["bibtex"] = bibtex(answer, artefact)
    out["made"] = answer.made
    out["coverage"] = answer.coverage
    out["novelty_limit"] = artefact.novelty_limit
    out["thermal_source"] = answer.thermal_source
    if answer.molecule is not None:
        out["symbols"] = symbols(answer.molecule)
        out["charge"], out["spin"] = int(answer.molecule.charges[0]), int(answer.molecule.spins[0])
    if answer.conformers is not None:
        out["conformers"] = out["conformers"] | _conformers(answer.conformers)
    return out


def symbols(molecule: Molecules) -> list[str]:
    """List the symbols of a molecule's atoms.

    Parameters
    ----------
    molecule
        One molecule.
    """
    return [SYMBOLS[z] for z in molecule.numbers.tolist()]


def _atom_energies(answer: Answer, artefact: Artefact) -> list[float] | None:
    if answer.rung != "learned" or answer.molecule is None:
        return None
    energies = artefact.model.atomic_energies(answer.molecule)
    return None if energies is None else energies.tolist()


def _conformers(spread: Spread) -> Told:
    """Positions (Å) and Boltzmann weights at 298.15 K of the conformers."""
    positions = spread.molecules
    return {
        "weights": populations(spread).tolist(),
        "positions": [one.positions.tolist() for one in positions] if positions else None,
    }


def following(
    question: Question, answer: Answer, artefact: Artefact, options: Options
) -> list[Told]:
    """Tell what the rungs above an answer would cost.

    Parameters
    ----------
    question
        What was asked.
    answer
        The answer.
    artefact
        The model that was asked.
    options
        How it was asked.

    Returns
    -------
    list of dict
        For each rung its name as "rung"; "stored" where it is computed already; else "seconds" and
        "time" in words, or the "problem". Empty where the highest rung has answered.
    """
    here = RUNGS.index("learned" if answer.problem else answer.rung)  # type: ignore[arg-type]
    return [_above(rung, question, artefact, options) for rung in RUNGS[here + 1 :]]


def _above(rung: Rung, question: Question, artefact: Artefact, options: Options) -> Told:
    asked = replace(options, rung=rung, compute=False, thermochemistry=False, route="atomization")
    found = answer_one(question, artefact, asked, may_compute=False)
    if not found.problem:
        return {"rung": rung, "stored": True}
    if found.forecast is None:
        return {"rung": rung, "stored": False, "problem": plain(found.problem)}
    seconds = elapsed(found.forecast)
    missing = "" if find_spec("pyscf") else str(MissingExtra("pyscf", "dft", "computing"))
    return {
        "rung": rung,
        "stored": False,
        "seconds": seconds,
        "time": spell(seconds),
        "problem": missing or None,
    }


def row(answer: Answer) -> Told:
    """Tell an answer as a flat row of a table, with its geometry as a mol block.

    Parameters
    ----------
    answer
        The answer to one question.

    Returns
    -------
    dict
        "cells" as in `Answer.to_row`, and "block": a mol block, empty where there is none.
    """
    cells = answer.to_row()
    cells["problem"] = plain(answer.problem) or ""
    return {"cells": cells, "block": _block(answer)}


def _block(answer: Answer) -> str:
    if answer.molecule is None:
        return ""
    named = replace(answer.molecule, name=np.array([answer.label]))
    try:
        return "".join(WRITERS["sdf"](Dataset(named))).removesuffix("$$$$\n")
    except InputError:  # a geometry that shows no bonds
        return ""


def reaction(found: Reaction, artefact: Artefact) -> Told:
    """Tell a reaction, with everything of its species.

    Parameters
    ----------
    found
        The reaction.
    artefact
        The model that was asked.
    """
    out: Told = found.to_dict()
    out["problem"] = plain(found.problem)
    species = [
        {
            "species": one.text,
            "coefficient": float(one.coefficient),
            "answer": told(one.answer, artefact),
            "thermochemistry": one.thermal.to_dict() if one.thermal else None,
        }
        for one in found.participants
    ]
    return out | {"species": species}
