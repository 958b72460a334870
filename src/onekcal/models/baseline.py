"""Baseline: an energy somebody else computed, as a stage; what is left is learned by the stages after it.

`Baseline("b3lyp")` reads the column `b3lyp` of the data. Where that column is absent and the name is a live method
(`gfn2`, `gfn1`, or any FUNCTIONAL/BASIS), it is computed on the spot, so a model trained on tabulated GFN2 energies
predicts a new molecule. A name that is neither raises.

`Baseline("gfn2", live=True)` never reads the column.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from typing_extensions import Self

from onekcal.data.dataset import Columns, Dataset
from onekcal.errors import DataError, InputError
from onekcal.models.model import State
from onekcal.molecules import Molecules


class Baseline:
    """The energy of `method`, kcal/mol relative to free atoms, taken as it is."""

    def __init__(self, method: str, live: bool = False) -> None:
        self.method, self.live = method, live

    def fit(self, train: Dataset, valid: Dataset) -> Self:
        """Nothing to learn; checks that a column read is an energy relative to free atoms."""
        column = train.columns.get(self.method)
        if column is not None and not self.live and column.kind != "atomization":
            raise DataError(f"the baseline column {self.method!r} must be relative to free atoms, it is "
                            f"{column.meaning!r}")
        return self

    def energies(self, molecules: Molecules, columns: Columns | None = None) -> Tensor:
        """(M,) kcal/mol."""
        if self._reads(columns, self.method):
            assert columns is not None
            return columns[self.method].values.to(torch.float64)
        from onekcal.labels.methods import single_point

        how = self._live_method(columns)
        return torch.tensor([single_point(molecule, how).energy for molecule in molecules], dtype=torch.float64)

    def forces(self, molecules: Molecules, columns: Columns | None = None) -> Tensor:
        """(A, 3) kcal/mol/Å from the column `<method>_forces`, else computed."""
        name = f"{self.method}_forces"
        if self._reads(columns, name):
            assert columns is not None
            return columns[name].values.to(torch.float64)
        from onekcal.labels.methods import single_point

        how = self._live_method(columns)
        parts = [single_point(molecule, how, forces=True).forces for molecule in molecules]
        return torch.as_tensor(np.concatenate([part for part in parts if part is not None]))

    def _reads(self, columns: Columns | None, name: str) -> bool:
        return not self.live and columns is not None and name in columns

    def _live_method(self, columns: Columns | None):  # type: ignore[no-untyped-def]
        from onekcal.labels.methods import method

        try:
            return method(self.method)
        except InputError as problem:
            there = ", ".join(columns or {}) or "none"
            raise DataError(f"the baseline needs a column {self.method!r} (there is: {there}) or a method that can be "
                            f"computed: {problem}") from None

    def state(self) -> State:
        return {}

    def load_state(self, state: State) -> Self:
        return self
