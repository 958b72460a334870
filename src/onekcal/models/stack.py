"""A stack is a sum of stages, each fitted to what the earlier ones left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor

from onekcal.data.dataset import Columns, Dataset
from onekcal.models.model import Model, State
from onekcal.molecules import Molecules


class Stack(Model):
    """E = Σ stages. Obeys the model protocol itself."""

    def __init__(self, stages: Sequence[Model]) -> None:
        self.stages = list(stages)

    def __repr__(self) -> str:
        return f"Stack({' + '.join(type(stage).__name__ for stage in self.stages)})"

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
        return torch.stack([stage.forces(molecules, columns) for stage in self.stages]).sum(0)

    def novelty(self, molecules: Molecules) -> Tensor | None:
        """(M,) how unlike the training data each molecule is; None where no stage can tell.

        The last stage that can tell answers.
        """
        for stage in reversed(self.stages):
            if (novelty := stage.novelty(molecules)) is not None:
                return novelty
        return None

    def terms(self, molecules: Molecules) -> dict[str, Tensor]:
        """Further values of each molecule from all stages, such as HIP-NN's R (M,)."""
        return {
            name: values for stage in self.stages for name, values in stage.terms(molecules).items()
        }

    def atomic_energies(self, molecules: Molecules) -> Tensor | None:
        """(A,) kcal/mol: the last stage's energy shared among atoms; None where it does
        not tell.
        """
        return self.stages[-1].atomic_energies(molecules)

    def check(self, molecules: Molecules) -> None:
        """Refuse what a stage cannot answer."""
        for stage in self.stages:
            stage.check(molecules)

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
    pull = stage.forces(data.molecules, data.columns) if data.forces is not None else None
    return data.minus(energies, pull)
