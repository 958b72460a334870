r"""DimeNet++: messages along directed bonds, weighted by distances and by angles between bonds.

    e_n(d) = u(d/c) sin(f_n d/c),   f_n = nπ at first, learned                        (radial basis)
    s_ln(d) = u(d/c) √2/|j_{l+1}(z_ln)| j_l(z_ln d/c)   times   Y_l0(α)            (spherical basis)
    u(x) = 1/x + ax^e + bx^(e+1) + cx^(e+2) below 1, else 0;   e = 5                      (envelope)
    m_ji = σ(W[h_i ⊕ h_j ⊕ σ(W e(d_ji))])                                                (embedding)
    a_kj = σ(W↓[σ(W m_kj) ∘ W₂W₁ e(d_kj)])
    m_ji ← A(σ(W B(σ(W m_ji) + σ(W↑ Σ_{k≠i} a_kj ∘ W₂W₁ s(d_kj, α_kji)))) + m_ji)
                                                                              (interaction, T times)
    t_i = w · σ(W σ(W σ(W W↑ Σ_j m_ji ∘ W e(d_ji))))                           (output, T + 1 times)
    E = Σ_i [e₀ + s Σ_blocks t_i],   σ(x) = x/(1 + e^−x),   A, B: residual layers x + σ(W σ(W x))

α_kji is the angle between r_i − r_j and r_j − r_k. It is 0 where the atoms k, j, i lie on a line in
this order.

Gasteiger, Groß, Günnemann, ICLR (2020), arXiv 2003.03123; Gasteiger, Giri, Margraf, Günnemann,
arXiv 2011.14115 (2020).

The sum over k is a matrix product. With W₂W₁ s = Σ_l Y_l0(α_kji) S_l(d_kj), the sum around atom j
is

    Σ_l Σ_{k≠i} Y_l0(α_kji) [a_kj ∘ S_l(d_kj)]

All interactions share its matrix, (neighbours) × (degrees · neighbours). There is no list of
triplets, and no angle is computed: Y_l0 is a polynomial of cos α, which is a product of unit
vectors. So forces are finite and smooth where atoms lie on a line. The product is in
`onekcal.networks.triplet_sum`, the list of messages in `onekcal.networks.bond_messages`.

Deliberate deviations:
- e₀ and s come from the training energies. e₀ is the energy per atom that fits them best, s the
  standard deviation of what is left.
- The embedding has one row for each element of the training molecules; the authors' has 95 rows.
- The number of neighbours has no limit; in some implementations it is 32.
- Outputs begin at 0, w = 0. The authors do this for some targets, and take orthogonal weights for
  energies.
- In the recipe `paper` the rate falls to 0 along a cosine, not exponentially to 0.03 of its height,
  and Adam is used without AMSGrad.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import embedding, linear, silu

from onekcal.data.dataset import Dataset
from onekcal.features.bessel import angular_basis, radial_basis, spherical_basis
from onekcal.models.limits import at_least, check_positive
from onekcal.networks.bond_messages import Messages
from onekcal.networks.model import NetworkModel
from onekcal.networks.network import Batch, Network, Output, energy_per_atom
from onekcal.networks.training.settings import Recipes
from onekcal.networks.triplet_sum import directed


class DimeNet(NetworkModel):
    """DimeNet++; energies in kcal/mol, forces in kcal/mol/Å. The defaults are the published shape.

    Parameters
    ----------
    features
        Number of features of a message m_ji.
    blocks
        Number T of interactions.
    triplet
        Number of features of a_kj.
    basis
        Number of features between W₁ and W₂.
    output
        Number of features of an atom in the output blocks.
    degrees
        Number of degrees l of the spherical basis, from 0 on.
    waves
        Number of radial functions n of both bases, from 1 on.
    cutoff
        Distance c up to which atoms send messages to each other, Å.
    """

    recipes: ClassVar[Recipes] = {
        "paper": {
            "optimizer": "adam",
            "schedule": "onecycle",
            "warmup": 0.001,
            "rate": 1e-3,
            "batch": 32,
            "ema": 0.999,
            "clip": 10.0,
            "loss": "mae",
            "epochs": 873,
        },
        "fast": {
            "optimizer": "adamw",
            "schedule": "onecycle",
            "rate": 2e-3,
            "weight_decay": 1e-5,
            "batch": 32,
            "ema": 0.999,
            "clip": 10.0,
            "loss": "mae",
            "epochs": 100,
        },
    }

    def __init__(
        self,
        features: int = 128,
        blocks: int = 4,
        triplet: int = 64,
        basis: int = 8,
        output: int = 256,
        degrees: int = 7,
        waves: int = 6,
        cutoff: float = 5.0,
        fit: dict[str, object] | None = None,
        seed: int = 0,
        dtype: str = "float32",
    ) -> None:
        sizes = {
            "features": features,
            "blocks": blocks,
            "triplet": triplet,
            "basis": basis,
            "output": output,
            "degrees": degrees,
            "waves": waves,
        }
        at_least("dimenet", *((name, value, 1) for name, value in sizes.items()))
        check_positive("dimenet", {"cutoff": cutoff}, "Å")
        super().__init__(fit, seed, dtype)
        self.settings = features, blocks, triplet, basis, output, degrees, waves, cutoff

    def network(self, elements: tuple[int, ...]) -> DimeNetNetwork:
        """Return an untrained network for these nuclear charges."""
        return DimeNetNetwork(elements, *self.settings)


def dense(inputs: int, outputs: int, bias: bool = True) -> torch.nn.Linear:
    """Return a linear layer with orthogonal weights of variance 2/(inputs + outputs) and bias 0.

    Parameters
    ----------
    inputs, outputs
        Numbers of features.
    bias
        Whether there is a bias.
    """
    layer = torch.nn.Linear(inputs, outputs, bias)
    torch.nn.init.orthogonal_(layer.weight)
    with torch.no_grad():
        spread = layer.weight.var() if layer.weight.numel() > 1 else torch.ones(())
        layer.weight.mul_((2 / ((inputs + outputs) * spread)).sqrt())
        if bias:
            layer.bias.zero_()
    return layer


class Residual(torch.nn.Module):
    """x + σ(W σ(W x + b) + b)."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.first, self.second = dense(features, features), dense(features, features)

    def forward(self, x: Tensor) -> Tensor:
        """Return features of the same shape."""
        return x + silu(self.second(silu(self.first(x))))


class Embedding(torch.nn.Module):
    """The first messages."""

    def __init__(self, elements: int, features: int, waves: int) -> None:
        super().__init__()
        self.atoms = torch.nn.Parameter(
            torch.empty(elements, features).uniform_(-math.sqrt(3), math.sqrt(3))
        )
        self.radial = dense(waves, features)
        self.whole = dense(3 * features, features)

    def forward(self, species: Tensor, radial: Tensor, messages: Messages) -> Tensor:
        """Return the first messages.

        Parameters
        ----------
        species
            (N,) place of each atom's element among the elements.
        radial
            (E, waves) radial basis.
        messages
            Who sends to whom.

        Returns
        -------
        Tensor
            (E, f).
        """
        to, by, along = self.whole.weight.chunk(3, 1)
        pairs = linear(self.atoms, to, self.whole.bias)[:, None] + linear(
            self.atoms, by
        )  # (elements, elements, f)
        pair = species[messages.receiver] * len(self.atoms) + species[messages.sender]
        along_it = silu(radial @ self.radial.weight.T.contiguous() + self.radial.bias)
        return silu(embedding(pair, pairs.flatten(0, 1)) + linear(along_it, along))


class Interaction(torch.nn.Module):
    """Makes new messages from the messages to their sender."""

    def __init__(self, features: int, triplet: int, basis: int, degrees: int, waves: int) -> None:
        super().__init__()
        self.radial1, self.radial2 = dense(waves, basis, False), dense(basis, features, False)
        self.spherical1, self.spherical2 = (
            dense(degrees * waves, basis, False),
            dense(basis, triplet, False),
        )
        self.other, self.own = dense(features, features), dense(features, features)
        self.down, self.up = dense(features, triplet, False), dense(triplet, features, False)
        self.before, self.skip = Residual(features), dense(features, features)
        self.after = torch.nn.Sequential(Residual(features), Residual(features))
        self.degrees = degrees

    def forward(
        self, m: Tensor, radial: Tensor, spherical: Tensor, angular: Tensor, messages: Messages
    ) -> Tensor:
        """Return new messages.

        Parameters
        ----------
        m
            (E, f) messages.
        radial
            (E, waves) basis.
        spherical
            (N, D, degrees · waves) radial part of the spherical basis.
        angular
            (N, D, degrees · D) angular part.
        messages
            Who sends to whom.

        Returns
        -------
        Tensor
            (E, f).
        """
        sent = silu(self.other(m)) * (radial @ (self.radial1.weight.T @ self.radial2.weight.T))
        first = self.spherical1.weight.view(
            -1, self.degrees, radial.shape[1]
        )  # (basis, degrees, waves)
        weights = torch.einsum("bln,tb->lnt", first, self.spherical2.weight)  # S = s · weights
        heard = directed(
            angular, spherical, messages.padded(silu(self.down(sent))), weights
        )  # (N, D, t)
        h = silu(self.own(m)) + silu(self.up(messages.turned(heard)))
        return self.after(silu(self.skip(self.before(h))) + m)


class Readout(torch.nn.Module):
    """Makes atomic energies from the messages to each atom."""

    def __init__(self, features: int, output: int, waves: int) -> None:
        super().__init__()
        self.radial, self.up = dense(waves, features, False), dense(features, output, False)
        self.hidden = torch.nn.ModuleList([dense(output, output) for _ in range(3)])
        self.last = dense(output, 1, False)
        torch.nn.init.zeros_(self.last.weight)

    def forward(self, m: Tensor, radial: Tensor, messages: Messages) -> Tensor:
        """Return the part of the atomic energies that comes from these messages.

        Parameters
        ----------
        m
            (E, f) messages.
        radial
            (E, waves) radial basis.
        messages
            Who sends to whom.

        Returns
        -------
        Tensor
            (N,), in units of s.
        """
        x = self.up(messages.received(m * (radial @ self.radial.weight.T.contiguous())))
        for layer in self.hidden:
            x = silu(layer(x))
        return self.last(x).squeeze(-1)


class DimeNetNetwork(Network):
    """DimeNet++ for some elements.

    Parameters
    ----------
    elements
        Nuclear charges, ascending.
    features, blocks, triplet, basis, output, degrees, waves, cutoff
        As in `DimeNet`.
    exponent
        e of the envelope.
    """

    absolute = True
    per_atom: Tensor

    def __init__(
        self,
        elements: tuple[int, ...],
        features: int = 128,
        blocks: int = 4,
        triplet: int = 64,
        basis: int = 8,
        output: int = 256,
        degrees: int = 7,
        waves: int = 6,
        cutoff: float = 5.0,
        exponent: int = 5,
    ) -> None:
        super().__init__()
        self.elements, self.degrees, self.waves, self.cutoff, self.exponent = (
            elements,
            degrees,
            waves,
            cutoff,
            exponent,
        )
        self.frequencies = torch.nn.Parameter(
            math.pi * torch.arange(1, waves + 1, dtype=torch.get_default_dtype())
        )
        self.embedding = Embedding(len(elements), features, waves)
        self.interactions = torch.nn.ModuleList(
            [Interaction(features, triplet, basis, degrees, waves) for _ in range(blocks)]
        )
        self.readouts = torch.nn.ModuleList(
            [Readout(features, output, waves) for _ in range(blocks + 1)]
        )
        self.register_buffer("per_atom", torch.tensor([0.0, 1.0]))  # e₀, s in kcal/mol

    def begin(self, train: Dataset) -> None:
        """Set e₀ and s."""
        self.per_atom.copy_(energy_per_atom(train))

    def forward(self, batch: Batch) -> Output:
        """Return the energies of a batch, and those of its atoms."""
        messages = Messages.within(batch, self.cutoff)
        r = messages.way.square().sum(-1).sqrt()  # (E,) Å
        radial = radial_basis(r / self.cutoff, self.frequencies, self.exponent)
        spherical = messages.padded(
            spherical_basis(r / self.cutoff, self.degrees, self.waves, self.exponent).flatten(1)
        )
        angular = self._angular(messages.padded(messages.way / r[:, None]))
        m = self.embedding(batch.species[batch.mask], radial, messages)
        atomic = self.readouts[0](m, radial, messages)
        for interaction, readout in zip(self.interactions, self.readouts[1:]):
            m = interaction(m, radial, spherical, angular, messages)
            atomic = atomic + readout(m, radial, messages)
        owner = torch.arange(len(batch.mask), device=atomic.device)[:, None].expand_as(batch.mask)[
            batch.mask
        ]
        shift, scale = self.per_atom.double()
        total = torch.zeros(len(batch.mask), dtype=torch.float64, device=atomic.device).index_add(
            0, owner, atomic.double()
        )
        shared = torch.zeros(batch.mask.shape, dtype=torch.float64, device=atomic.device)
        shared[batch.mask] = scale * atomic.detach().double() + shift
        return Output(scale * total + shift * batch.mask.sum(1), atomic=shared)

    def _angular(self, towards: Tensor) -> Tensor:
        """(N, D, degrees · D) Y_l0(α_kji), 0 for i = k.

        `towards` (N, D, 3) are unit vectors from j to its neighbours.
        """
        basis = angular_basis(-(towards @ towards.mT), self.degrees)  # (N, D, D, degrees)
        apart = ~torch.eye(towards.shape[1], dtype=torch.bool, device=towards.device)
        return (basis * apart[:, :, None]).transpose(2, 3).flatten(2)
