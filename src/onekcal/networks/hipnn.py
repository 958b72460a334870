r"""HIP-NN: energies as a sum over hierarchical orders, E = Σ_i Σ_n E_i^n (eqs. 1–2).

Lubbers, Smith, Barros, J. Chem. Phys. 148, 241715 (2018). Equation numbers are the paper's. Lengths
inside are Bohr, as in the paper: distances are converted at the beginning, and `r_low`, `r_high`,
`r_cut`, μ and σ are Bohr. Energies are kcal/mol.

    z_i⁰   = one-hot species                                                                     (3)
    E_iⁿ   = Σ_a w_aⁿ z_{i,a}^{ℓ_n} + bⁿ                                                         (4)
             n = 0 on the species, n ≥ 1 after the n-th block of layers
    z̃      = f(W z + B)                                                  on-site layer           (5)
    f(x)   = log(1 + eˣ)                                                                         (6)
    z'     = W̃ z̃ + M̃ z + B̃                                               ResNet                  (7)
             M̃ = 1 and fixed where the number of features stays
    z̃_i    = f(Σ_j v(r_ij) z_j + W z_i + B)                              interaction layer       (8)
    v(r)   = Σ_ν V_ν s_ν(r)                                                                      (9)
    s_ν(r) = exp[−(1/r − 1/μ_ν)² / 2σ_ν⁻²] φ(r)                                                 (10)
    φ(r)   = cos²(π r / 2 r_cut) up to r_cut, 0 beyond                                          (11)
    L      = (MAE + RMSE) / σ_E + λ_L2 (|w|²/σ_E² + |W|² + |V|² + |W̃|² + |M̃|²)
             + λ_R ⟨R⟩                                                                       (14–17)
    R      = Σ_{n≥1} Σ_i (E_iⁿ)² / ((E_iⁿ)² + (E_iⁿ⁻¹)²)                                        (18)

Two things are set before training and not learned: σ_E, the standard deviation of the training
energies (15), and w⁰ with b⁰, a least-squares fit of the composition. Training learns wⁿ/σ_E and bⁿ
for n ≥ 1, W, B, V, μ, σ, W̃, B̃ and M̃.

Initial values (II.F): matrices after Glorot, biases 0, 1/μ_ν evenly from 1/r_low to 1/r_high,
σ_ν = 2 N_sensitivity r_low, wⁿ of order σ_E 10⁻²ⁿ (the printed σ_E/10⁻²ⁿ grows with n and is a
misprint).

Deliberate deviations:
- Only the sum of w⁰ and b⁰ has a meaning, because every atom has one species. So one number for
  each element is kept.
- Glorot counts the ν sensitivities of V as a receptive field, as for a convolution. The paper does
  not tell.
- A term of (18) whose two energies are both 0 is 0; FLOOR keeps it from being 0/0.
- Without hierarchy (table II, last rows) the only order starts at the scale σ_E, not at σ_E 10⁻⁴,
  because there is no E⁰. The paper does not tell.
- Forces, the paper's outlook, are the gradient of the energy. With `fit: {force_weight: …}` they
  are learned too.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from onekcal.data.dataset import Dataset
from onekcal.errors import ConfigError
from onekcal.models.limits import at_least
from onekcal.networks.model import NetworkModel
from onekcal.networks.network import Batch, Network, Output
from onekcal.networks.pairs import pair_distances, pair_mask
from onekcal.networks.sensitivities import sensitivities
from onekcal.networks.training.settings import Recipes
from onekcal.units import BOHR

FLOOR = 1e-12
"""(kcal/mol)², added to the denominators of R."""


Layers = Any
"""A list or dictionary of layers; torch has no type for what is in it."""


class HipNN(NetworkModel):
    """HIP-NN; energies in kcal/mol. Its own E⁰ takes the place of a stage of dressed atoms.

    `terms(molecules)` gives "R" (M,), without unit, and "orders" (M, n + 1), kcal/mol.

    Parameters
    ----------
    features
        Number of features of an atom.
    onsite
        On-site layers after each interaction layer.
    interactions
        Number of interaction layers.
    sensitivities
        Number of functions s_ν of the distance.
    r_low
        Smallest initial μ_ν, Bohr.
    r_high
        Largest initial μ_ν, Bohr.
    r_cut
        Distance from which on atoms do not interact, Bohr.
    hierarchy
        Whether the energy is a sum over orders. False leaves out E⁰, E¹ and R.
    hierarchy_weight
        λ_R, the weight of R in the loss.
    """

    recipes: ClassVar[Recipes] = {
        "paper": {
            "optimizer": "adam",
            "betas": (0.9, 0.999),
            "rate": 1e-3,
            "schedule": "plateau",
            "hold": 100,
            "patience": 50,
            "decay": 0.5,
            "epochs": 2000,
            "batch": 30,
            "window": 1,
            "loss": "mae+rmse",
            "l2": 1e-6,
            "score": "mae",
        },
        "fast": {
            "optimizer": "adamw",
            "rate": 2e-3,
            "weight_decay": 1e-4,
            "schedule": "onecycle",
            "warmup": 0.2,
            "epochs": 100,
            "batch": 32,
            "loss": "mae+rmse",
            "ema": 0.999,
            "clip": 1.0,
            "score": "mae",
        },
    }

    def __init__(
        self,
        features: int = 20,
        onsite: int = 3,
        interactions: int = 2,
        sensitivities: int = 20,
        r_low: float = 1.7,
        r_high: float = 10.0,
        r_cut: float = 15.0,
        hierarchy: bool = True,
        hierarchy_weight: float = 1e-2,
        fit: dict[str, object] | None = None,
        seed: int = 0,
        dtype: str = "float32",
    ) -> None:
        at_least(
            "hipnn",
            ("features", features, 1),
            ("interactions", interactions, 1),
            ("sensitivities", sensitivities, 2),
            ("onsite", onsite, 0),
        )
        if not 0 < r_low < r_high <= r_cut:
            raise ConfigError(
                "hipnn: 0 < `r_low` < `r_high` ≤ `r_cut` (Bohr; 1 Å is 1.89) must hold, "
                f"got {r_low}, {r_high}, {r_cut}"
            )
        if hierarchy_weight < 0:
            raise ConfigError(
                f"hipnn: `hierarchy_weight` must not be negative, got {hierarchy_weight}"
            )
        super().__init__(fit, seed, dtype)
        self.fits_atoms = hierarchy  # by E⁰
        self.settings = (
            features,
            onsite,
            interactions,
            sensitivities,
            r_low,
            r_high,
            r_cut,
            hierarchy,
            hierarchy_weight,
        )

    def network(self, elements: tuple[int, ...]) -> Network:
        """Return an untrained network for these nuclear charges."""
        return HipNNNetwork(elements, *self.settings)


class HipNNNetwork(Network):
    """Blocks of one interaction layer and its on-site layers, each with its energy head."""

    absolute = True
    sigma_E: Tensor
    zeroth: Tensor
    interactions: Layers  # ModuleList of `Interaction`
    onsite: Layers  # ModuleList of Sequential of `OnSite`
    heads: Layers  # ModuleDict of Linear

    def __init__(
        self,
        elements: tuple[int, ...],
        features: int = 20,
        onsite: int = 3,
        interactions: int = 2,
        sensitivities: int = 20,
        r_low: float = 1.7,
        r_high: float = 10.0,
        r_cut: float = 15.0,
        hierarchy: bool = True,
        hierarchy_weight: float = 1e-2,
    ) -> None:
        super().__init__()
        self.elements, self.r_cut = tuple(elements), r_cut
        self.hierarchy, self.hierarchy_weight = hierarchy, hierarchy_weight
        widths = [len(elements)] + [features] * interactions
        self.interactions = torch.nn.ModuleList(
            Interaction(before, after, sensitivities, r_low, r_high)
            for before, after in zip(widths, widths[1:])
        )
        self.onsite = torch.nn.ModuleList(
            torch.nn.Sequential(*(OnSite(features, features) for _ in range(onsite)))
            for _ in range(interactions)
        )
        heads = {  # order n: wⁿ/σ_E and bⁿ
            n: _linear(features, 1)
            for n in range(1 if hierarchy else interactions, interactions + 1)
        }
        with torch.no_grad():
            for n, head in heads.items():
                head.weight.mul_(10.0 ** (-2 * n) if hierarchy else 1.0)
        self.heads = torch.nn.ModuleDict({str(n): head for n, head in heads.items()})
        self.register_buffer("sigma_E", torch.ones(()))  # kcal/mol
        self.register_buffer(
            "zeroth", torch.zeros(len(elements))
        )  # kcal/mol: w⁰ + b⁰ of each element

    @torch.no_grad()
    def begin(self, train: Dataset) -> None:
        """Set σ_E and, by least squares, E⁰."""
        spread = float(train.energies.std(correction=0))
        self.sigma_E.fill_(spread if spread > 0 else 1.0)
        if self.hierarchy:
            counts = train.molecules.composition(self.elements)  # (M, elements)
            # the shortest solution, where compositions do not tell the elements apart
            self.zeroth.copy_(
                torch.linalg.lstsq(
                    counts, train.energies[:, None].double(), driver="gelsd"
                ).solution[:, 0]
            )

    def forward(self, batch: Batch) -> Output:
        """Return the energies, the penalty λ_R ⟨R⟩, R, and the energy of each order."""
        orders = (
            [self.zeroth[batch.species] * batch.mask] if self.hierarchy else []
        )  # (B, n) kcal/mol each
        pairs = self._pairs(batch)
        z = functional.one_hot(batch.species, len(self.elements)).to(
            batch.positions.dtype
        )  # (B, n, elements)
        z = z * batch.mask[:, :, None]
        for n, (interaction, onsite) in enumerate(zip(self.interactions, self.onsite), start=1):
            z = onsite(interaction(z, pairs))  # (B, n, features)
            if str(n) in self.heads:
                head = self.heads[str(n)]
                local = self.sigma_E * (z @ head.weight[0]) + head.bias
                orders.append(local * batch.mask)
        totals = torch.stack([local.double().sum(1) for local in orders], 1)  # (B, orders)
        if not self.hierarchy:
            return Output(totals.sum(1), atomic=torch.stack(orders).sum(0).detach())
        R = non_hierarchicality(torch.stack(orders, -1))
        penalty = self.hierarchy_weight * R.mean() if self.hierarchy_weight else None
        return Output(
            totals.sum(1),
            penalty,
            {"R": R.detach(), "orders": totals.detach()},
            torch.stack(orders).sum(0).detach(),
        )

    def _pairs(self, batch: Batch) -> Pairs:
        r = pair_distances(batch) / BOHR
        phi = (0.5 * math.pi / self.r_cut * r.clamp(max=self.r_cut)).cos().square()
        return 1.0 / r, phi * (pair_mask(batch) & (r < self.r_cut))


Pairs = tuple[Tensor, Tensor]
"""1/r (Bohr⁻¹) and φ(r), (B, n, n) each; φ is 0 where there is no pair."""


def non_hierarchicality(orders: Tensor) -> Tensor:
    """Return R, eq. (18).

    Parameters
    ----------
    orders
        (B, n, orders) kcal/mol, 0 where there is no atom.

    Returns
    -------
    Tensor
        (B,).
    """
    squares = orders.square()
    now, before = squares[..., 1:], squares[..., :-1]
    return (now / (now + before + FLOOR)).sum((1, 2))


class Residual(torch.nn.Module):
    """The ResNet transformation, eq. (7), of z̃ and z."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.outer = _linear(after, after)  # W̃, B̃
        self.shortcut = None if before == after else _linear(before, after, bias=False)  # M̃

    def forward(self, activated: Tensor, z: Tensor) -> Tensor:
        """Return z' (B, n, after)."""
        return self.outer(activated) + (z if self.shortcut is None else self.shortcut(z))


class OnSite(torch.nn.Module):
    """An on-site layer, eqs. (5) to (7)."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.inner = _linear(before, after)  # W, B
        self.residual = Residual(before, after)

    def forward(self, z: Tensor) -> Tensor:
        """Return z' (B, n, after)."""
        return self.residual(functional.softplus(self.inner(z)), z)


class Interaction(torch.nn.Module):
    """Eqs. (8), (9) and (7): neighbours send Σ_j v(r_ij) z_j = Σ_j Σ_ν s_ν(r_ij) V_ν z_j."""

    def __init__(
        self, before: int, after: int, sensitivities: int, r_low: float, r_high: float
    ) -> None:
        super().__init__()
        self.inner = _linear(before, after)  # W, B
        self.V = torch.nn.Parameter(torch.empty(before, sensitivities, after))
        bound = math.sqrt(6.0 / (sensitivities * (before + after)))
        torch.nn.init.uniform_(self.V, -bound, bound)
        self.mu = torch.nn.Parameter(
            1.0 / torch.linspace(1.0 / r_low, 1.0 / r_high, sensitivities)
        )  # Bohr
        self.sigma = torch.nn.Parameter(
            torch.full((sensitivities,), 2.0 * sensitivities * r_low)
        )  # Bohr
        self.residual = Residual(before, after)

    def forward(self, z: Tensor, pairs: Pairs) -> Tensor:
        """Return z' (B, n, after)."""
        s = sensitivities(*pairs, self.mu, self.sigma)  # (B, n, n, ν)
        return self.residual(functional.softplus(self._inside(z, s)), z)

    def _inside(self, z: Tensor, s: Tensor) -> Tensor:
        """(B, n, features) the argument of f in eq. (8), with eq. (9).

        The sum over neighbours comes first where there are few features.
        """
        molecules, atoms, before = z.shape
        _, count, after = self.V.shape
        if before < after:
            # s_ν(r_ij) = s_ν(r_ji): the first index may be the neighbour, which makes one product
            # for each molecule
            around = z.transpose(1, 2) @ s.reshape(
                molecules, atoms, atoms * count
            )  # (B, before, n·ν)
            around = around.view(molecules, before, atoms, count).transpose(1, 2)
            return self.inner(z) + around.reshape(molecules, atoms, before * count) @ self.V.view(
                before * count, after
            )
        sent = (z @ self.V.view(before, count * after)).view(molecules, atoms * count, after)
        return torch.baddbmm(self.inner(z), s.reshape(molecules, atoms, atoms * count), sent)


def _linear(before: int, after: int, bias: bool = True) -> torch.nn.Linear:
    """Glorot's uniform weights, bias 0."""
    made = torch.nn.Linear(before, after, bias=bias)
    torch.nn.init.xavier_uniform_(made.weight)
    if bias:
        torch.nn.init.zeros_(made.bias)
    return made
