"""Baseline: an energy somebody else computed, as a stage; what is left is learned by the stages after it.

`Baseline("b3lyp")` reads the column `b3lyp` of the data. A stage that reads a column needs that column again at
predict time and raises when it is absent.
"""

from __future__ import annotations

import torch
from torch import Tensor
from typing_extensions import Self

from onekcal.data.dataset import Column, Columns, Dataset
from onekcal.errors import DataError
from onekcal.models.model import State
from onekcal.molecules import Molecules


class Baseline:
    """The column `method`, kcal/mol, taken as it is."""

    def __init__(self, method: str) -> None:
        self.method = method

    def fit(self, train: Dataset, valid: Dataset) -> Self:
        """Nothing to learn; checks that the column is there and is an energy relative to free atoms."""
        if self._column(train.columns).kind != "atomization":
            raise DataError(f"the baseline column {self.method!r} must be relative to free atoms, it is "
                            f"{train.columns[self.method].meaning!r}")
        return self

    def energies(self, molecules: Molecules, columns: Columns | None = None) -> Tensor:
        """(M,) kcal/mol."""
        return self._column(columns).values.to(torch.float64)

    def forces(self, molecules: Molecules, columns: Columns | None = None) -> Tensor:
        """(A, 3) kcal/mol/Å from the column `<method>_forces`."""
        return self._column(columns, "_forces").values.to(torch.float64)

    def _column(self, columns: Columns | None, suffix: str = "") -> Column:
        name = self.method + suffix
        if columns is None or name not in columns:
            raise DataError(f"the baseline needs a column {name!r}; there is: {', '.join(columns or {}) or 'none'}")
        return columns[name]

    def state(self) -> State:
        return {}

    def load_state(self, state: State) -> Self:
        return self
