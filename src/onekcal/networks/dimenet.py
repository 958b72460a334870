r"""DimeNet++: messages along directed bonds, weighed by distances and by the angles between them.

    e_n(d) = u(d/c) sin(f_n d/c),   f_n = nπ at first, learned                                     (radial basis)
    s_ln(d) = u(d/c) √2/|j_{l+1}(z_ln)| j_l(z_ln d/c)   times   Y_l0(α)                            (spherical basis)
    u(x) = 1/x + ax^e + bx^(e+1) + cx^(e+2) below 1, else 0;   e = 5                               (envelope)
    m_ji = σ(W[h_i ⊕ h_j ⊕ σ(W e(d_ji))])                                                          (embedding)
    a_kj = σ(W↓[σ(W m_kj) ∘ W₂W₁ e(d_kj)])
    m_ji ← A(σ(W B(σ(W m_ji) + σ(W↑ Σ_{k≠i} a_kj ∘ W₂W₁ s(d_kj, α_kji)))) + m_ji)                  (interaction, T times)
    t_i = w · σ(W σ(W σ(W W↑ Σ_j m_ji ∘ W e(d_ji))))                                               (output, T + 1 times)
    E = Σ_i [e₀ + s Σ_blocks t_i],   σ(x) = x/(1 + e^−x),   A, B: residual layers x + σ(W σ(W x))

α_kji is the angle between r_i − r_j and r_j − r_k: 0 where the atoms k, j, i stand in this order on a line.

Gasteiger, Groß, Günnemann, ICLR (2020), arXiv 2003.03123; Gasteiger, Giri, Margraf, Günnemann, arXiv 2011.14115 (2020).

The sum over k is a matrix product. As W₂W₁ s = Σ_l Y_l0(α_kji) S_l(d_kj), it is, around each atom j,

    Σ_l Σ_{k≠i} Y_l0(α_kji) [a_kj ∘ S_l(d_kj)]

with a matrix, (neighbours) × (degrees · neighbours), that all interactions share. No list of triplets is made, and no angle:
Y_l0 is a polynomial of cos α, a product of unit vectors, so that forces are finite and smooth where atoms stand on a line.

Deliberate deviations:
- e₀ and s are set from the training energies: e₀ is the energy an atom that fits them best, s the spread of what is left.
- the embedding has a row for each element of the training molecules, the authors' 95.
- no limit to the number of neighbours (32 in some implementations).
- outputs begin at 0, w = 0: the authors do so for some targets, and take orthogonal weights for energies.
- recipe `paper`: the rate falls to 0 along a cosine, not exponentially to 0.03 of its height; Adam without AMSGrad.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, NamedTuple, Self

import torch
from torch import Tensor
from torch.nn.functional import embedding, linear, silu

from onekcal.data.dataset import Dataset
from onekcal.errors import ConfigError
from onekcal.features.bessel import angular_basis, radial_basis, spherical_basis
from onekcal.molecules import Molecules
from onekcal.networks.model import NetworkModel, refuse_unsound
from onekcal.networks.network import Batch, Network, Output, pair_mask


class DimeNet(NetworkModel):
    """Energies in kcal/mol, forces in kcal/mol/Å; `cutoff` in Å.

    `features` of a message, `blocks`: T, `triplet`: features of a_kj, `basis`: between W₁ and W₂, `output`: features of an
    atom, `degrees` l < degrees, `waves` n ≤ waves. The rest is the published shape.
    """

    recipes: ClassVar[dict[str, dict[str, Any]]] = {
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
        fit: dict[str, Any] | None = None,
        seed: int = 0,
        dtype: str = "float32",
    ) -> None:
        sizes: dict[str, Any] = {
            "features": features,
            "blocks": blocks,
            "triplet": triplet,
            "basis": basis,
            "output": output,
            "degrees": degrees,
            "waves": waves,
        }
        for name, value in sizes.items():
            if value < 1:
                raise ConfigError(f"dimenet: `{name}` must be at least 1, got {value}")
        if not cutoff > 0:
            raise ConfigError(f"dimenet: `cutoff` must be positive (Å), got {cutoff}")
        super().__init__(fit, seed, dtype)
        self.settings = {**sizes, "cutoff": cutoff}

    def network(self, elements: tuple[int, ...]) -> DimeNetNetwork:
        return DimeNetNetwork(elements, **self.settings)

    def fit(self, train: Dataset, valid: Dataset) -> Self:
        for data in (train, valid):
            refuse_unsound(data.molecules)
        return super().fit(train, valid)

    def _batches(self, molecules: Molecules) -> Iterator[Batch]:
        refuse_unsound(molecules)
        yield from super()._batches(molecules)


class Messages(NamedTuple):
    """Who sends to whom: one message along every ordered pair of atoms within the cut-off, sorted by receiver.

    The messages to an atom also stand in a padded list of its neighbours, D places long.
    """

    receiver: Tensor  # (E,) of the N atoms of a batch
    sender: Tensor  # (E,)
    way: Tensor  # (E, 3) Å from receiver to sender
    place: Tensor  # (E,) in the padded list, N · D
    answer: Tensor  # (E,) place of the message the other way
    atoms: int  # N
    width: int  # D

    @classmethod
    def within(cls, batch: Batch, cutoff: float) -> Messages:
        """Of a batch's pairs nearer than `cutoff` Å."""
        r = batch.positions
        near = ((r[:, :, None] - r[:, None]).detach().square().sum(-1) < cutoff**2) & pair_mask(
            batch
        )  # (B, n, n)
        number = (near.flatten().cumsum(0) - 1).view(near.shape)
        atom = (batch.mask.flatten().cumsum(0) - 1).view(batch.mask.shape)  # (B, n)
        m, i, j = near.nonzero(as_tuple=True)
        width = max(1, int(near.sum(-1).max()))
        place = atom[m, i] * width + near.cumsum(-1)[m, i, j] - 1
        return cls(
            atom[m, i],
            atom[m, j],
            r[m, j] - r[m, i],
            place,
            place[number[m, j, i]],
            int(batch.mask.sum()),
            width,
        )

    def padded(self, x: Tensor) -> Tensor:
        """(N, D, f) of messages (E, f), 0 where there is none."""
        places = x.new_zeros(self.atoms * self.width, x.shape[1])
        return places.index_copy(0, self.place, x).view(self.atoms, self.width, -1)

    def turned(self, x: Tensor) -> Tensor:
        """(E, f): what stands in the padded list (N, D, f) for the message the other way."""
        return x.flatten(0, 1).index_select(0, self.answer)

    def received(self, x: Tensor) -> Tensor:
        """(N, f) sum over the messages (E, f) to each atom."""
        return x.new_zeros(self.atoms, x.shape[1]).index_add(0, self.receiver, x)


# --- the sum over triplets -------------------------------------------------------------------------------------------

PART = 2**18
"""Numbers a CPU holds at a time of what is `degrees` times as wide as a message: they stay in its cache."""


def directed(angular: Tensor, spherical: Tensor, sent: Tensor, weights: Tensor) -> Tensor:
    """(N, D, t) Σ_l Σ_k Y_l0(α_kji) [a_kj ∘ S_l(d_kj)].

    Of Y_l0 (N, D, degrees · D), s (N, D, degrees · waves), a (N, D, t); S_l = s_l · weights (degrees, waves, t).
    """
    return (
        Directed.apply(angular, spherical, sent, weights)
        if sent.device.type == "cpu"
        else _around(angular, spherical, sent, weights)
    )


def _around(angular: Tensor, spherical: Tensor, sent: Tensor, weights: Tensor) -> Tensor:
    by_degree = (
        spherical.flatten(0, 1).unflatten(1, (len(weights), -1)).transpose(0, 1) @ weights
    )  # (degrees, N · D, t)
    parts = (
        by_degree.unflatten(1, sent.shape[:2]).transpose(0, 1) * sent[:, None]
    )  # (N, degrees, D, t)
    return angular @ parts.flatten(1, 2)


class Directed(torch.autograd.Function):
    """`directed` for a few atoms at a time, there and back; nothing in between is kept."""

    @staticmethod
    @torch.amp.custom_fwd(device_type="cpu")
    def forward(ctx: Any, *inputs: Tensor) -> Tensor:
        ctx.save_for_backward(*inputs)
        return torch.cat([_around(*part, inputs[3]) for part in _parts(*inputs)])

    @staticmethod
    @torch.amp.custom_bwd(device_type="cpu")
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        inputs, wanted = ctx.saved_tensors, ctx.needs_input_grad
        if (
            torch.is_grad_enabled()
        ):  # forces are being learned: what is returned must itself have a gradient
            return _slopes(inputs, wanted, slope, True)
        found: list[tuple[Any, ...]] = []
        with torch.enable_grad():
            for rows, part in zip(slope.split(_atoms(*inputs)), _parts(*inputs)):
                leaves = [
                    x.detach().requires_grad_(want) for x, want in zip((*part, inputs[3]), wanted)
                ]
                found.append(_slopes(leaves, wanted, rows, False))
        first = [torch.cat([one[k] for one in found]) if wanted[k] else None for k in range(3)]
        return (*first, torch.stack([one[3] for one in found]).sum(0) if wanted[3] else None)


def _slopes(
    inputs: Sequence[Tensor], wanted: Sequence[bool], slope: Tensor, again: bool
) -> tuple[Tensor | None, ...]:
    chosen = [x for x, want in zip(inputs, wanted) if want]
    slopes = iter(torch.autograd.grad(_around(*inputs), chosen, slope, create_graph=again))
    return tuple(next(slopes) if want else None for want in wanted)


def _atoms(angular: Tensor, spherical: Tensor, sent: Tensor, weights: Tensor) -> int:
    return max(1, PART // max(1, sent.shape[1] * sent.shape[2] * len(weights)))


def _parts(*inputs: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    return zip(*(x.split(_atoms(*inputs)) for x in inputs[:3]))


# --- layers ----------------------------------------------------------------------------------------------------------


def dense(inputs: int, outputs: int, bias: bool = True) -> torch.nn.Linear:
    """A linear layer with orthogonal weights of variance 2/(inputs + outputs), and no bias at first."""
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
        """(E, f) of species (N,) and the radial basis (E, waves)."""
        to, by, along = self.whole.weight.chunk(3, 1)
        pairs = linear(self.atoms, to, self.whole.bias)[:, None] + linear(
            self.atoms, by
        )  # (elements, elements, f)
        pair = species[messages.receiver] * len(self.atoms) + species[messages.sender]
        along_it = silu(radial @ self.radial.weight.T.contiguous() + self.radial.bias)
        return silu(embedding(pair, pairs.flatten(0, 1)) + linear(along_it, along))


class Interaction(torch.nn.Module):
    """New messages from those to their sender."""

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
        """(E, f) of messages m (E, f); bases: (E, waves), (N, D, degrees · waves), (N, D, degrees · D)."""
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
    """Atomic energies from the messages to an atom."""

    def __init__(self, features: int, output: int, waves: int) -> None:
        super().__init__()
        self.radial, self.up = dense(waves, features, False), dense(features, output, False)
        self.hidden = torch.nn.ModuleList([dense(output, output) for _ in range(3)])
        self.last = dense(output, 1, False)
        torch.nn.init.zeros_(self.last.weight)

    def forward(self, m: Tensor, radial: Tensor, messages: Messages) -> Tensor:
        """(N,) of messages (E, f) and the radial basis (E, waves)."""
        x = self.up(messages.received(m * (radial @ self.radial.weight.T.contiguous())))
        for layer in self.hidden:
            x = silu(layer(x))
        return self.last(x).squeeze(-1)


class DimeNetNetwork(Network):
    """DimeNet++ for some elements."""

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
        """e₀ by least squares, s the standard deviation of what is left."""
        sizes, energies = train.molecules.sizes.double(), train.energies.double()
        shift = (sizes @ energies) / (sizes @ sizes)
        spread = (energies - shift * sizes).std(correction=0)
        self.per_atom.copy_(torch.stack([shift, spread if spread > 0 else torch.ones_like(spread)]))

    def forward(self, batch: Batch) -> Output:
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
        """(N, D, degrees · D) Y_l0(α_kji) of unit vectors from j to its neighbours (N, D, 3); 0 for i = k."""
        found = angular_basis(-(towards @ towards.mT), self.degrees)  # (N, D, D, degrees)
        apart = ~torch.eye(towards.shape[1], dtype=torch.bool, device=towards.device)
        return (found * apart[:, :, None]).transpose(2, 3).flatten(2)
