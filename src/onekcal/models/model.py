"""The one model protocol: `fit(train, valid) -> self` and `energies(molecules, columns) -> (M,)` kcal/mol.

Energies are relative to free atoms, negative when bound. A model that needs a column (a tabulated baseline, say)
raises when it is absent. Forces are derived in one place, `forces`, for every model.

A model stores itself as tensors and plain settings: `state()` returns `{name: Tensor}`, `load_state` takes it back;
the keyword arguments of its class are its settings and must be JSON. Nothing is pickled.
"""

from __future__ import annotations

from typing import Protocol, Self, runtime_checkable

import torch
from torch import Tensor

from onekcal.data.dataset import Columns, Dataset
from onekcal.molecules import Molecules

State = dict[str, Tensor]


@runtime_checkable
class Model(Protocol):
    """What can be fitted to energies and asked for them."""

    def fit(self, train: Dataset, valid: Dataset) -> Self:
        """Learn `train.energies`; `valid` may be looked at to stop or to choose, never to fit."""
        ...

    def energies(self, molecules: Molecules, columns: Columns | None = None) -> Tensor:
        """(M,) float64 kcal/mol relative to free atoms."""
        ...

    def state(self) -> State:
        """Everything fitted, as tensors."""
        ...

    def load_state(self, state: State) -> Self:
        """The inverse of `state`."""
        ...


DIFFERENTIATED = 16
"""Molecules at a time whose forces are derived: the graph of a kernel takes some 5 to 10 MB a molecule."""
STEP = 5e-3
"""Å; central differences of a model without derivatives. Energies in float64 are smooth to ~1e-9 kcal/mol."""


def forces(model: Model, molecules: Molecules, columns: Columns | None = None) -> Tensor:
    """(A, 3) kcal/mol/Å: −dE/dx by the model's own `forces`, else autograd, else central differences.

    A model offers `forces(molecules, columns)` where it has a cheaper way; one whose `energies` keeps the graph says
    so with `differentiable = True`.
    """
    own = getattr(model, "forces", None)
    if own is not None:
        return own(molecules, columns)
    if getattr(model, "differentiable", False):
        whole = Dataset(molecules, dict(columns or {}))
        parts = (
            whole[first : first + DIFFERENTIATED]
            for first in range(0, len(molecules), DIFFERENTIATED)
        )
        return torch.cat(
            [torch.zeros(0, 3, dtype=torch.float64), *(_slope(model, part) for part in parts)]
        )
    return central_differences(model, molecules)


def _slope(model: Model, data: Dataset) -> Tensor:
    positions = data.molecules.positions.clone().requires_grad_(True)
    with torch.enable_grad():
        total = model.energies(data.molecules.moved(positions), data.columns).sum()
        return -torch.autograd.grad(total, positions)[0]


def central_differences(model: Model, molecules: Molecules) -> Tensor:
    """Every coordinate of one molecule a step forth and back, all in one batch.

    Columns belong to the geometry they were computed at, so none are passed: a model that needs one raises.
    """
    out = [torch.zeros(0, 3, dtype=torch.float64)]
    for molecule in molecules:
        count = 3 * len(molecule.numbers)
        steps = STEP * torch.eye(count, dtype=torch.float64).reshape(count, -1, 3)
        moved = Molecules.concatenate(
            [molecule.moved(molecule.positions + sign * step) for sign in (1, -1) for step in steps]
        )
        up, down = model.energies(moved).reshape(2, count)
        out.append(-(up - down).reshape(-1, 3) / (2 * STEP))
    return torch.cat(out)
