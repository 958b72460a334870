"""What a signal of doubt is: a number of each molecule that should grow with the model's error.

A signal is a name, a meaning, a unit, and a function of `Asked` that returns a `Doubt` or raises
`Absent`. Each stands in one file of this room and has one line in `registry.py`. A signal from
outside needs no line: its name is `module:NAME`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Self, TypeVar

from torch import Tensor

from onekcal.data.dataset import Dataset
from onekcal.errors import InputError
from onekcal.models.artefact import Artefact
from onekcal.models.blend import every_stage
from onekcal.models.model import Model
from onekcal.models.stack import Stack
from onekcal.trust.conformal import Conformal

Sort = TypeVar("Sort", bound=Model)


class Absent(InputError):
    """A model cannot give a signal; the message says why."""


@dataclass(frozen=True)
class Trained:
    """Molecules that a model was fitted to.

    Parameters
    ----------
    data
        All of them, or some drawn at random.
    share
        The share of all that they are.
    """

    data: Dataset
    share: float = 1.0


@dataclass(frozen=True)
class Asked:
    """What a signal may look at.

    Parameters
    ----------
    model
        The fitted stack.
    data
        M molecules with A atoms in all, and the columns that the model reads. Signals do not look
        at labels.
    trained
        What the model was fitted to; None where it is not at hand.
    intervals
        How its intervals were calibrated at such geometries; None where they were not.
    """

    model: Stack
    data: Dataset
    trained: Trained | None = None
    intervals: Conformal | None = None

    @classmethod
    def of(cls, artefact: Artefact, data: Dataset, trained: Trained | None = None) -> Self:
        """Ask a fitted model, at geometries of the kind that it was fitted to.

        Parameters
        ----------
        artefact
            The model with its intervals.
        data, trained
            As above.
        """
        intervals = artefact.calibration.get(artefact.geometry or "data")
        return cls(artefact.model, data, trained, intervals)

    def stages(self, sort: type[Sort]) -> Iterator[Sort]:
        """Give the stages of a class, those of members of blends too.

        Parameters
        ----------
        sort
            The class.
        """
        yield from (stage for stage in every_stage(self.model) if isinstance(stage, sort))

    def need_trained(self) -> Trained:
        """Return the training molecules.

        Raises
        ------
        Absent
            They are not at hand.
        """
        if self.trained is None:
            raise Absent("needs the molecules that the model was fitted to, which are not at hand")
        return self.trained


class Doubt(NamedTuple):
    """How much a model doubts its answers.

    Parameters
    ----------
    values
        (M,) float64; the larger, the more.
    atoms
        (A,) how much of it belongs to each atom; None where the signal does not tell.
    """

    values: Tensor
    atoms: Tensor | None = None


class Signal(NamedTuple):
    """A signal of doubt.

    Parameters
    ----------
    meaning
        What it is, in a few words.
    unit
        Its unit; empty where it has none.
    of
        Computes it; raises `Absent` where the model cannot give it.
    """

    meaning: str
    unit: str
    of: Callable[[Asked], Doubt]
