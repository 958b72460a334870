r"""The fully connected baseline of the SchNet milestone report.

    E = Σ_i [w · (a_{Z_i} ⊕ relu(B relu(A r_i + a) + b)) + c]

a_Z has 8 dimensions, the map of the raw coordinates r_i (Å) 16. Oesch, Loan, Ha, "Project Machine
Learning: SchNet, Milestone 1" (2023), section 2; their table 5 is one epoch over 10,000 molecules
in batches of 32, on energies as they come.

An atom's energy depends on its position and not on its neighbours. So this energy changes when a
molecule is moved or turned, and its forces do not sum to zero. It does not depend on the order of
atoms.

The report does not tell of the sum over atoms, the width of the first layer (16, as of the second),
the ReLU after each layer, Adam and its rate. They are chosen here (see docs/papers/schnet.md). It
says that the weights begin with a Gaussian distribution around 0, and not how wide it is. Torch's
linear layers begin with a uniform one, which is the default; `deviation: 1.0` makes the other.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.nn.functional import relu

from onekcal.models.limits import check_positive
from onekcal.networks.model import NetworkModel
from onekcal.networks.network import Batch, Network, Output
from onekcal.networks.training.settings import Recipes

CHARGE, SPACE = 8, 16
"""Dimensions of the two embeddings."""

_TOY: dict[str, object] = {
    "optimizer": "adam",
    "schedule": "constant",
    "rate": 7e-3,
    "batch": 32,
    "epochs": 1,
    "window": 1,
    "standardize": False,
}


class Milestone(NetworkModel):
    """A fully connected network on raw coordinates; energies in kcal/mol, forces in kcal/mol/Å.

    The recipes are the report's losses: `paper` (energies), `force` and `energy+force`. With
    `standardize: true` beside them, energies are centred and normalised (section 3.1.1 there).

    Parameters
    ----------
    deviation
        Standard deviation of the Gaussian from which the weights of the linear layers are drawn.
        None: torch's uniform distribution.
    fit
        How the network is trained.
    seed
        Seed of the initial weights.
    dtype
        Type of the weights.
    """

    fits_atoms = True
    """It may be given total energies."""
    recipes: ClassVar[Recipes] = {
        "paper": {**_TOY, "loss": "mae"},
        "force": {**_TOY, "loss": "mae", "energy_weight": 0.0, "force_weight": 1.0},
        "energy+force": {**_TOY, "loss": "mse", "energy_weight": 0.01, "force_weight": 1.0},
    }

    def __init__(
        self,
        deviation: float | None = None,
        fit: dict[str, object] | None = None,
        seed: int = 0,
        dtype: str = "float32",
    ) -> None:
        check_positive("milestone", {"deviation": deviation})
        super().__init__(fit, seed, dtype)
        self.deviation = deviation

    def network(self, elements: tuple[int, ...]) -> MilestoneNetwork:
        """Return an untrained network for these nuclear charges."""
        return MilestoneNetwork(elements, self.deviation)


class MilestoneNetwork(Network):
    """The baseline for some elements.

    Parameters
    ----------
    elements
        Nuclear charges.
    deviation
        As in `Milestone`.
    """

    def __init__(self, elements: tuple[int, ...], deviation: float | None = None) -> None:
        super().__init__()
        self.elements = elements
        self.charge = torch.nn.Embedding(len(elements), CHARGE)
        self.space1 = torch.nn.Linear(3, SPACE)
        self.space2 = torch.nn.Linear(SPACE, SPACE)
        self.output = torch.nn.Linear(CHARGE + SPACE, 1)
        if deviation is not None:
            for layer in (self.space1, self.space2, self.output):
                torch.nn.init.normal_(layer.weight, 0.0, deviation)

    def forward(self, batch: Batch) -> Output:
        """Return the energies of a batch, and those of its atoms."""
        space = relu(self.space2(relu(self.space1(batch.positions))))  # (B, n, 16)
        atomic = self.output(torch.cat([self.charge(batch.species), space], -1)).squeeze(
            -1
        )  # (B, n)
        return Output((atomic * batch.mask).sum(1), atomic=atomic.detach())
