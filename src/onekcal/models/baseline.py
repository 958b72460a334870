"""Baseline: the energy of another method as a stage; later stages learn what is left.

`Baseline("b3lyp")` reads the column `b3lyp` of the data. Where that column is absent and the name
is a method that can be computed (`gfn2`, `gfn1`, or any FUNCTIONAL/BASIS), the energy is computed.
So a model that was trained on tabulated GFN2 energies predicts a new molecule. Any other name is an
error. `Baseline("gfn2", live=True)` never reads the column.

`Baseline("model:g4mp2")` asks another fitted model – one that ships, a run folder, a file – at the
given geometry. After the fit this stage holds that model. So the stack is one file, and its answers
stay the same after the other model has been replaced or deleted.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Self, TypedDict

import numpy as np
import torch
from torch import Tensor

from onekcal.data.dataset import Columns, Dataset
from onekcal.errors import DataError, InputError
from onekcal.models.model import Model, State
from onekcal.models.registry import build
from onekcal.models.shipped import load_model
from onekcal.models.stack import Stack
from onekcal.molecules import SYMBOLS, Molecules

MODEL = "model:"
"""The beginning of the name of another model, and of its tensors in the state of this stage."""
ABOUT = "about"
"""The tensor that holds what is known about that model."""


class OtherModel(TypedDict, total=False):
    """What a stage knows of another model whose energies it gives."""

    stages: list[tuple[str, dict[str, object]]]
    level: str
    kind: str
    at: str
    own_geometry: bool
    """Whether its energies were computed at the geometries that it was fitted to."""
    data: str | None
    """Name of the data set that the model was fitted to."""
    digest: str | None
    """SHA-256 of that data set."""


class Baseline(Model):
    """The energy of another method, in kcal/mol relative to free atoms, taken as it is.

    Parameters
    ----------
    method
        What gives the energy: the name of a column of the data, a method that can be computed
        (`gfn2`, `gfn1`, or any FUNCTIONAL/BASIS), or `model:` and a fitted model (one that ships, a
        run folder or a model file).
    live
        Whether the energy is always computed. By default a column named `method` is read where the
        data have one.
    """

    def __init__(self, method: str, live: bool = False) -> None:
        self.method, self.live = method, live
        self.about: OtherModel = {}
        """What is known of the other model; empty where there is none."""
        self._stack: Stack | None = None

    def fit(self, train: Dataset, valid: Dataset) -> Self:
        """Check that the energy can be taken off the target; there is nothing to learn.

        Raises
        ------
        DataError
            The energy has another zero than the target, or the other model does not know an
            element.
        """
        if self.method.startswith(MODEL):
            self._take_model(train)
            return self
        column = train.columns.get(self.method)
        if column is not None and not self.live and column.kind != "atomization":
            raise DataError(
                f"the baseline column {self.method!r} must be relative to free atoms, it is "
                f"{column.meaning!r}"
            )
        return self

    def _take_model(self, train: Dataset) -> None:
        """Take the other model, if its energies can be taken off the target's.

        The two may differ in level and in state (electronic, 0 K): the stages after this one
        correct that. They may not differ in the zero of energy. Totals are the exception, because
        their atoms have to be fitted anyway.
        """
        found = load_model(self.method.removeprefix(MODEL))
        assert train.target is not None
        target = train.columns[train.target]
        wanted = "atomization" if target.kind == "total" else target.kind
        if found.kind not in (wanted, target.kind):
            raise DataError(
                f"baseline {self.method!r}: the model gives {found.kind} energies "
                f"({found.level or 'level unknown'}, {found.at}), which cannot be taken off the "
                f"target ({target.meaning}); it takes a model fitted to {wanted} energies"
            )
        strange = [SYMBOLS[z] for z in train.molecules.elements if z not in found.elements]
        if strange:
            raise DataError(
                f"baseline {self.method!r}: the model has never seen {', '.join(strange)}; it "
                f"knows {', '.join(SYMBOLS[z] for z in found.elements)}: leave those molecules out"
            )
        self._stack = found.model
        self.about = {
            "stages": list(found.stages),
            "level": found.level,
            "kind": found.kind,
            "at": found.at,
            "own_geometry": found.own_geometry,
            "data": found.card.data,
            "digest": found.card.digest,
        }

    def energies(self, molecules: Molecules, columns: Columns | None = None) -> Tensor:
        """(M,) kcal/mol."""
        if self.method.startswith(MODEL):
            with torch.no_grad():
                return self._other().energies(molecules, self._usable(columns))
        if self._reads(columns, self.method):
            assert columns is not None
            return columns[self.method].values.to(torch.float64)
        from onekcal.quantum.named import single_points

        points = single_points(molecules, self._live_method(columns))
        return torch.tensor([point.energy for point in points], dtype=torch.float64)

    def forces(self, molecules: Molecules, columns: Columns | None = None) -> Tensor:
        """(A, 3) kcal/mol/Å, from the column `<method>_forces` or computed."""
        if self.method.startswith(MODEL):
            return self._other().forces(molecules, self._usable(columns))
        name = f"{self.method}_forces"
        if self._reads(columns, name):
            assert columns is not None
            return columns[name].values.to(torch.float64)
        from onekcal.quantum.named import single_points

        points = single_points(molecules, self._live_method(columns), forces=True)
        return _together([point.forces for point in points])

    def energies_and_forces(
        self, molecules: Molecules, columns: Columns | None = None
    ) -> tuple[Tensor, Tensor]:
        """(M,) kcal/mol and (A, 3) kcal/mol/Å; where they are computed, of one calculation."""
        if self.method.startswith(MODEL):
            return self._other().energies_and_forces(molecules, self._usable(columns))
        if self._reads(columns, self.method):
            return self.energies(molecules, columns), self.forces(molecules, columns)
        from onekcal.quantum.named import single_points

        points = single_points(molecules, self._live_method(columns), forces=True)
        return (
            torch.tensor([point.energy for point in points], dtype=torch.float64),
            _together([point.forces for point in points]),
        )

    def _reads(self, columns: Columns | None, name: str) -> bool:
        return not self.live and columns is not None and name in columns

    def _live_method(self, columns: Columns | None):  # type: ignore[no-untyped-def]
        from onekcal.quantum.named import method

        try:
            return method(self.method)
        except InputError as problem:
            there = ", ".join(columns or {}) or "none"
            raise DataError(
                f"the baseline needs a column {self.method!r} (available: {there}) or a method "
                f"that can be computed: {problem}"
            ) from None

    def _other(self) -> Stack:
        """The other model; it is looked up by its name where this stage was not fitted."""
        if self._stack is None:
            self._stack = load_model(self.method.removeprefix(MODEL)).model
        return self._stack

    def _usable(self, columns: Columns | None) -> Columns | None:
        """Columns that may stand for a baseline of the other model: energies from free atoms."""
        if self.live or columns is None:
            return None
        return {
            name: column
            for name, column in columns.items()
            if column.quantity != "energy" or column.kind == "atomization"
        }

    def state(self) -> State:
        """Return the tensors of the other model, where there is one, and what is known about it."""
        if self._stack is None:
            return {}
        text = torch.frombuffer(bytearray(json.dumps(self.about).encode()), dtype=torch.uint8)
        return {
            ABOUT: text,
            **{MODEL + name: tensor for name, tensor in self._stack.state().items()},
        }

    def load_state(self, state: State) -> Self:
        """Take back what `state` returned."""
        if ABOUT in state:
            self.about = json.loads(bytes(state[ABOUT].tolist()))
            stack = Stack([build(name, settings) for name, settings in self.about["stages"]])
            self._stack = stack.load_state(
                {name.removeprefix(MODEL): t for name, t in state.items() if name != ABOUT}
            )
        return self


def _together(parts: Sequence[np.ndarray | None]) -> Tensor:
    """(A, 3) the forces of all molecules; (0, 3) of none."""
    return torch.as_tensor(
        np.concatenate([np.zeros((0, 3)), *(part for part in parts if part is not None)])
    )
