"""A dense block with a gradient of its own (equations in `onekcal.networks.densenet`)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from onekcal.networks.network import Context

EPSILON = 1e-5
"""This is added to variances."""
LAST = torch.channels_last_3d

_norm = torch.ops.aten.native_batch_norm
_norm_backward = torch.ops.aten.native_batch_norm_backward
_relu_backward = torch.ops.aten.threshold_backward


class DenseBlock(torch.autograd.Function):
    """x̂ (C, R) → x̂ with the channels of all layers of a block, (C + growth · layers, R).

    R = B · x · y · z. Its own gradient keeps only the result and computes each layer again. It has
    no second derivative.
    """

    @staticmethod
    def forward(
        ctx: Context,
        start: Tensor,
        shape: tuple[int, ...],
        low: torch.dtype,
        share: float,
        training: bool,
        running: Sequence[tuple[Tensor, ...]],
        *weights: Tensor,
    ) -> Tensor:
        """Append the channels of one layer after the other."""
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
    def backward(ctx: Context, upstream: Tensor) -> tuple[Tensor | None, ...]:
        """Go through the layers from the last; `gradient` is that of all x̂ made so far."""
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
            b, *statistics = _norm(h, *hidden, None, None, True, 0.0, EPSILON)
            db, dkernel = _convolution_slopes(new, b.relu_(), kernel.to(low, memory_format=LAST))
            db = _relu_backward(db, b, 0)
            dh, *dhidden = _norm_backward(
                db, h, hidden[0], None, None, *statistics, True, EPSILON, [True] * 3
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


def _convolution_slopes(slope: Tensor, b: Tensor, kernel: Tensor) -> tuple[Tensor, Tensor]:
    """The slopes of a 3×3×3 convolution with zeros outside, by its input and by its kernel."""
    stride = padding = dilation = [1] * 3
    by_input, by_kernel, _ = torch.ops.aten.convolution_backward(
        slope,
        b,
        kernel,
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


def _layers(weights: Sequence[Tensor]) -> list[Sequence[Tensor]]:
    return [weights[first : first + 6] for first in range(0, len(weights), 6)]


def _activated_in(x: Tensor, gamma: Tensor, beta: Tensor, room: Tensor) -> Tensor:
    """relu(γ ∘ x + β) in the first rows of `room`.

    New memory would cost as much time as the arithmetic.
    """
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
