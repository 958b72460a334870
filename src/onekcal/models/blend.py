r"""Blend: a mean of several models with weights found on validation data.

    E = Σ_k w_k E_k,   w_k ≥ 0,   Σ_k w_k = 1
    w  minimises  Σ_m (y_m − Σ_k w_k E_km)²  over the validation molecules m
    variance = Σ_k w_k (E_k − E)²,  the disagreement of the members

With weights that sum to 1, the error of the mean is the mean of the errors e_k = y − E_k, and the
minimum is a direction alone: u minimises |Σ_k u_k e_k|² + (Σ_k u_k − 1)² over u ≥ 0 (non-negative
least squares), and w = u / Σ u.

The mean is never further from the target than the members are in the mean, and disagreement says by
how much it is nearer: Krogh, Vedelsby, Adv. Neural Inf. Process. Syst. 7, 231 (1995).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Self

import numpy as np
import torch
from scipy.optimize import nnls
from torch import Tensor

from onekcal.data.dataset import Columns, Dataset
from onekcal.errors import ConfigError
from onekcal.models.model import Model, State
from onekcal.models.registry import build
from onekcal.models.setting_types import check_settings, settings_of
from onekcal.models.stack import Stack
from onekcal.molecules import Molecules

Entry = str | dict[str, object]
"""A stage as an experiment writes it: its name, or its name with settings."""


class Blend(Model):
    """A weighted mean of models, each fitted to the same energies.

    Parameters
    ----------
    members
        The models: two or more stages as an experiment writes them, or a list of stages for a
        member that is a stack itself.
    weights
        One weight for each member, not negative. None finds them on the validation molecules; where
        there are none, all members weigh the same.
    """

    def __init__(
        self, members: list[Entry | list[Entry]], weights: list[float] | None = None
    ) -> None:
        if len(members) < 2:
            raise ConfigError(f"blend: `members` takes two models or more, got {len(members)}")
        self._entries = [_entries(one) for one in members]
        self.members = [Stack([build(*stage) for stage in entry]) for entry in self._entries]
        if weights is not None and (
            len(weights) != len(members) or min(weights) < 0 or not sum(weights) > 0
        ):
            raise ConfigError(
                f"blend: `weights` takes {len(members)} numbers of 0 or more, one for each member, "
                f"got {weights}"
            )
        self._given = weights
        self.weights = _normalised(weights or [1.0] * len(members))  # (members,)

    def __repr__(self) -> str:
        parts = zip(self.weights.tolist(), self.members)
        return f"Blend({' + '.join(f'{w:.3f} {member!r}' for w, member in parts)})"

    @property
    def differentiable(self) -> bool:  # type: ignore[override]
        """Whether `energies` keeps the graph of the positions: where all members do."""
        return all(stage.differentiable for member in self.members for stage in member.stages)

    @property
    def chosen(self) -> Mapping[str, object]:  # type: ignore[override]
        """The weights and what the members chose, for a fit to more data."""
        members = [
            [
                {name: settings | dict(stage.chosen)}
                for (name, settings), stage in zip(entry, member.stages)
            ]
            for entry, member in zip(self._entries, self.members)
        ]
        return {"members": members, "weights": self.weights.tolist()}

    @property
    def summary(self) -> Mapping[str, object]:  # type: ignore[override]
        """The weights, for the metrics of a run."""
        return {"weights": self.weights.tolist()}

    def fit(self, train: Dataset, valid: Dataset) -> Self:
        """Fit every member to `train`, and find the weights on the energies of `valid`."""
        for member in self.members:
            member.fit(train, valid)
        if self._given is None and len(valid):
            answers = self._answers(valid.molecules, valid.columns)  # (members, M)
            self.weights = best_weights(valid.energies[None] - answers)
        return self

    def _answers(self, molecules: Molecules, columns: Columns | None) -> Tensor:
        return torch.stack([member.energies(molecules, columns) for member in self.members])

    def energies(self, molecules: Molecules, columns: Columns | None = None) -> Tensor:
        """(M,) kcal/mol."""
        return self.weights @ self._answers(molecules, columns)

    def forces(self, molecules: Molecules, columns: Columns | None = None) -> Tensor:
        """(A, 3) kcal/mol/Å; each member derives its own."""
        each = torch.stack([member.forces(molecules, columns) for member in self.members])
        return torch.tensordot(self.weights, each, 1)

    def energies_and_forces(
        self, molecules: Molecules, columns: Columns | None = None
    ) -> tuple[Tensor, Tensor]:
        """(M,) kcal/mol and (A, 3) kcal/mol/Å."""
        parts = [member.energies_and_forces(molecules, columns) for member in self.members]
        energies, forces = (torch.stack(each) for each in zip(*parts))
        return self.weights @ energies, torch.tensordot(self.weights, forces, 1)

    def variance(self, molecules: Molecules) -> Tensor:
        """(M,) kcal²/mol², how much the members disagree."""
        with torch.no_grad():
            answers = self._answers(molecules, None)
        return self.weights @ (answers - self.weights @ answers).square()

    def novelty(self, molecules: Molecules) -> Tensor | None:
        """(M,) by the first member of some weight that can tell; else the disagreement, kcal/mol.

        A member's own measure comes first: members may agree on what none of them has seen.
        """
        for weight, member in zip(self.weights.tolist(), self.members):
            if weight and (novelty := member.novelty(molecules)) is not None:
                return novelty
        return self.variance(molecules).sqrt()

    def atomic_energies(self, molecules: Molecules) -> Tensor | None:
        """(A,) kcal/mol; None where a member does not tell."""
        each = [member.atomic_energies(molecules) for member in self.members]
        known = [one for one in each if one is not None]
        return self.weights @ torch.stack(known) if len(known) == len(each) else None

    def check(self, molecules: Molecules) -> None:
        """Refuse molecules that a member cannot answer."""
        for member in self.members:
            member.check(molecules)

    def state(self) -> State:
        """Return the weights, and the tensors of all members behind their numbers."""
        parts = {
            f"{k}.{name}": t
            for k, member in enumerate(self.members)
            for name, t in member.state().items()
        }
        return {"weights": self.weights, **parts}

    def load_state(self, state: State) -> Self:
        """Take back what `state` returned."""
        self.weights = state["weights"]
        for k, member in enumerate(self.members):
            prefix = f"{k}."
            member.load_state(
                {name[len(prefix) :]: t for name, t in state.items() if name.startswith(prefix)}
            )
        return self


def every_stage(stack: Stack) -> Iterator[Model]:
    """Give the stages of a stack, and those of the members of its blends.

    Parameters
    ----------
    stack
        The stack.
    """
    for stage in stack.stages:
        yield stage
        if isinstance(stage, Blend):
            for member in stage.members:
                yield from every_stage(member)


def best_weights(errors: Tensor) -> Tensor:
    """Find the non-negative weights of sum 1 whose mean has the smallest square error.

    Parameters
    ----------
    errors
        (members, M) kcal/mol, target minus answer.

    Returns
    -------
    Tensor
        (members,), float64.
    """
    scale = float(errors.square().mean().sqrt()) or 1.0
    rows = (errors.to(torch.float64).T / (scale * len(errors.T) ** 0.5)).numpy()
    found, _ = nnls(np.vstack([rows, np.ones(len(errors))]), np.append(np.zeros(len(rows)), 1.0))
    return _normalised(found.tolist())


def _normalised(weights: Sequence[float]) -> Tensor:
    found = torch.tensor(weights, dtype=torch.float64)
    return found / found.sum()


def _entries(member: Entry | list[Entry]) -> list[tuple[str, dict[str, object]]]:
    """Name and settings of each stage of a member."""
    out = []
    for entry in member if isinstance(member, list) else [member]:
        if isinstance(entry, dict) and len(entry) != 1:
            raise ConfigError(f"blend: a member is `name` or `name: {{settings}}`, got {entry}")
        name, value = (entry, None) if isinstance(entry, str) else next(iter(entry.items()))
        settings = settings_of(name, value)
        check_settings(name, settings)
        out.append((name, settings))
    if not out:
        raise ConfigError("blend: a member must have at least one stage, got an empty list")
    return out
