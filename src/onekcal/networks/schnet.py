r"""SchNet: continuous-filter convolutions, a sum of atomic energies.

    x_i⁰ = a_{Z_i}                                                                       (embedding)
    g_k(r) = exp(−(r − μ_k)² / 2Δ²),                                                  (radial basis)
        μ_k = kΔ,   k = 0 … K − 1,   Δ = r_c/(K − 1)
    W(r) = C(r) · [V₂ ssp(V₁ g(r) + c₁) + c₂],                                              (filter)
        C(r) = ½(cos(πr/r_c) + 1) below r_c, else 0
    v_i = Σ_{j≠i} W(r_ij) ∘ (U₁ x_j)                                                   (convolution)
    x_i ← x_i + U₃ ssp(U₂ v_i + b₂) + b₃                                      (interaction, T times)
    E = Σ_i [e₀ + s · (o₂ · ssp(O₁ x_i + p₁) + p₂)],   ssp(x) = ln(½eˣ + ½)                 (energy)

    loss with forces:  ρ (E − Ê)² + 1/n Σ_i |F_i + ∂Ê/∂r_i|²,   ρ = 0.01

Schütt, Kindermans, Sauceda, Chmiela, Tkatchenko, Müller, NIPS 30, 991 (2017); Schütt, Sauceda,
Kindermans, Tkatchenko, Müller, J. Chem. Phys. 148, 241722 (2018).

Deliberate deviations:
- In batches with many pairs, filters are read from a table (`onekcal.networks.filters`), which has
  `knots` knots for every Δ. `knots: 0` evaluates the filter network for every pair, as the papers
  do. The filters differ by about 1e-7.
- The cosine cut-off C makes energies and forces go smoothly to zero at r_c. The papers do not have
  it; their basis goes to 30 Å with μ_k every 0.1 Å and a factor of 10 Å⁻² in the exponent.
- The result of V₂ is the filter. A figure of the first paper has another ssp after it.
- e₀ and s come from the training energies. e₀ is the energy per atom that fits them best, s the
  standard deviation of what is left. Both belong to one atom, so that the energy of two distant
  molecules is the sum of theirs.
- The learning rate does not decay; in the papers it falls by a factor of 0.96 every 100,000 steps.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import linear, softplus

from onekcal.data.dataset import Dataset
from onekcal.models.limits import at_least, check_positive
from onekcal.networks.filters import Convolve, Interpolate, Places, coefficients, distances, knots
from onekcal.networks.model import NetworkModel
from onekcal.networks.network import Batch, Network, Output, energy_per_atom
from onekcal.networks.training.settings import Recipes

LN2 = math.log(2.0)


def ssp(x: Tensor) -> Tensor:
    """Return ln(½eˣ + ½), the shifted softplus, which is 0 at 0.

    Parameters
    ----------
    x
        Of any shape.
    """
    return softplus(x) - LN2


class SchNet(NetworkModel):
    """SchNet; energies in kcal/mol, forces in kcal/mol/Å.

    Parameters
    ----------
    features
        Number of features x_i of an atom.
    interactions
        Number T of interactions.
    cutoff
        Distance r_c from which on atoms do not interact, Å.
    gaussians
        Number K of Gaussians in the radial basis.
    knots
        Knots of the filter table for every Δ. 0 evaluates the filter network for every pair.
    """

    recipes: ClassVar[Recipes] = {
        "paper": {
            "optimizer": "adam",
            "schedule": "constant",
            "rate": 1e-3,
            "batch": 32,
            "ema": 0.99,
            "loss": "mse",
            "epochs": 750,
            "stop": 100,
        },
        "paper-forces": {
            "optimizer": "adam",
            "schedule": "constant",
            "rate": 1e-3,
            "batch": 32,
            "ema": 0.99,
            "loss": "mse",
            "energy_weight": 0.01,
            "force_weight": 1.0,
            "epochs": 2000,
            "stop": 200,
        },
    }

    def __init__(
        self,
        features: int = 128,
        interactions: int = 6,
        cutoff: float = 5.0,
        gaussians: int = 50,
        knots: int = 5,
        fit: dict[str, object] | None = None,
        seed: int = 0,
        dtype: str = "float32",
    ) -> None:
        at_least(
            "schnet",
            ("features", features, 2),
            ("interactions", interactions, 1),
            ("gaussians", gaussians, 2),
            ("knots", knots, 0),
        )
        check_positive("schnet", {"cutoff": cutoff}, "Å")
        super().__init__(fit, seed, dtype)
        self.settings = features, interactions, cutoff, gaussians, knots

    def network(self, elements: tuple[int, ...]) -> SchNetNetwork:
        """Return an untrained network for these nuclear charges."""
        return SchNetNetwork(elements, *self.settings)


class Filters(torch.nn.Module):
    """The filter networks of all T interactions at once.

    Parameters
    ----------
    features, interactions, cutoff, gaussians
        As in `SchNet`.
    """

    mu: Tensor

    def __init__(self, features: int, interactions: int, cutoff: float, gaussians: int) -> None:
        super().__init__()
        self.cutoff, self.delta = cutoff, cutoff / (gaussians - 1)
        self.register_buffer(
            "mu", torch.linspace(0.0, cutoff, gaussians), persistent=False
        )  # (K,) Å
        self.v1 = torch.nn.Parameter(torch.empty(interactions, features, gaussians))
        self.c1 = torch.nn.Parameter(torch.zeros(interactions, 1, features))
        self.v2 = torch.nn.Parameter(torch.empty(interactions, features, features))
        self.c2 = torch.nn.Parameter(torch.zeros(interactions, 1, features))
        for weights in (*self.v1, *self.v2):
            torch.nn.init.xavier_uniform_(weights)

    def forward(self, r: Tensor) -> Tensor:
        """Return all filters, smooth everywhere: C goes on beyond the cut-off.

        Parameters
        ----------
        r
            (P,) distances, Å.

        Returns
        -------
        Tensor
            (T, P, f).
        """
        basis = torch.exp(((r[:, None] - self.mu) / self.delta).square() * -0.5)  # (P, K)
        hidden = ssp(
            torch.baddbmm(self.c1, basis.expand(len(self.v1), *basis.shape), self.v1.mT)
        )  # (T, P, f)
        fading = 0.5 * (torch.cos(r * (math.pi / self.cutoff)) + 1.0)
        return torch.baddbmm(self.c2, hidden, self.v2.mT) * fading[:, None]


class Interaction(torch.nn.Module):
    """The atom-wise layers of one interaction: U₁ without bias, U₂ and U₃."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.u1 = torch.nn.Linear(features, features, bias=False)
        self.u2 = torch.nn.Linear(features, features)
        self.u3 = torch.nn.Linear(features, features)

    def forward(self, x: Tensor, filters: Tensor) -> Tensor:
        """Return new features (n, B, f) from features and filters (P, B, f)."""
        v = Convolve.apply(filters, self.u1(x))  # (n, B, f)
        return x + self.u3(ssp(self.u2(v)))


class SchNetNetwork(Network):
    """SchNet for some elements. Inside, atoms come first and molecules second.

    Parameters
    ----------
    elements
        Nuclear charges, ascending.
    features, interactions, cutoff, gaussians, knots
        As in `SchNet`.
    """

    absolute = True
    per_atom: Tensor

    def __init__(
        self,
        elements: tuple[int, ...],
        features: int = 128,
        interactions: int = 6,
        cutoff: float = 5.0,
        gaussians: int = 50,
        knots: int = 5,
    ) -> None:
        super().__init__()
        self.elements = elements
        self.embedding = torch.nn.Embedding(len(elements), features)
        self.filters = Filters(features, interactions, cutoff, gaussians)
        self.interactions = torch.nn.ModuleList(
            [Interaction(features) for _ in range(interactions)]
        )
        self.o1 = torch.nn.Linear(features, features // 2)
        self.o2 = torch.nn.Linear(features // 2, 1)
        for layer in self.modules():
            if isinstance(layer, torch.nn.Linear):
                torch.nn.init.xavier_uniform_(layer.weight)
                if layer.bias is not None:
                    torch.nn.init.zeros_(layer.bias)
        self.last = knots * (gaussians - 1)  # the knot at the cut-off
        self.step = cutoff / max(self.last, 1)
        # from this number of pairs on, the table is cheaper
        self.worth: float = 2 * self.last if knots else math.inf
        self.register_buffer("per_atom", torch.tensor([0.0, 1.0]))  # e₀, s in kcal/mol

    def begin(self, train: Dataset) -> None:
        """Set e₀ and s."""
        self.per_atom.copy_(energy_per_atom(train))

    def forward(self, batch: Batch) -> Output:
        """Return the energies of a batch, and those of its atoms."""
        mask = batch.mask.T  # (n, B)
        r = distances(batch.positions.transpose(0, 1), mask, 2 * self.filters.cutoff)  # (P, B)
        x = self.embedding(batch.species.T)  # (n, B, f)
        for interaction, filters in zip(self.interactions, self._filters(r)):
            x = interaction(x, filters)
        atomic = linear(ssp(self.o1(x)), self.o2.weight, self.o2.bias).squeeze(-1)  # (n, B)
        shift, scale = self.per_atom.double()
        total = scale * torch.where(mask, atomic, 0.0).sum(0) + shift * mask.sum(0)
        return Output(total, atomic=(scale * atomic + shift).T.detach())

    def _filters(self, r: Tensor) -> list[Tensor]:
        """(P, B, f) for every interaction."""
        flat = r.flatten()
        if len(flat) < self.worth:
            return list(
                (self.filters(flat) * (flat < self.filters.cutoff)[:, None]).unflatten(1, r.shape)
            )
        kind = r.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else r.dtype
        with torch.autocast(kind, enabled=False):  # a spline needs full precision
            places = Places(flat, self.step, self.last)
            tables = coefficients(
                self.filters(knots(self.step, self.last, r)), self.last
            )  # (T, last + 5, f)
            return [
                Interpolate.apply(flat, table, places, 0).unflatten(0, r.shape).to(dtype)
                for table in tables
            ]
