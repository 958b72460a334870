r"""A 3-D DenseNet on fields sampled in a cube: the network. `onekcal.networks.voxels` makes a model of it.

    x̂ = (x − mean x)/√(var x + 10⁻⁵)     over the molecules and voxels of a batch, one channel at a time     (normalisation)
    x⁰ = S * field                                              3×3×3, 64 channels                           (stem)
    b_l = relu(γ' ∘ ĥ + β'),   h = W relu(γ ∘ x̂ + β)            1×1×1, 4 · 12 channels                       (bottleneck)
    x ← x ⊕ (K * b_l)                                           3×3×3, 12 channels, l = 1 … d                (dense layer)
    x ← pool(V relu(γ ∘ x̂ + β))                                 1×1×1, half the channels; mean of 2×2×2      (transition)
    E = w · ⟨relu(γ ∘ x̂ + β)⟩ + c                               ⟨ ⟩: mean over voxels                        (head)

⊕ lays channels end to end, * is a convolution with zeros beyond the cube. Two dense blocks of d₁ and d₂ layers with a
transition between them.

Gupta, Raghavachari, J. Chem. Theory Comput. 18, 2132 (2022); Huang, Liu, van der Maaten, Weinberger, CVPR (2017).

Done otherwise, with the same result:
- every layer of a block normalises the same channels, and the mean and variance of a channel do not depend on who asks. So x̂
  is computed once, when a channel is made, and only x̂ is kept; γ and β are each layer's own.
- channels lie one behind the other in memory, all voxels of a batch each, so that ⊕ costs nothing.
- the gradient of a block computes relu(γ ∘ x̂ + β), h and b_l again instead of keeping them.
- the transition pools before it multiplies, an eighth of the work.

Deliberate deviations:
- `symmetry` ties the weights of S and K together (`orbits`): with "signs" the energy does not change when an axis of the
  cube is reversed, with "cube" under any of its 48 rotations and reflections. The published network has neither.
- while training, a batch is normalised in parts of `together` molecules, as it was on each of the paper's four GPUs. Running
  means and variances take in the mean over the parts, with the usual momentum of 0.1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import permutations, product
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import avg_pool3d, batch_norm

from onekcal.networks.network import Batch, Network, Output

EPSILON, MOMENTUM = 1e-5, 0.1
"""Added to variances; share of the newest batch in running means and variances."""
LAST = torch.channels_last_3d
SYMMETRIES = ("none", "signs", "cube")

_norm = torch.ops.aten.native_batch_norm
_norm_backward = torch.ops.aten.native_batch_norm_backward
_relu_backward = torch.ops.aten.threshold_backward


class DenseNetwork(Network):
    """A DenseNet for `channels` fields on `grid` voxels; `blocks`: layers of each dense block."""

    def __init__(
        self,
        elements: tuple[int, ...],
        channels: int,
        grid: tuple[int, int, int],
        blocks: Sequence[int],
        growth: int = 12,
        stem: int = 64,
        bottleneck: int = 4,
        compression: float = 0.5,
        symmetry: str = "none",
        together: int = 32,
    ) -> None:
        super().__init__()
        self.elements, self.together = elements, together
        self.stem = Kernel(channels, stem, symmetry)
        self.normalised = torch.nn.ModuleList()
        self.blocks = torch.nn.ModuleList()
        self.transitions = torch.nn.ModuleList()
        width = stem
        for k, depth in enumerate(blocks):
            if k:
                self.transitions.append(Transition(width, int(compression * width)))
                width = int(compression * width)
            self.normalised.append(Normalisation(width))
            self.blocks.append(
                torch.nn.ModuleList(
                    [
                        DenseLayer(width + growth * layer, growth, bottleneck * growth, symmetry)
                        for layer in range(depth)
                    ]
                )
            )
            width += growth * depth
        self.gamma, self.beta = (
            torch.nn.Parameter(torch.ones(width)),
            torch.nn.Parameter(torch.zeros(width)),
        )
        self.output = torch.nn.Linear(width, 1)
        torch.nn.init.zeros_(self.output.bias)
        if min(grid) // 2 ** len(self.transitions) < 2:
            raise ValueError(
                f"a grid of {grid} is too small to be halved {len(self.transitions)} times"
            )

    def forward(self, batch: Batch) -> Output:
        """Energies from `batch.inputs` (B, views, channels, x, y, z); with several views, the mean over them."""
        assert batch.inputs is not None
        count, views = batch.inputs.shape[:2]
        fields = batch.inputs.flatten(0, 1)  # (B · views, channels, x, y, z)
        parts = -(-len(fields) // self.together)
        kind = fields.device.type
        low = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else fields.dtype
        with torch.autocast(kind, enabled=False):
            # every so-many-th molecule: the parts that processes make of a batch, whose share is made in the same way
            found = [self.energies(fields[k::parts], low, momentum(k, parts)) for k in range(parts)]
        energies = torch.cat(found)[_places(len(fields), parts)].view(count, views)
        if views == 1:
            return Output(energies[:, 0])
        return Output(energies.mean(1), terms={"spread": energies.std(1)})

    def energies(self, fields: Tensor, low: torch.dtype, share: float) -> Tensor:
        """(B,) of fields (B, channels, x, y, z); products in the precision `low`; `share` for running means."""
        x = torch.conv3d(fields.contiguous(memory_format=LAST), self.stem.weight(), padding=1)
        shape = (x.shape[0], *x.shape[2:])
        x = x.transpose(0, 1).flatten(1)  # (channels, B · x · y · z)
        for k, (normalised, block) in enumerate(zip(self.normalised, self.blocks)):
            if k:
                x, shape = self.transitions[k - 1](x, shape)
            x = normalised(x, share)
            layers: list[Any] = list(block.children())
            weights = [weight for layer in layers for weight in layer.weights()]
            running = [layer.running() for layer in layers]
            if weights:
                x = DenseBlock.apply(x, shape, low, share, self.training, running, *weights)
        pooled = (
            _activated(x, self.gamma, self.beta).view(len(x), shape[0], -1).mean(2).T
        )  # (B, width)
        return self.output(pooled)[:, 0]

    def decayed(self) -> list[torch.nn.Parameter]:
        """All, as in the paper."""
        return list(self.parameters())

    def statistics(self) -> list[Tensor]:
        """Running means and variances."""
        return [tensor for tensor in self.buffers() if tensor.is_floating_point()]


def momentum(k: int, parts: int) -> float:
    """Of the k-th part of a batch, so that all parts count alike and their mean counts MOMENTUM."""
    return MOMENTUM / (parts - (parts - 1 - k) * MOMENTUM)


def _places(count: int, parts: int) -> Tensor:
    """Where each of `count` molecules stands when every `parts`-th, from the first, the second … on, is laid end to end."""
    return torch.cat([torch.arange(k, count, parts) for k in range(parts)]).argsort()


def _activated(x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
    """relu(γ ∘ x + β) of channels (C, R)."""
    return torch.addcmul(beta[:, None], x, gamma[:, None]).relu()


class Normalisation(torch.nn.Module):
    """x̂ of channels (C, R), by running means and variances when asked rather than trained."""

    mean: Tensor
    variance: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("variance", torch.ones(width))

    def forward(self, x: Tensor, share: float) -> Tensor:
        return batch_norm(
            x[None], self.mean, self.variance, None, None, self.training, share, EPSILON
        )[0]


class Kernel(torch.nn.Module):
    """The weights of a 3×3×3 convolution, equal where a symmetry of the cube takes one into another."""

    orbit: Tensor

    def __init__(self, channels: int, out: int, symmetry: str) -> None:
        super().__init__()
        orbit = orbits(symmetry)
        self.values = torch.nn.Parameter(torch.empty(out, channels, int(orbit.max()) + 1))
        torch.nn.init.normal_(self.values, std=math.sqrt(2 / (27 * channels)))
        self.register_buffer("orbit", orbit, persistent=False)
        self.free = symmetry == "none"

    def weight(self) -> Tensor:
        """(out, channels, 3, 3, 3)."""
        if self.free:
            return self.values.unflatten(2, (3, 3, 3))
        return self.values[:, :, self.orbit].contiguous(memory_format=LAST)


def orbits(symmetry: str) -> Tensor:
    """(3, 3, 3) int64: voxels with the same number are taken into each other.

    none: 27 of their own; signs: 8, by the distances from the centre along x, y and z; cube: 4, by how many of them are 0.
    """
    far = torch.tensor([1, 0, 1])
    if symmetry == "signs":
        return 4 * far[:, None, None] + 2 * far[:, None] + far
    if symmetry == "cube":
        return far[:, None, None] + far[:, None] + far
    return torch.arange(27).view(3, 3, 3)


class DenseLayer(torch.nn.Module):
    """What one dense layer learns, and the running means and variances of its bottleneck and of the channels it makes."""

    hidden_mean: Tensor
    hidden_variance: Tensor
    mean: Tensor
    variance: Tensor

    def __init__(self, width: int, growth: int, hidden: int, symmetry: str) -> None:
        super().__init__()
        self.gamma, self.beta = (
            torch.nn.Parameter(torch.ones(width)),
            torch.nn.Parameter(torch.zeros(width)),
        )
        self.reduce = torch.nn.Parameter(torch.empty(hidden, width))
        torch.nn.init.normal_(self.reduce, std=math.sqrt(2 / width))
        self.hidden_gamma = torch.nn.Parameter(torch.ones(hidden))
        self.hidden_beta = torch.nn.Parameter(torch.zeros(hidden))
        self.kernel = Kernel(hidden, growth, symmetry)
        for name, count in (("hidden_", hidden), ("", growth)):
            self.register_buffer(f"{name}mean", torch.zeros(count))
            self.register_buffer(f"{name}variance", torch.ones(count))

    def weights(self) -> tuple[Tensor, ...]:
        """γ, β, W, γ', β', K."""
        return (
            self.gamma,
            self.beta,
            self.reduce,
            self.hidden_gamma,
            self.hidden_beta,
            self.kernel.weight(),
        )

    def running(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Means and variances of h and of the layer's channels."""
        return self.hidden_mean, self.hidden_variance, self.mean, self.variance


class Transition(torch.nn.Module):
    """Fewer channels on half the grid."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.gamma, self.beta = (
            torch.nn.Parameter(torch.ones(width)),
            torch.nn.Parameter(torch.zeros(width)),
        )
        self.reduce = torch.nn.Parameter(torch.empty(out, width))
        torch.nn.init.normal_(self.reduce, std=math.sqrt(2 / width))

    def forward(self, x: Tensor, shape: tuple[int, ...]) -> tuple[Tensor, tuple[int, ...]]:
        pooled = avg_pool3d(_activated(x, self.gamma, self.beta).view(len(x), *shape), 2)
        return self.reduce @ pooled.flatten(1), pooled.shape[1:]


class DenseBlock(torch.autograd.Function):
    """x̂ (C, R) → x̂ with the channels of all layers of a block (C + growth · layers, R), R = B · x · y · z.

    Its own gradient keeps the result and nothing else, and computes each layer again. It has no second derivative.
    """

    @staticmethod
    def forward(
        ctx: Any,
        start: Tensor,
        shape: tuple[int, ...],
        low: torch.dtype,
        share: float,
        training: bool,
        running: Sequence[tuple[Tensor, ...]],
        *weights: Tensor,
    ) -> Tensor:
        layers = _layers(weights)
        made, growth = len(start), weights[-1].shape[0]
        x = start.new_empty(made + growth * len(layers), start.shape[1])
        x[:made] = start
        room, spreads = torch.empty_like(x[:-growth]), []
        for (gamma, beta, reduce, *hidden, kernel), (mean, variance, *own) in zip(layers, running):
            a = _activated_in(x[:made], gamma, beta, room).to(low)
            b = _norm(
                _reduced(a, reduce, shape), *hidden, mean, variance, training, share, EPSILON
            )[0].relu_()
            new = torch.conv3d(b, kernel.to(low, memory_format=LAST), padding=1).to(x.dtype)
            new, _, spread = _norm(new, None, None, *own, training, share, EPSILON)
            x[made : made + growth] = new.movedim(1, -1).reshape(-1, growth).T
            spreads.append(spread)
            made += growth
        ctx.save_for_backward(x, *spreads, *weights)
        ctx.setting = len(start), shape, low, training
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Any, ...]:
        """Layer by layer from the last: `gradient` is that of all x̂ made so far."""
        start, shape, low, training = ctx.setting
        assert training, "running means have no gradient here"
        x, *rest = ctx.saved_tensors
        spreads, layers = rest[: len(rest) // 7], _layers(rest[len(rest) // 7 :])
        growth = rest[-1].shape[0]
        gradient, made = upstream.clone(), len(x)
        out: list[Tensor] = []
        room, slopes = torch.empty_like(x[:-growth]), torch.empty_like(x[:-growth])
        for (gamma, beta, reduce, *hidden, kernel), spread in zip(
            reversed(layers), reversed(spreads)
        ):
            made -= growth
            new = _unnormalised(gradient[made : made + growth], x[made : made + growth], spread)
            new = new.to(low).T.reshape(*shape, growth).movedim(-1, 1)  # (B, growth, x, y, z)
            full = _activated_in(x[:made], gamma, beta, room)
            a = full.to(low)
            h = _reduced(a, reduce, shape)
            b, *found = _norm(h, *hidden, None, None, True, 0.0, EPSILON)
            db, dkernel, _ = torch.ops.aten.convolution_backward(
                new,
                b.relu_(),
                kernel.to(low, memory_format=LAST),
                None,
                [1] * 3,
                [1] * 3,
                [1] * 3,
                False,
                [0] * 3,
                1,
                [True, True, False],
            )
            db = _relu_backward(db, b, 0)
            dh, *dhidden = _norm_backward(
                db, h, hidden[0], None, None, *found, True, EPSILON, [True] * 3
            )
            dh = dh.movedim(1, -1).reshape(-1, len(reduce))  # (R, hidden)
            dreduce = torch.mm(a, dh).T
            da = _product(reduce.to(low).T, dh.T, slopes[:made])
            _relu_backward.grad_input(da, full, 0, grad_input=da)
            dbeta = da.sum(1)
            dgamma = torch.mul(da, x[:made], out=full).sum(1)
            gradient[:made] += da.mul_(gamma[:, None])
            out = [dgamma, dbeta, dreduce.to(x.dtype), *dhidden, dkernel.to(x.dtype), *out]
        return gradient[:start], None, None, None, None, None, *out


def _layers(weights: Sequence[Tensor]) -> list[Sequence[Tensor]]:
    return [weights[first : first + 6] for first in range(0, len(weights), 6)]


def _activated_in(x: Tensor, gamma: Tensor, beta: Tensor, room: Tensor) -> Tensor:
    """relu(γ ∘ x + β) in the first rows of `room`: memory asked for anew would cost as much as the arithmetic."""
    return torch.mul(x, gamma[:, None], out=room[: len(x)]).add_(beta[:, None]).relu_()


def _reduced(a: Tensor, reduce: Tensor, shape: tuple[int, ...]) -> Tensor:
    """(B, hidden, x, y, z), channels last in memory: W a."""
    return torch.mm(a.T, reduce.to(a.dtype).T).view(*shape, -1).movedim(-1, 1)


def _product(one: Tensor, two: Tensor, room: Tensor) -> Tensor:
    """one @ two in `room`, whose precision may be higher."""
    return (
        torch.mm(one, two, out=room) if one.dtype == room.dtype else room.copy_(torch.mm(one, two))
    )


def _unnormalised(gradient: Tensor, x: Tensor, spread: Tensor) -> Tensor:
    """The gradient of channels (C, R) from that of their x̂; `spread` (C,): 1/√(var + ε)."""
    slope = (gradient * x).mean(1, keepdim=True)
    return (
        (gradient - gradient.mean(1, keepdim=True))
        .addcmul_(x, slope, value=-1)
        .mul_(spread[:, None])
    )


# --- the cube's own symmetries -----------------------------------------------------------------------------------------


def motions(symmetry: str, n: int) -> Tensor:
    """(G, n³) int64: the voxel each voxel's value comes from, for the G motions of a symmetry; the first is none at all.

    signs: the 8 reversals of axes; cube: all 48 rotations and reflections. A mirror image has the same energy.
    """
    if symmetry == "none":
        return torch.arange(n**3)[None]
    voxels = torch.arange(n**3).view(n, n, n)
    orders = list(permutations(range(3))) if symmetry == "cube" else [(0, 1, 2)]
    return torch.stack(
        [
            voxels.permute(order).flip([axis for axis in range(3) if reverse[axis]]).flatten()
            for order in orders
            for reverse in product((0, 1), repeat=3)
        ]
    )
