"""HIP-NN's functions of the distance s_ν, eq. (10) (equations in `onekcal.networks.hipnn`)."""

from __future__ import annotations

import torch
from torch import Tensor

from onekcal.networks.network import Context

FAR = -80.0
"""Smallest exponent; e⁻⁸⁰ = 2e-35. Smaller numbers become denormal, which makes arithmetic slow."""


def sensitivities(inverse: Tensor, phi: Tensor, mu: Tensor, sigma: Tensor) -> Tensor:
    """Return s_ν, eq. (10).

    Parameters
    ----------
    inverse, phi
        (…) 1/r (Bohr⁻¹) and φ(r).
    mu, sigma
        (ν,) Bohr.

    Returns
    -------
    Tensor
        (…, ν).
    """
    if inverse.requires_grad or phi.requires_grad:  # with forces, any number of derivatives
        off = inverse[..., None] - 1.0 / mu
        return (-0.5 * (off * sigma).square()).clamp_min(FAR).exp() * phi[..., None]
    return Sensitivities.apply(inverse, phi, 1.0 / mu, sigma)  # type: ignore[no-untyped-call]


class Sensitivities(torch.autograd.Function):
    """`sensitivities` at fixed distances, in place; slopes from three moments. `peaks` are 1/μ."""

    @staticmethod
    def forward(ctx: Context, inverse: Tensor, phi: Tensor, peaks: Tensor, sigma: Tensor) -> Tensor:
        """Return s (…, ν)."""
        s = inverse[..., None] - peaks
        s.square_().mul_(-0.5 * sigma.square()).clamp_min_(FAR).exp_().mul_(phi[..., None])
        ctx.save_for_backward(inverse, peaks, sigma, s)
        return s

    @staticmethod
    def backward(ctx: Context, slope: Tensor) -> tuple[None, None, Tensor, Tensor]:  # type: ignore[override]
        """Return the slopes by 1/μ and σ."""
        inverse, peaks, sigma, s = ctx.saved_tensors
        weight = (slope * s).view(-1, len(peaks))  # (pairs, ν)
        u = inverse.reshape(-1)
        # Σ over pairs of weight · (1, u, u²)
        zero, one, two = torch.stack([torch.ones_like(u), u, u * u]) @ weight  # (ν,) each
        return (
            None,
            None,
            sigma.square() * (one - peaks * zero),
            -sigma * (two - 2 * peaks * one + peaks.square() * zero),
        )
