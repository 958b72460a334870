r"""A dense block with a gradient of its own (equations in `onekcal.networks.densenet`).

Its forward pass, for each layer:

    a = clip(x̂),   h = (W ∘ γ) a                                 one part of the molecules at a time
    b = relu(γ' ∘ ĥ + β'),   x̂_new = normalised K * b

Channels lie last, in one buffer for the whole block: ⊕ costs nothing, and a convolution reads its
input as it lies. A part is so small that `a` stays in the cache of a core. h is without the
constant Wκ, which the normalisation takes off; the running mean has it.

The backward pass keeps x̂ and h, and computes `a` and b again. `slope` of a tensor is the gradient
of the loss with respect to it. For each layer, from the last:

    slope of K * b from that of x̂_new                                           (normalisation)
    slope of h from that of b                                                   (normalisation)
    A = slopeᵀ a,   p = slope (W ∘ γ)                            one part of the molecules at a time
    slope of x̂ += m ∘ p
    slope of W = γ ∘ A + κ Σ slope; those of γ and β are in `onekcal.networks.clipping`
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from onekcal.networks.clipping import Clip, bits, masked_in, relu_in
from onekcal.networks.network import Context

EPSILON = 1e-5
"""This is added to variances."""
LAST = torch.channels_last_3d
CACHED = 4096
"""Voxels of a part on a CPU: 256 channels in bfloat16 take 2 MiB."""

_norm = torch.ops.aten.native_batch_norm
_norm_backward = torch.ops.aten.native_batch_norm_backward


class Layer(NamedTuple):
    """What one layer learns."""

    gamma: Tensor  # (C,)
    beta: Tensor  # (C,)
    reduce: Tensor  # (hidden, C)
    hidden_gamma: Tensor  # (hidden,)
    hidden_beta: Tensor  # (hidden,)
    kernel: Tensor  # (growth, hidden, 3, 3, 3)


class Kept(NamedTuple):
    """What one layer keeps for the gradient."""

    h: Tensor  # (R, hidden)
    mean: Tensor  # (hidden,) of h
    spread: Tensor  # (hidden,) 1/√(var h + ε)
    new: Tensor  # (R, growth) x̂_new
    new_spread: Tensor  # (growth,) 1/√(var + ε) of K * b


class DenseBlock(torch.autograd.Function):
    """x̂ (R, C) → x̂ with the channels of all layers of a block, (R, C + growth · layers).

    R = B · x · y · z. It has no second derivative.
    """

    @staticmethod
    def forward(
        ctx: Context,
        start: Tensor,
        shape: tuple[int, ...],
        share: float,
        training: bool,
        running: Sequence[tuple[Tensor, ...]],
        *weights: Tensor,
    ) -> Tensor:
        """Append the channels of one layer after the other."""
        layers = _grouped(weights, Layer)
        (rows, made), growth = start.shape, len(weights[-1])
        x = start.new_empty(rows, made + growth * len(layers))
        x[:, :made] = start
        room, kept = Room(shape, x), list[Tensor]()
        for layer, own in zip(layers, running):
            clip = Clip.of(layer.gamma, layer.beta, x.dtype)
            w, constant = _folded(layer, clip, x.dtype)
            h = x.new_empty(rows, len(w))
            for part in room.parts:
                torch.mm(clip.a(x[part, :made], room.of(part, made)), w.T, out=h[part])
            b, mean, spread = _normalised_relu(h, layer, own, constant, shape, share, training)
            new = torch.conv3d(b, layer.kernel.to(x.dtype, memory_format=LAST), padding=1)
            new, _, new_spread = _norm(new, None, None, *own[2:], training, share, EPSILON)
            new = matrix(new)
            x[:, made : made + growth] = new
            made += growth
            if training:
                kept += Kept(h, mean, spread, new, new_spread)
        ctx.save_for_backward(x, *kept, *weights)
        ctx.setting = start.shape[1], shape, len(layers), training
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx: Context, upstream: Tensor) -> tuple[Tensor | None, ...]:
        """Go through the layers from the last; `slope` is that of all x̂ made so far."""
        start, shape, depth, training = ctx.setting
        assert training, "running means have no gradient here"
        x, *rest = ctx.saved_tensors
        width = depth * len(Kept._fields)
        kept, layers = _grouped(rest[:width], Kept), _grouped(rest[width:], Layer)
        dtype = layers[0].gamma.dtype
        slope, made, out = upstream.clone(), x.shape[1], list[Tensor]()
        room, second = Room(shape, x), Room(shape, x)
        for layer, saved in zip(reversed(layers), reversed(kept)):
            made -= len(layer.kernel)
            own = slice(made, made + len(layer.kernel))
            dh, *narrow = _narrow_slopes(layer, saved, slope[:, own], shape)
            clip = Clip.of(layer.gamma, layer.beta, x.dtype)
            w, _ = _folded(layer, clip, x.dtype)
            products, sums, whole = (
                w.new_zeros(size, dtype=dtype) for size in (w.shape, made, len(w))
            )
            for part in room.parts:
                dh_part, a = dh[part], clip.a(x[part, :made], room.of(part, made))
                products += torch.mm(dh_part.T, a)
                p = torch.mm(dh_part, w, out=second.of(part, made))
                bits(p).mul_(clip.mask_in(a))
                sums += p.sum(0)
                whole += dh_part.sum(0)
                slope[part, :made] += p
            out = [*_wide_slopes(layer, clip, w, products, sums, whole), *narrow, *out]
        return slope[:, :start].contiguous(), None, None, None, None, *out


class Room:
    """Memory for the rows of one part. New memory would cost as much time as the arithmetic."""

    def __init__(self, shape: tuple[int, ...], x: Tensor) -> None:
        molecules, voxels = shape[0], shape[1] * shape[2] * shape[3]
        some = max(1, CACHED // voxels) if x.device.type == "cpu" else molecules
        rows = some * voxels
        self.parts = [slice(k, min(k + rows, len(x))) for k in range(0, len(x), rows)]
        self.memory = x.new_empty(rows * x.shape[1])

    def of(self, part: slice, channels: int) -> Tensor:
        """(n, channels) for the n rows of a part."""
        rows = part.stop - part.start
        return self.memory[: rows * channels].view(rows, channels)


Group = TypeVar("Group", Layer, Kept)


def _grouped(tensors: Sequence[Tensor], kind: type[Group]) -> list[Group]:
    each = len(kind._fields)
    return [kind(*tensors[k : k + each]) for k in range(0, len(tensors), each)]


def _folded(layer: Layer, clip: Clip, low: torch.dtype) -> tuple[Tensor, Tensor]:
    """W ∘ γ in low precision (hidden, C), and the constant of each row of h (hidden,)."""
    w = (layer.reduce * clip.gamma).to(low)
    exact = torch.where(clip.open, layer.reduce * clip.kappa, -w.to(clip.t.dtype) * clip.t)
    return w, exact.sum(1)


def _normalised_relu(
    h: Tensor,
    layer: Layer,
    running: tuple[Tensor, ...],
    constant: Tensor,
    shape: tuple[int, ...],
    share: float,
    training: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """b of (B, hidden, x, y, z), and mean and 1/√(var + ε) of h."""
    mean = running[0] - constant
    b, *found = _norm(cube(h, shape), *layer[3:5], mean, running[1], training, share, EPSILON)
    if training:
        running[0].copy_(mean + constant)
    return relu_in(b), *found


def _narrow_slopes(
    layer: Layer, kept: Kept, slope: Tensor, shape: tuple[int, ...]
) -> tuple[Tensor, ...]:
    """The slopes of h (R, hidden), γ', β' and K from that of the channels x̂_new (R, growth)."""
    h = cube(kept.h, shape)
    b = relu_in(_norm(h, *layer[3:5], kept.mean, kept.spread**-2 - EPSILON, False, 0.0, EPSILON)[0])
    new = _unnormalised(slope, kept.new, kept.new_spread)
    db, dkernel = _convolution_slopes(cube(new, shape), b, layer.kernel)
    db = masked_in(db.contiguous(memory_format=LAST), b)
    dh, *dhidden = _norm_backward(
        db, h, layer.hidden_gamma, None, None, kept.mean, kept.spread, True, EPSILON, [True] * 3
    )
    return matrix(dh), *dhidden, dkernel.to(layer.kernel.dtype)


def _wide_slopes(
    layer: Layer, clip: Clip, w: Tensor, products: Tensor, sums: Tensor, whole: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The slopes of γ, β and W from slopeᵀ a, Σ m ∘ p and Σ slope."""
    folded = w.to(whole.dtype)
    dgamma, dbeta = clip.slopes((folded * products).sum(0), whole @ folded, sums)
    dreduce = products * clip.gamma + torch.outer(whole, clip.kappa)
    return dgamma / clip.gamma, dbeta / clip.gamma, dreduce


def _convolution_slopes(slope: Tensor, b: Tensor, kernel: Tensor) -> tuple[Tensor, Tensor]:
    """The slopes of a 3×3×3 convolution with zeros outside, by its input and by its kernel."""
    stride = padding = dilation = [1] * 3
    by_input, by_kernel, _ = torch.ops.aten.convolution_backward(
        slope,
        b,
        kernel.to(b.dtype, memory_format=LAST),
        None,
        stride,
        padding,
        dilation,
        False,
        [0] * 3,
        1,
        [True, True, False],
    )
    return by_input, by_kernel


def cube(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """(R, C) as (B, C, x, y, z), channels last in memory."""
    return x.view(*shape, -1).movedim(-1, 1)


def matrix(x: Tensor) -> Tensor:
    """(B, C, x, y, z) as (R, C)."""
    return x.movedim(1, -1).reshape(-1, x.shape[1])


def _unnormalised(slope: Tensor, x: Tensor, spread: Tensor) -> Tensor:
    """The slope of channels (R, C) from that of their x̂; `spread` (C,): 1/√(var + ε)."""
    high, x = slope.to(spread.dtype), x.to(spread.dtype)
    along = (high * x).mean(0)
    return ((high - high.mean(0)).addcmul_(x, along, value=-1).mul_(spread)).to(slope.dtype)
