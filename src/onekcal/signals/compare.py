"""Signals side by side: each judged by the same errors of the same molecules."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from onekcal.errors import InputError
from onekcal.signals.registry import SIGNALS, gather, signal
from onekcal.signals.subject import Subject
from onekcal.trust.judged import LARGE, Judged, judge
from onekcal.trust.metrics import KCAL
from onekcal.trust.ranking import Floats

APART = "apart from "
"""The beginning of the name of a signal that is the difference from another run."""


@dataclass(frozen=True)
class Told:
    """One signal of a subject.

    Parameters
    ----------
    meaning, unit
        What it is, and in which unit; empty where it has none.
    values
        (M,) of the molecules.
    judged
        Its figures.
    of_atoms
        Whether the model tells it of each atom, too.
    """

    meaning: str
    unit: str
    values: Floats
    judged: Judged
    of_atoms: bool


@dataclass(frozen=True)
class Compared:
    """All signals of a subject on M molecules.

    Parameters
    ----------
    subject
        The model and its molecules.
    error
        (M,) predicted − reference, in the model's unit; finite.
    told
        The signals by name.
    absent
        By name: why the model does not give the others.
    lost
        Molecules without a finite prediction; they are in no figure.
    oracle
        The figures of the true error as a signal, which no signal can beat.
    coverage
        The share of molecules that intervals are to cover.
    """

    subject: Subject
    error: Floats
    told: dict[str, Told]
    absent: dict[str, str]
    lost: int
    oracle: Judged
    coverage: float

    def to_dict(self) -> dict[str, object]:
        """Return the figures, for JSON."""
        size = np.abs(self.error)
        return {
            "name": self.subject.name,
            "unit": self.subject.artefact.unit,
            "molecules": len(size),
            "lost": self.lost,
            "mae": float(size.mean()),
            "large": float((size > large_of(self.subject)).mean()),
            "signals": {
                name: {
                    "meaning": each.meaning,
                    "unit": each.unit,
                    "of_atoms": each.of_atoms,
                    **figures(each.judged),
                }
                for name, each in self.told.items()
            },
            "absent": self.absent,
            "oracle": figures(self.oracle),
        }


def figures(judged: Judged) -> dict[str, object]:
    """Return the figures of a signal without its curves, for JSON.

    Parameters
    ----------
    judged
        The figures.
    """
    left_out = ("figure", "curve")
    return {name: value for name, value in vars(judged).items() if name not in left_out}


def large_of(subject: Subject) -> float:
    """Return the error above which a molecule counts as wrong.

    Parameters
    ----------
    subject
        The model and its molecules.

    Returns
    -------
    float
        1 kcal/mol; infinite for values in another unit.
    """
    return LARGE if subject.artefact.unit == KCAL else math.inf


def compare(
    subjects: Sequence[Subject], names: Sequence[str] = (), coverage: float = 0.9
) -> list[Compared]:
    """Judge the signals of models by their errors.

    Models that were asked about the same molecules also doubt what they disagree about.

    Parameters
    ----------
    subjects
        The models and their molecules.
    names
        The signals; all where there are none.
    coverage
        The share of molecules that intervals are to cover.

    Returns
    -------
    list of Compared
        One for each subject.

    Raises
    ------
    InputError
        A model gives no finite answer at all.
    """
    for name in names:
        signal(name)  # refuses what is not there before anything is computed
    answers = [_answers(subject) for subject in subjects]
    out = []
    for k, subject in enumerate(subjects):
        others = {
            other.name: answers[j]
            for j, other in enumerate(subjects)
            if j != k and _same(subject, other)
        }
        out.append(_compared(subject, answers[k], others, names or tuple(SIGNALS), coverage))
    return out


def _answers(subject: Subject) -> Floats:
    test = subject.test
    with torch.no_grad():
        return subject.artefact.model.energies(test.molecules, test.columns).double().numpy()


def _same(one: Subject, other: Subject) -> bool:
    """Whether two models were asked for the same values of the same molecules."""
    ours, theirs = one.test.molecules, other.test.molecules
    return (
        len(ours) == len(theirs)
        and torch.equal(ours.numbers, theirs.numbers)
        and torch.allclose(one.test.energies, other.test.energies, atol=1e-6)
    )


def _compared(
    subject: Subject,
    answers: Floats,
    others: Mapping[str, Floats],
    names: Sequence[str],
    coverage: float,
) -> Compared:
    error = answers - subject.test.energies.double().numpy()
    kept = np.isfinite(error)
    if not kept.any():
        raise InputError(f"{subject.name} gives no finite answer to any of {len(error)} molecules")
    gathered = gather(subject.asked, names)
    unit, large = subject.artefact.unit, large_of(subject)

    def told(meaning: str, own_unit: str, values: Floats, of_atoms: bool = False) -> Told:
        judged = judge(values[kept], error[kept], coverage, large)
        # signals speak of energies; a property has a unit of its own
        said = unit if own_unit == KCAL else own_unit
        return Told(meaning, said, values[kept], judged, of_atoms)

    every = {
        name: told(*signal(name)[:2], doubt.values.double().numpy(), doubt.atoms is not None)
        for name, doubt in gathered.doubts.items()
    }
    for name, theirs in others.items():
        meaning = f"difference from the answers of {name}"
        every[APART + name] = told(meaning, unit, np.abs(answers - theirs))
    oracle = judge(np.abs(error[kept]), error[kept], coverage, large)
    lost = int((~kept).sum())
    return Compared(subject, error[kept], every, gathered.absent, lost, oracle, coverage)
