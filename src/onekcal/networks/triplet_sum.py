"""DimeNet++'s sum over triplets as a matrix product (equations in `onekcal.networks.dimenet`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from onekcal.networks.network import Context

PART = 2**18
"""Numbers that the largest intermediate has at a time on a CPU, so that it stays in the cache.

It is `degrees` times as wide as a message.
"""


def directed(angular: Tensor, spherical: Tensor, sent: Tensor, weights: Tensor) -> Tensor:
    """Return Σ_l Σ_k Y_l0(α_kji) [a_kj ∘ S_l(d_kj)], with S_l = s_l · weights_l.

    Parameters
    ----------
    angular
        (N, D, degrees · D) Y_l0.
    spherical
        (N, D, degrees · waves) s.
    sent
        (N, D, t) a.
    weights
        (degrees, waves, t).

    Returns
    -------
    Tensor
        (N, D, t).
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
    """`directed` for a few atoms at a time, forward and backward; nothing in between is kept."""

    @staticmethod
    @torch.amp.custom_fwd(device_type="cpu")
    def forward(ctx: Context, *inputs: Tensor) -> Tensor:
        """Return (N, D, t)."""
        ctx.save_for_backward(*inputs)
        return torch.cat([_around(*part, inputs[3]) for part in _parts(*inputs)])

    @staticmethod
    @torch.amp.custom_bwd(device_type="cpu")
    def backward(ctx: Context, slope: Tensor) -> tuple[Tensor | None, ...]:
        """Return the slopes by all inputs that want one."""
        inputs, wanted = ctx.saved_tensors, ctx.needs_input_grad
        # where forces are learned, what is returned must itself have a gradient
        if torch.is_grad_enabled():
            return _slopes(inputs, wanted, slope, True)
        slopes: list[tuple[Tensor | None, ...]] = []
        with torch.enable_grad():
            for rows, part in zip(slope.split(_atoms(*inputs)), _parts(*inputs)):
                leaves = [
                    x.detach().requires_grad_(want) for x, want in zip((*part, inputs[3]), wanted)
                ]
                slopes.append(_slopes(leaves, wanted, rows, False))
        first = [torch.cat(_given(slopes, k)) if wanted[k] else None for k in range(3)]
        return (*first, torch.stack(_given(slopes, 3)).sum(0) if wanted[3] else None)


def _given(slopes: Sequence[Sequence[Tensor | None]], k: int) -> list[Tensor]:
    """The slopes of every part by the k-th input."""
    return [one for part in slopes if (one := part[k]) is not None]


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
