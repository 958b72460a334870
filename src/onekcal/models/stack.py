"""A stack is a sum of stages, each fitted to what the earlier ones left."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Self

import torch
from torch import Tensor

from onekcal.data.dataset import Columns, Dataset
from onekcal.errors import InputError
from onekcal.models.model import Model, State
from onekcal.molecules import Molecules


class Stack(Model):
    """A sum of stages, E = Σ stages; it is a model itself.

    Parameters
    ----------
    stages
        The models, in the order in which they are fitted.
    """

    def __init__(self, stages: Sequence[Model]) -> None:
        self.stages = list(stages)

    def __repr__(self) -> str:
        return f"Stack({' + '.join(type(stage).__name__ for stage in self.stages)})"

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the stages, and with `deep` their settings as STAGE__SETTING.

        Parameters
        ----------
        deep
            Whether the settings of the stages are there, too.
        """
        out: dict[str, Any] = {"stages": self.stages}
        for k, stage in enumerate(self.stages if deep else ()):
            same = [type(one) for one in self.stages].count(type(stage)) > 1
            name = f"{type(stage).__name__}{k if same else ''}"
            out |= {f"{name}__{key}": value for key, value in stage.get_params().items()}
        return out

    def fit(self, train: Dataset, valid: Dataset) -> Self:
        """Fit each stage to what the earlier ones left."""
        for stage in self.stages:
            stage.fit(train, valid)
            if stage is not self.stages[-1]:
                train, valid = _left(train, stage), _left(valid, stage)
        return self

    def energies(self, molecules: Molecules, columns: Columns | None = None) -> Tensor:
        """(M,) kcal/mol."""
        return torch.stack([stage.energies(molecules, columns) for stage in self.stages]).sum(0)

    def forces(self, molecules: Molecules, columns: Columns | None = None) -> Tensor:
        """(A, 3) kcal/mol/Å."""
        return torch.stack([stage.forces(molecules, columns) for stage in self.stages]).sum(0)

    def energies_and_forces(
        self, molecules: Molecules, columns: Columns | None = None
    ) -> tuple[Tensor, Tensor]:
        """(M,) kcal/mol and (A, 3) kcal/mol/Å."""
        parts = [stage.energies_and_forces(molecules, columns) for stage in self.stages]
        energies, forces = zip(*parts)
        return torch.stack(energies).sum(0), torch.stack(forces).sum(0)

    def novelty(self, molecules: Molecules) -> Tensor | None:
        """(M,) how unlike the training data each molecule is, by the last stage that can tell."""
        for stage in reversed(self.stages):
            if (novelty := stage.novelty(molecules)) is not None:
                return novelty
        return None

    def variance(self, molecules: Molecules) -> Tensor:
        """(M,) kcal²/mol² of the last stage that has a variance; the others are taken as sure."""
        for stage in reversed(self.stages):
            with suppress(InputError):
                return stage.variance(molecules)
        return super().variance(molecules)

    def terms(self, molecules: Molecules) -> dict[str, Tensor]:
        """Return further values of each molecule from all stages, such as HIP-NN's R (M,)."""
        return {
            name: values for stage in self.stages for name, values in stage.terms(molecules).items()
        }

    def atomic_energies(self, molecules: Molecules) -> Tensor | None:
        """(A,) kcal/mol that the last stage gives each atom; None where it does not tell."""
        return self.stages[-1].atomic_energies(molecules)

    def check(self, molecules: Molecules) -> None:
        """Refuse molecules that a stage cannot answer."""
        for stage in self.stages:
            stage.check(molecules)

    def state(self) -> State:
        """Return the tensors of all stages; their names begin with the number of the stage."""
        return {
            f"{k}.{name}": t
            for k, stage in enumerate(self.stages)
            for name, t in stage.state().items()
        }

    def load_state(self, state: State) -> Self:
        """Take back what `state` returned."""
        for k, stage in enumerate(self.stages):
            prefix = f"{k}."
            stage.load_state(
                {name[len(prefix) :]: t for name, t in state.items() if name.startswith(prefix)}
            )
        return self


def _left(data: Dataset, stage: Model) -> Dataset:
    energies = stage.energies(data.molecules, data.columns)
    pull = stage.forces(data.molecules, data.columns) if data.forces is not None else None
    return data.minus(energies, pull)
