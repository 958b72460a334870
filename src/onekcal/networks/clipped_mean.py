r"""The mean of relu(γ ∘ x̂ + β) over windows of a grid (equations in `onekcal.networks.clipping`).

y = γ ∘ ⟨a⟩ + κ        ⟨ ⟩: mean over the voxels of a window
"""

from __future__ import annotations

from functools import reduce

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from onekcal.networks.clipping import Clip, bits
from onekcal.networks.dense_block import Room
from onekcal.networks.network import Context


class ClippedMean(torch.autograd.Function):
    """x̂ (R, C) of shape (B, x, y, z) → (R', C), one row a window.

    Voxels beyond the last whole window count for nothing. It has no second derivative.
    """

    @staticmethod
    def forward(
        ctx: Context,
        x: Tensor,
        gamma: Tensor,
        beta: Tensor,
        shape: tuple[int, ...],
        window: tuple[int, ...],
    ) -> Tensor:
        """Compute y in the precision of γ."""
        clip, room = Clip.of(gamma, beta, x.dtype), Room(shape, x)
        means = []
        for part in room.parts:
            a = clip.a(x[part], room.of(part, x.shape[1])).view(-1, *shape[1:], x.shape[1])
            a = _windows(a, window).to(gamma.dtype)
            for axis in (2, 3, 4):  # each drops the second of (x, wx), (y, wy), (z, wz)
                a = reduce(torch.add, a.unbind(axis))
            means.append(a.flatten(0, 3) / (window[0] * window[1] * window[2]))
        mean = torch.cat(means)
        ctx.save_for_backward(x, gamma, beta, mean)
        ctx.setting = shape, window
        return mean * clip.gamma + clip.kappa

    @staticmethod
    @once_differentiable
    def backward(ctx: Context, upstream: Tensor) -> tuple[Tensor | None, ...]:
        """Give each voxel of a window its share, where a ≠ t."""
        shape, window = ctx.setting
        x, gamma, beta, mean = ctx.saved_tensors
        clip, room = Clip.of(gamma, beta, x.dtype), Room(shape, x)
        count, channels = window[0] * window[1] * window[2], x.shape[1]
        shares = (upstream * (clip.gamma / count)).to(x.dtype)
        wide = [s // w for s, w in zip(shape[1:], window)]
        shares = shares.view(-1, wide[0], 1, wide[1], 1, wide[2], 1, channels)
        cut = any(edge % w for edge, w in zip(shape[1:], window))
        slope = torch.zeros_like(x) if cut else torch.empty_like(x)
        sums = torch.zeros_like(gamma)
        molecules = room.parts[0].stop // (shape[1] * shape[2] * shape[3])
        for k, part in enumerate(room.parts):
            m = clip.mask_in(clip.a(x[part], room.of(part, channels)))
            m = _windows(m.view(-1, *shape[1:], channels), window)
            own = _windows(slope[part].view(-1, *shape[1:], channels), window)
            some = shares[k * molecules : (k + 1) * molecules]
            torch.mul(m, bits(some).expand_as(m), out=bits(own))
            sums += slope[part].sum(0)
        g_a, g = (upstream * mean).sum(0), upstream.sum(0)
        dgamma, dbeta = clip.slopes(g_a, g, sums / clip.gamma)
        return slope, dgamma, dbeta, None, None


def _windows(x: Tensor, window: tuple[int, ...]) -> Tensor:
    """(B, x, y, z, C) → (B, x', wx, y', wy, z', wz, C), a view."""
    for axis, size in zip((1, 3, 5), window):
        whole = x.shape[axis] // size
        x = x.narrow(axis, 0, whole * size).unflatten(axis, (whole, size))
    return x
