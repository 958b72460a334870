r"""ProductNet: sums over neighbours as matrix products, and products of those sums.

The neighbours j of an atom i make densities. These are expanded in N radial functions and in
Y⁰ = 1, Y¹ = r̂ and Y², the five orthonormal components of r̂r̂ᵀ − ⅓; r̂_ij points from i to j:

    g_ν(r) = √(2/r_c) sin(νπr/r_c)/r · (1 − r²/r_c²)³ below r_c, else 0                   (radial)
    s_j = S x_j                                                                             (sent)
    a_i^l = Σ_j g(r_ij) Y^l(r̂_ij) s_j,    A_i^l = W^l a_i^l       l = 0, 1, 2           (densities)

a^l has a number (of each component of Y^l) for each ν and each sent feature. W^l mixes them into
`channels` numbers. From the second layer on, neighbours also send the vectors v_j = V A_j¹ and
tensors T_j = V' A_j² of the layer before. Then W^l also sees

    l = 0:  Σ_j g(r_ij) r̂_ij · v_j  and  Σ_j g(r_ij) Y²(r̂_ij) · T_j
    l = 1:  Σ_j g(r_ij) v_j                      l = 2:  Σ_j g(r_ij) T_j

Products of up to three densities, of each channel by itself, do not change when the molecule is
turned or mirrored. They are sums over two, three and four atoms:

    p_i = [A⁰, |A¹|², |A²|², A¹·A²A¹, det A²]                                           (products)
    x_i ← x_i + M' silu(M [x_i, p_i] + b) + b'                                             (layer)
    E = Σ_i [e₀ + σ Σ_layers (o · silu(O x_i + c) + d)]                                    (energy)

x_i begins as e_Z, F numbers for each element, plus G z_i if atoms are given something: charge and
spin of the molecule as they are, what GFN2-xTB knows in deviations among the atoms of the element,
cut off at `FAR`. (In deviations, the few ions of a set would lie at 50.) Each layer has its own S,
V, V', W, M, M' and O, and adds its energy after the step of x_i. M has 2F rows and O has F/2.

The expansion of densities and its products are those of Drautz, Phys. Rev. B 99, 014104 (2019);
densities of what neighbours have learned, in layers, those of Batatia et al., NeurIPS 35, 11423
(2022). Products of Cartesian tensors stand in the place of Clebsch-Gordan sums, as in Simeon and de
Fabritiis, NeurIPS 36, 37334 (2023). The arrangement is our own and made for processors: the pairs
of a molecule are one dense block, each sum over neighbours is one product of two matrices, and no
filter is evaluated for a pair.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import silu
from torch.nn.utils.rnn import pad_sequence

from onekcal.data.dataset import Dataset
from onekcal.errors import ConfigError, unknown
from onekcal.features.density_expansion import (
    Expansion,
    expand,
    neighbour_sums,
    turned_products,
)
from onekcal.features.electrons import NAMES, electrons
from onekcal.models.limits import at_least, check_positive
from onekcal.models.model import State
from onekcal.molecules import Molecules
from onekcal.networks.model import NetworkModel
from onekcal.networks.network import Batch, Network, Output, energy_per_atom
from onekcal.networks.pairs import pair_mask
from onekcal.networks.training.batches import species_of
from onekcal.networks.training.settings import Recipes

GIVEN: dict[str, tuple[int, Callable[[Molecules], Tensor]]] = {
    "charge": (1, lambda molecules: molecules.charges[molecules.owner, None].double()),
    "spin": (1, lambda molecules: molecules.spins[molecules.owner, None].double()),
    "electrons": (len(NAMES), electrons),
}
"""What atoms may be given besides their element: how many numbers, and the numbers (A, k)."""
COUNTED = ("charge", "spin")
"""Those that are whole numbers, taken as they are."""
FAR = 6.0
"""Deviations at which z is cut off, so that its products stay tame."""

DENSITY = 2.3
"""Standard deviation of an initial W^l times the root of its columns: four times PyTorch's. Else
the products of densities begin much smaller than the features beside them."""
PRODUCTS = 5
"""A⁰ and the four of `turned_products`."""


class ProductNet(NetworkModel):
    """ProductNet; energies in kcal/mol, forces in kcal/mol/Å.

    Parameters
    ----------
    features
        Number of features x_i of an atom.
    channels
        Number of densities A^l of each l.
    sent
        Number of features, vectors and tensors that an atom sends to its neighbours.
    layers
        Number of layers.
    radial
        Number N of radial functions.
    cutoff
        Distance r_c from which on atoms do not interact, Å.
    given
        What atoms are given besides their element: `charge` and `spin` of the molecule (electrons
        and unpaired electrons), `electrons` (what GFN2-xTB knows of the atom,
        `onekcal.features.electrons`). With `charge` or `spin`, far parts of a molecule feel each
        other's; with `electrons`, forces are differences and cannot be learned.
    """

    recipes: ClassVar[Recipes] = {
        "fast": {
            "optimizer": "adamw",
            "rate": 1e-3,
            "weight_decay": 1e-5,
            "schedule": "onecycle",
            "warmup": 0.2,
            "epochs": 100,
            "batch": 32,
            "loss": "mae+rmse",
            "ema": 0.999,
            "clip": 1.0,
            "score": "mae",
        },
        "fast-forces": {
            "optimizer": "adamw",
            "rate": 1e-3,
            "weight_decay": 1e-5,
            "schedule": "onecycle",
            "warmup": 0.2,
            "epochs": 200,
            "batch": 8,
            "loss": "mae+rmse",
            "energy_weight": 0.1,
            "force_weight": 1.0,
            "ema": 0.999,
            "clip": 1.0,
        },
    }

    def __init__(
        self,
        features: int = 64,
        channels: int = 32,
        sent: int = 16,
        layers: int = 2,
        radial: int = 8,
        cutoff: float = 4.0,
        given: list[str] | None = None,
        fit: dict[str, object] | None = None,
        seed: int = 0,
        dtype: str = "float32",
    ) -> None:
        at_least(
            "product_net",
            ("features", features, 2),
            ("channels", channels, 1),
            ("sent", sent, 1),
            ("layers", layers, 1),
            ("radial", radial, 1),
        )
        check_positive("product_net", {"cutoff": cutoff}, "Å")
        for name in given or []:
            if name not in GIVEN:
                unknown("given", name, GIVEN, ConfigError)
        super().__init__({"recipe": "fast", **(fit or {})}, seed, dtype)
        self.given = list(dict.fromkeys(given or []))
        if "electrons" in self.given and self.training.force_weight:
            raise ConfigError(
                "product_net: `electrons` have no slopes to learn forces with; say "
                "`fit: {force_weight: 0}`, or leave them out"
            )
        self.differentiable = "electrons" not in self.given
        extra = sum(GIVEN[name][0] for name in self.given)
        self.settings = features, channels, sent, layers, radial, cutoff, extra
        self.standard = torch.zeros(0, 2, extra, dtype=torch.float64)  # (elements, mean and width)

    def network(self, elements: tuple[int, ...]) -> ProductNetwork:
        """Return an untrained network for these nuclear charges."""
        return ProductNetwork(elements, *self.settings)

    def inputs(self, molecules: Molecules, learn: bool) -> Callable[[Tensor], Tensor] | None:
        """Return what the atoms are given, z."""
        if not self.given:
            return None
        values = torch.cat([GIVEN[name][1](molecules) for name in self.given], 1)  # (A, k)
        species = species_of(molecules.numbers, self.elements)
        if learn:
            groups = [values[species == k] for k in range(len(self.elements))]
            self.standard = torch.stack(
                [torch.stack([own.mean(0), own.std(0, correction=0)]) for own in groups]
            )
            whole = [name in COUNTED for name in self.given for _ in range(GIVEN[name][0])]
            varied = (values != values[0]).any(0).double()[whole]  # else never learned
            self.standard[:, 0, whole], self.standard[:, 1, whole] = 0.0, varied
        middle, width = self.standard[species].unbind(1)
        values = torch.where(width > 1e-9, (values - middle) / width, 0.0).clamp(-FAR, FAR)
        each = values.split(molecules.sizes.tolist())
        return lambda rows: pad_sequence([each[m] for m in rows.tolist()], batch_first=True)

    def state(self) -> State:
        """Return the weights, and the scale of what the atoms are given."""
        return super().state() | ({"given": self.standard} if self.given else {})

    def load_state(self, state: State) -> ProductNet:
        """Take back what `state` returned."""
        self.standard = state.get("given", self.standard)
        return super().load_state(state)


Densities = tuple[Tensor, Tensor]
"""A¹ (B, 3, n, channels) and A² (B, 5, n, channels)."""


class Layer(torch.nn.Module):
    """Densities, their products, new features, and a share of the energy."""

    def __init__(self, features: int, channels: int, sent: int, radial: int, first: bool) -> None:
        super().__init__()
        self.radial = radial
        self.send = torch.nn.Linear(features, sent, bias=False)  # S
        self.turned = torch.nn.ModuleList(  # V, V'
            torch.nn.Linear(channels, sent, bias=False) for _ in range(0 if first else 2)
        )
        self.mix = torch.nn.ModuleList(  # W
            _mixing(paths * radial * sent, channels)
            for paths in ((1, 1, 1) if first else (3, 2, 2))
        )
        self.inner = torch.nn.Linear(features + PRODUCTS * channels, 2 * features)  # M, b
        self.outer = torch.nn.Linear(2 * features, features)  # M', b'
        self.bend = torch.nn.Linear(features, features // 2)  # O, c
        self.head = torch.nn.Linear(features // 2, 1)  # o, d

    def forward(
        self, x: Tensor, known: Expansion, before: Densities | None
    ) -> tuple[Tensor, Densities, Tensor]:
        """Return x (B, n, features), the densities, and the share of the energy (B, n)."""
        n, s = x.shape[1], self.send(x)
        around = [
            neighbour_sums(rows, s, n, self.radial)
            for rows in (known.radial, known.vectors.flatten(1, 2), known.tensors.flatten(1, 2))
        ]
        if before is not None:
            v, t = (turn(own) for turn, own in zip(self.turned, before))
            inside = [
                neighbour_sums(own.transpose(1, 2).flatten(2), turns.flatten(1, 2), n, self.radial)
                for own, turns in ((known.vectors, v), (known.tensors, t))
            ]
            carried = [_carried(known.radial, turns) for turns in (v, t)]
            around[0] = torch.cat([around[0], *inside], -1)
            around[1:] = [torch.cat(both, -1) for both in zip(around[1:], carried)]
        A0, A1, A2 = (mix(a) for mix, a in zip(self.mix, around))
        p = torch.cat([x, A0[:, 0], *turned_products(A1, A2)], -1)
        x = x + self.outer(silu(self.inner(p)))
        return x, (A1, A2), self.head(silu(self.bend(x))).squeeze(-1)


def _mixing(before: int, channels: int) -> torch.nn.Linear:
    """An initial W^l."""
    mix = torch.nn.Linear(before, channels, bias=False)
    torch.nn.init.normal_(mix.weight, std=DENSITY / math.sqrt(before))
    return mix


def _carried(radial: Tensor, sent: Tensor) -> Tensor:
    """(B, m, n, N·s) Σ_j g(r_ij) of what turns with the molecule (B, m, j, s)."""
    B, m, n, s = sent.shape
    sums = radial @ sent.transpose(1, 2).flatten(2)  # (B, n·N, m·s)
    return sums.view(B, n, -1, m, s).permute(0, 3, 1, 2, 4).flatten(3)


class ProductNetwork(Network):
    """ProductNet for some elements.

    Parameters
    ----------
    elements
        Nuclear charges, ascending.
    features, channels, sent, layers, radial, cutoff
        As in `ProductNet`.
    extra
        Numbers that each atom is given.
    """

    absolute = True
    per_atom: Tensor

    def __init__(
        self,
        elements: tuple[int, ...],
        features: int,
        channels: int,
        sent: int,
        layers: int,
        radial: int,
        cutoff: float,
        extra: int,
    ) -> None:
        super().__init__()
        self.elements, self.radial, self.cutoff = elements, radial, cutoff
        self.embedding = torch.nn.Embedding(len(elements), features)
        self.given = torch.nn.Linear(extra, features, bias=False) if extra else None
        self.layers = torch.nn.ModuleList(
            Layer(features, channels, sent, radial, k == 0) for k in range(layers)
        )
        self.register_buffer("per_atom", torch.tensor([0.0, 1.0]))  # e₀, σ in kcal/mol

    def begin(self, train: Dataset) -> None:
        """Set e₀, and σ: the deviation of an atom's energy, if atoms differ independently."""
        shift, scale = energy_per_atom(train)
        size = train.molecules.sizes.double().mean()
        self.per_atom.copy_(torch.stack([shift, scale / size.sqrt()]))

    def forward(self, batch: Batch) -> Output:
        """Return the energies of a batch, and those of its atoms."""
        known = expand(batch.positions, pair_mask(batch), self.radial, self.cutoff)
        x = self.embedding(batch.species)  # (B, n, features)
        if self.given is not None:
            assert batch.inputs is not None
            x = x + self.given(batch.inputs)
        before: Densities | None = None
        atomic = x.new_zeros(x.shape[:2])
        for layer in self.layers:
            x, before, share = layer(x, known, before)
            atomic = atomic + share
        shift, scale = self.per_atom.double()
        total = scale * torch.where(batch.mask, atomic, 0.0).sum(1) + shift * batch.mask.sum(1)
        return Output(total, atomic=(scale * atomic + shift).detach())
