r"""AtomCloudNet: a point convolution with spherical harmonics, pooled over the atoms.

    x_i = a_{Z_i}                                                                        (embedding)
    V_i = Z_i,   V'_i = Z_i Σ_j Z_j / R_ij⁶,
    V''_i = Z_i Σ_jk Z_j Z_k (1 + cos α cos β cos γ) / (R_ij R_jk R_ki)³                (potentials)
    φ(R) = C(R) · softplus(A β(R) + a),                                           (radial functions)
        β_q(R) = cos²(½π(R/Δ − q)) where |R/Δ − q| < 1
    v_i,lm = Σ_k W_lk Σ_{j≠i, R_ij<r} φ_k(R_ij) Y_lm(R̂_ij) x_j                         (convolution)
        (+ S x_i where l = 0)
    b_i = v_i,0 ⊕ ⟨v_i,1 , U₁ v_i,1⟩ ⊕ … ⊕ ⟨v_i,L , U_L v_i,L⟩,                         (invariants)
        ⟨v, w⟩ = Σ_m v_m w_m / (2l + 1)
    h_i = b_i ⊕ V_i ⊕ V'_i ⊕ V''_i,
    c_i = h_i ⊕ softplus(B₂ softplus(B₁ h_i))                                       (residual block)
    d = (Σ_i softplus(c_i)^p / n̄)^(1/p)                                      (power-average pooling)
    y = y₀ + (y₁ − y₀) · σ(o · softplus(D₂ softplus(D₁ d)))                                 (output)

The potentials are in `onekcal.networks.many_body`, the radial functions, the convolution and the
invariants in `onekcal.networks.point_convolution`.

Hidber, Atz, "AtomCloudNet: Deep learning molecular and atomic properties using point convolution
architecture" (2019).

Deliberate deviations:
- b_i are invariants. In the original the components l > 0 go into nonlinearities one by one, and
  answers change when a molecule is turned. `variant: literal` does the same.
- C(R) = ½(cos(πR/r) + 1) makes energies and forces go smoothly to zero at the radius.
- Lengths in V' and V'' are in Å; the paper does not name a unit. V'' runs over ordered pairs j, k,
  without Axilrod and Teller's factor 3, as printed. The network sees ln(1 + V) of each potential,
  standardised over training atoms.
- y₀ and y₁ lie outside the range of the training labels by `MARGIN` times that range. A sigmoid
  scaled to the labels themselves could never answer more than the largest of them.
- n̄ is the mean number of atoms of the training molecules, so that d is of order 1 for molecules of
  any size. Powers act on softplus, which is positive.
- There are no filler atoms: batches are masked.

The paper's outlook is included: several convolutions in a row (x_i of the next one is a linear map
of c_i), degrees that differ by layer and by the element of atom i, molecular properties as targets,
and `readout: atoms`, where the last layers act on every c_i instead of on d, so that properties of
atoms are learned.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import one_hot, softplus

from onekcal.data.dataset import Dataset
from onekcal.errors import ConfigError, unknown
from onekcal.features.harmonics import HIGHEST, real_harmonics
from onekcal.models.limits import at_least, check_positive
from onekcal.molecules import CHARGES
from onekcal.networks.many_body import Pairs, potentials
from onekcal.networks.model import NetworkModel
from onekcal.networks.network import Batch, Network, Output
from onekcal.networks.point_convolution import Cloud, Surroundings
from onekcal.networks.training.settings import Recipes

MARGIN = 0.5
"""The sigmoid goes beyond the training labels at both ends by this share of their range."""
LOOKED_AT = 1000
"""Potentials are standardised by those of this many training molecules, the first ones."""
SMALLEST = 1e-20
"""Smallest number whose root is taken."""
OTHERS = "others"
"""The key of `degrees` for all elements that have no key of their own."""
VARIANTS, READOUTS = ("invariant", "literal"), ("molecules", "atoms")

Degrees = int | Mapping[str, int]


class AtomCloudNet(NetworkModel):
    """AtomCloudNet; in the unit of the target (energies in kcal/mol, forces in kcal/mol/Å).

    Parameters
    ----------
    features
        Number of features of an atom.
    radius
        Distance r from which on atoms are no neighbours, Å.
    degrees
        Highest degree L of the harmonics. A list has one entry for each convolution in a row, and
        each may be a mapping by the element at the centre, such as {H: 1, others: 3}.
    spacing
        Distance Δ between the centres of the functions β_q, Å.
    radial
        Number of radial functions φ_k.
    hidden
        Number of units of D₁ and D₂.
    power
        Power p of the pooling; 1 makes it a sum.
    variant
        What follows the convolution: `invariant` (b_i) or `literal` (the components, as in the
        paper).
    readout
        What is answered: `molecules` (one value each) or `atoms` (one value for every atom).
    """

    recipes: ClassVar[Recipes] = {
        "paper": {
            "optimizer": "adam",
            "schedule": "plateau",
            "rate": 1e-3,
            "batch": 32,
            "loss": "mse",
            "patience": 15,
            "epochs": 300,
        },
        "fast": {
            "optimizer": "adamw",
            "schedule": "onecycle",
            "rate": 3e-3,
            "weight_decay": 1e-5,
            "ema": 0.999,
            "clip": 1.0,
            "batch": 32,
            "epochs": 100,
        },
    }

    def __init__(
        self,
        features: int = 24,
        radius: float = 3.0,
        degrees: Degrees | Sequence[Degrees] = 2,
        spacing: float = 0.25,
        radial: int = 16,
        hidden: int = 128,
        power: float = 1.0,
        variant: str = "invariant",
        readout: str = "molecules",
        fit: dict[str, object] | None = None,
        seed: int = 0,
        dtype: str = "float32",
    ) -> None:
        at_least(
            "atomcloudnet",
            ("features", features, 1),
            ("radial", radial, 1),
            ("hidden", hidden, 1),
            ("power", power, 1),
        )
        check_positive("atomcloudnet", {"radius": radius, "spacing": spacing}, "Å")
        for name, word, known in (("variant", variant, VARIANTS), ("readout", readout, READOUTS)):
            if word not in known:
                unknown(f"{name} of atomcloudnet", word, known, ConfigError)
        super().__init__(fit, seed, dtype)
        self.of_atoms = readout == "atoms"
        self.layers = [
            _by_element(each) for each in (degrees if isinstance(degrees, Sequence) else [degrees])
        ]
        if not self.layers:
            raise ConfigError(
                "atomcloudnet: `degrees` must name at least one convolution, got an empty list"
            )
        bases = max(2, round(radius / spacing))
        self.settings = (
            features,
            radius,
            bases,
            radial,
            hidden,
            float(power),
            variant == "literal",
            self.of_atoms,
        )

    def network(self, elements: tuple[int, ...]) -> AtomCloudNetwork:
        """Return an untrained network for these nuclear charges."""
        degrees = [[each.get(z, each[0]) for z in elements] for each in self.layers]
        return AtomCloudNetwork(elements, degrees, *self.settings)


def _by_element(degrees: Degrees) -> dict[int, int]:
    """Nuclear charge → degree; 0 stands for all other elements."""
    given = degrees if isinstance(degrees, Mapping) else {OTHERS: degrees}
    if OTHERS not in given:
        raise ConfigError(
            f"atomcloudnet: `degrees` by element must have the key `{OTHERS}`, got {dict(given)}"
        )
    for name, degree in given.items():
        if name not in CHARGES and name != OTHERS:
            unknown("element in `degrees`:", str(name), [*CHARGES, OTHERS], ConfigError)
        if not isinstance(degree, int) or not 0 <= degree <= HIGHEST:
            raise ConfigError(
                f"atomcloudnet: `degrees` must be whole numbers from 0 to {HIGHEST}, got {degree!r}"
            )
    return {CHARGES.get(name, 0): degree for name, degree in given.items()}


class ResidualBlock(torch.nn.Module):
    """h ⊕ softplus(B₂ softplus(B₁ h)): twice as many features."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.b1, self.b2 = torch.nn.Linear(width, width), torch.nn.Linear(width, width)

    def forward(self, h: Tensor) -> Tensor:
        """Return (B, n, 2 · width) from h (B, n, width)."""
        return torch.cat([h, softplus(self.b2(softplus(self.b1(h))))], -1)


class AtomCloudNetwork(Network):
    """AtomCloudNet for some elements.

    Parameters
    ----------
    elements
        Nuclear charges, ascending.
    degrees
        Highest degree of each convolution, by element.
    features, radius, radial, hidden, power
        As in `AtomCloudNet`.
    bases
        Number of functions β_q.
    literal
        Whether the components are taken as in the paper, instead of invariants.
    of_atoms
        Whether the answer is one value for every atom.
    """

    absolute = True
    charges: Tensor
    standard: Tensor
    ends: Tensor
    size: Tensor

    def __init__(
        self,
        elements: tuple[int, ...],
        degrees: Sequence[Sequence[int]],
        features: int = 24,
        radius: float = 3.0,
        bases: int = 12,
        radial: int = 16,
        hidden: int = 128,
        power: float = 1.0,
        literal: bool = False,
        of_atoms: bool = False,
    ) -> None:
        super().__init__()
        self.elements, self.radius, self.bases, self.power, self.of_atoms = (
            elements,
            radius,
            bases,
            power,
            of_atoms,
        )
        self.degree = max(map(max, degrees))
        self.embedding = torch.nn.Embedding(len(elements), features)
        clouds = [Cloud(features, features, each, bases, radial, literal) for each in degrees]
        widths = [cloud.width + 3 for cloud in clouds]
        self.clouds = torch.nn.ModuleList(clouds)
        self.residual = torch.nn.ModuleList([ResidualBlock(width) for width in widths])
        self.again = torch.nn.ModuleList(
            [torch.nn.Linear(2 * width, features) for width in widths[:-1]]
        )
        self.d1 = torch.nn.Linear(2 * widths[-1], hidden)
        self.d2 = torch.nn.Linear(hidden, hidden)
        self.o = torch.nn.Linear(hidden, 1)
        self.register_buffer(
            "charges", torch.tensor(elements, dtype=torch.get_default_dtype()), persistent=False
        )
        self.register_buffer(
            "standard", torch.tensor([[0.0] * 3, [1.0] * 3])
        )  # mean and deviation of ln(1 + V)
        self.register_buffer("size", torch.ones(()))  # n̄
        self.register_buffer("ends", torch.tensor([0.0, 1.0]))  # y₀, y₁

    def begin(self, train: Dataset) -> None:
        """Set what comes from the data.

        These are the mean and deviation of the potentials, the ends of the sigmoid, and a bias with
        which the untrained output is near the mean label.
        """
        numbers, positions = train.molecules[:LOOKED_AT].pad()
        batch = Batch(numbers, positions, numbers > 0)
        seen = torch.log1p(potentials(numbers.to(positions), Pairs.of(batch)))[
            batch.mask
        ]  # (atoms, 3)
        spread = seen.std(0, correction=0)
        self.standard.copy_(torch.stack([seen.mean(0), torch.where(spread > 1e-6, spread, 1.0)]))
        self.size.copy_(train.molecules.sizes.double().mean())
        labels = train.energies.double()
        low, high = labels.min(), labels.max()
        reach = high - low if high > low else torch.ones_like(low)
        self.ends.copy_(torch.stack([low - MARGIN * reach, high + MARGIN * reach]))
        with torch.no_grad():
            self.o.bias.fill_(
                float(torch.logit((labels.mean() - self.ends[0]) / (self.ends[1] - self.ends[0])))
            )

    def forward(self, batch: Batch) -> Output:
        """Return one value for every molecule, or one for every atom."""
        pairs = Pairs.of(batch)
        charges = self.charges[batch.species] * batch.mask  # (B, n)
        mean, deviation = self.standard
        bodies = (torch.log1p(potentials(charges, pairs)) - mean) / deviation  # (B, n, 3)
        around, table = self._around(pairs), self.embedding.weight
        x = one_hot(batch.species, len(self.elements)).to(bodies)  # (B, n, elements)
        for k, (cloud, block) in enumerate(zip(self.clouds, self.residual)):
            convolved = (
                cloud(self.again[k - 1](x), batch.species, around)
                if k
                else cloud(x, batch.species, around, table)
            )
            x = block(torch.cat([convolved, bodies], -1))  # (B, n, 2 · width)
        x = x if self.of_atoms else self._pooled(x, batch.mask)
        scaled = self.o(softplus(self.d2(softplus(self.d1(x))))).squeeze(-1)
        low, high = self.ends
        return Output(low + (high - low) * torch.sigmoid(scaled.double()))

    def _around(self, pairs: Pairs) -> Surroundings:
        place = pairs.distances * (
            self.bases / self.radius
        )  # in units of Δ: the last β ends at the radius
        apart = (place[..., None] - torch.arange(self.bases, device=place.device)).clamp(-1.0, 1.0)
        near = pairs.exist & (pairs.distances < self.radius)
        fading = near * (0.5 * (torch.cos(pairs.distances * (math.pi / self.radius)) + 1.0))
        harmonics = real_harmonics(pairs.directions, self.degree) * math.sqrt(4 * math.pi)
        return Surroundings(
            (apart * (math.pi / 2)).cos().square(), fading, harmonics.transpose(2, 3)
        )

    def _pooled(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, width) one molecule each, from its atoms (B, n, width)."""
        if self.power == 1:
            return (softplus(x) * mask[..., None]).sum(1) / self.size
        # in padding the power would act on 0, where it has no curvature; the root would act on 0
        # where all features underflow, and has no slope there
        powers = torch.where(mask[..., None], softplus(x), 1.0).pow(self.power) * mask[..., None]
        return (powers.sum(1) / self.size).clamp_min(SMALLEST).pow(1 / self.power)
