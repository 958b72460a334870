"""A model whose energies, forces and vibrations are known: springs between all pairs of atoms."""

from __future__ import annotations

import torch
from torch import Tensor

from onekcal.data.dataset import Columns
from onekcal.models.artefact import Artefact
from onekcal.models.model import Model, State
from onekcal.models.stack import Stack
from onekcal.molecules import Molecules

SPRING = 500.0
"""kcal/mol/Å²."""


class Springs(Model):
    """½ k (r − r₀)² of every pair; r₀ is its distance at the start."""

    differentiable = True

    def __init__(self, start: Molecules, stiff: float = SPRING) -> None:
        self.rest = torch.cdist(start.positions, start.positions)
        self.stiff = stiff

    def energies(self, molecules: Molecules, columns: Columns | None = None) -> Tensor:
        """(M,) kcal/mol."""
        size = len(self.rest)
        i, j = torch.triu_indices(size, size, 1)
        x = molecules.positions.reshape(-1, size, 3)
        apart = (x[:, i] - x[:, j]).norm(dim=-1)
        return (0.5 * self.stiff * (apart - self.rest[i, j]) ** 2).sum(1)

    def state(self) -> State:
        """Return what makes it differ from others."""
        return {"rest": self.rest, "stiff": torch.tensor(self.stiff)}


class Novel(Springs):
    """Springs that take the stretch of the first bond (Å) for their novelty."""

    def novelty(self, molecules: Molecules) -> Tensor:
        """(1,) Å, of one molecule."""
        x = molecules.positions
        return ((x[0] - x[1]).norm() - self.rest[0, 1]).abs()[None]


def springs(molecule: Molecules, **about: object) -> Artefact:
    """Return springs around a molecule as a fitted model of electronic energies."""
    given: dict[str, object] = {"elements": molecule.elements, "level": "springs", **about}
    model = given.pop("model", None) or Springs(molecule)
    return Artefact([], Stack([model]), **given)  # type: ignore[arg-type, list-item]
