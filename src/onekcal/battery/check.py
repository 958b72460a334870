"""What a check of the sanity battery is: something physics demands of every model of energies.

A check is a meaning, a unit, a limit, and a function that measures how far a model is from it. Each
stands in one file of this room and has one line in `run.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from onekcal.errors import InputError, OnekcalError
from onekcal.models.artefact import Artefact
from onekcal.molecules import Molecules

Floats = npt.NDArray[np.float64]


class NotAsked(InputError):
    """A check has no meaning for a model; the message says why."""


@dataclass(frozen=True)
class Patient:
    """The model that is checked.

    Parameters
    ----------
    artefact
        The model.
    molecules
        M molecules at geometries, of elements that it knows.
    """

    artefact: Artefact
    molecules: Molecules

    def energies(self, molecules: Molecules) -> Floats:
        """Ask the model.

        Parameters
        ----------
        molecules
            M molecules.

        Returns
        -------
        array
            (M,) kcal/mol.
        """
        with torch.no_grad():
            return self.artefact.model.energies(molecules).double().numpy()

    def smallest(self, atoms: int) -> Molecules:
        """Return the smallest molecule of at least so many atoms, or else the largest."""
        sizes = self.molecules.sizes
        enough = sizes >= min(atoms, int(sizes.max()))
        return self.molecules[[int(torch.where(enough, sizes, sizes.max() + 1).argmin())]]


class Measured(NamedTuple):
    """How far a model is from what a check demands.

    Parameters
    ----------
    value
        In the unit of the check; 0 is perfect.
    note
        What was asked, in a few words.
    """

    value: float
    note: str = ""


class Check(NamedTuple):
    """Something that every model should do.

    Parameters
    ----------
    meaning
        What is measured.
    unit
        Its unit.
    limit
        A larger value fails.
    of
        Measures it; raises `NotAsked` where it has no meaning.
    """

    meaning: str
    unit: str
    limit: float
    of: Callable[[Patient], Measured]


@dataclass(frozen=True)
class Outcome:
    """What came of a check.

    Parameters
    ----------
    name, meaning, unit, limit
        Of the check.
    value
        What was measured; None where the check was not asked.
    passed
        Whether the value is within the limit; None where the check was not asked.
    note
        What was asked, or why it was not.
    seconds
        How long it took.
    """

    name: str
    meaning: str
    unit: str
    limit: float
    value: float | None
    passed: bool | None
    note: str
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return everything, for JSON."""
        return dict(vars(self))


def checked(name: str, check: Check, patient: Patient) -> Outcome:
    """Do a check.

    Parameters
    ----------
    name
        Its name.
    check
        The check.
    patient
        The model.

    Returns
    -------
    Outcome
        What came of it. A model that cannot answer has not been asked.
    """
    started = time.perf_counter()
    try:
        value, note = check.of(patient)
        passed: bool | None = bool(value <= check.limit)  # not a number fails
        known: float | None = value
    except OnekcalError as problem:
        known, passed, note = None, None, " ".join(str(problem).split())
    seconds = time.perf_counter() - started
    return Outcome(name, check.meaning, check.unit, check.limit, known, passed, note, seconds)
