"""A stack is a sum of stages, each fitted to what the earlier ones left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor

from onekcal.data.dataset import Columns, Dataset
from onekcal.models.model import Model, State, forces
from onekcal.molecules import Molecules


class Stack:
    """E = Σ stages. Obeys the model protocol itself."""

    def __init__(self, stages: Sequence[Model]) -> None:
        self.stages = list(stages)

    def fit(self, train: Dataset, valid: Dataset) -> Self:
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
        return torch.stack([forces(stage, molecules, columns) for stage in self.stages]).sum(0)

    def novelty(self, molecules: Molecules) -> Tensor | None:
        """(M,) how unlike the training data each molecule is, by the stage that can tell; None where none can."""
        for stage in reversed(self.stages):
            if hasattr(stage, "novelty"):
                return stage.novelty(molecules)
        return None

    def terms(self, molecules: Molecules) -> dict[str, Tensor]:
        """What stages tell of each molecule besides its energy, such as HIP-NN's R (M,) and orders (M, k)."""
        return {
            name: values
            for stage in self.stages
            if hasattr(stage, "terms")
            for name, values in stage.terms(molecules).items()
        }

    def atomic_energies(self, molecules: Molecules) -> Tensor | None:
        """(A,) kcal/mol: how the last stage shares its energy among atoms; None where it does not say."""
        last = self.stages[-1]
        return last.atomic_energies(molecules) if hasattr(last, "atomic_energies") else None

    def state(self) -> State:
        return {
            f"{k}.{name}": t
            for k, stage in enumerate(self.stages)
            for name, t in stage.state().items()
        }

    def load_state(self, state: State) -> Self:
        for k, stage in enumerate(self.stages):
            prefix = f"{k}."
            stage.load_state(
                {name[len(prefix) :]: t for name, t in state.items() if name.startswith(prefix)}
            )
        return self


def _left(data: Dataset, stage: Model) -> Dataset:
    energies = stage.energies(data.molecules, data.columns)
    pull = forces(stage, data.molecules, data.columns) if data.forces is not None else None
    return data.minus(energies, pull)
