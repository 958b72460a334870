r"""Waves in a ball of radius c, the bases of DimeNet: radial sin(nπd/c)/d and spherical j_l(z_ln
d/c) · P_l(cos α).

    j_{−1}(x) = cos x / x,   j_0(x) = sin x / x,   j_{l+1}(x) = (2l + 1)/x · j_l(x) − j_{l−1}(x)
    z_ln: the n-th zero of j_l;   between two neighbouring zeros of j_{l−1} lies exactly one
    ∫₀¹ x² j_l(z_ln x) j_l(z_lm x) dx = δ_nm/2 · j_{l+1}(z_ln)²

Inside a sphere that a wave may not leave, these are the stationary ones: solutions of Helmholtz's
equation.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

POWERS = 8
"""Terms of the power series beyond the first; the next is below 1e-13 of it where the series is
used.
"""


def spherical_bessel(x: Tensor, order: int) -> Tensor:
    """j_order of x ≥ 0, of any shape; smooth at 0. The recurrence loses digits: give it float64."""
    small = max(
        0.5, order / 2
    )  # below, the power series: the recurrence's error grows as (2l − 1)!!/x^(l+1)
    far, near = x.clamp_min(small), x.clamp_max(small)
    before, now = far.cos() / far, far.sin() / far  # j_{-1} and j_0
    for k in range(order):
        before, now = now, (2 * k + 1) / far * now - before
    series = torch.ones_like(x)
    for k in range(POWERS, 0, -1):
        series = 1 - series * near * near / (2 * k * (2 * order + 2 * k + 1))
    return torch.where(x < small, series * near**order / math.prod(range(1, 2 * order + 2, 2)), now)


@lru_cache(maxsize=16)
def zeros(degree: int, count: int) -> Tensor:
    """(degree + 1, count) float64: the first zeros z_ln > 0 of j_0 … j_degree, to rounding."""
    found = [math.pi * torch.arange(1, count + degree + 1, dtype=torch.float64)]
    for order in range(1, degree + 1):
        low, high = found[-1][:-1].clone(), found[-1][1:].clone()
        sign = spherical_bessel(low, order).sign()
        for _ in range(60):
            middle = (low + high) / 2
            before = spherical_bessel(middle, order).sign() == sign
            low, high = torch.where(before, middle, low), torch.where(before, high, middle)
        found.append((low + high) / 2)
    return torch.stack([row[:count] for row in found])


def envelope(x: Tensor, exponent: int) -> Tensor:
    """1/x + a x^e + b x^(e+1) + c x^(e+2) below 1, else 0: value and two derivatives vanish at 1.
    `exponent`: e ≥ 1.
    """
    p = exponent + 1
    a, b, c = -(p + 1) * (p + 2) / 2, p * (p + 2), -p * (p + 1) / 2
    return torch.where(x < 1, 1 / x + x**exponent * (a + x * (b + x * c)), 0.0)


def radial_basis(x: Tensor, frequencies: Tensor, exponent: int) -> Tensor:
    """(E, N) sin(f_n x) under the envelope, of distances x (E,) in units of the cut-off; f_n
    starts as nπ.
    """
    return envelope(x, exponent)[:, None] * (x[:, None] * frequencies).sin()


def spherical_basis(x: Tensor, degrees: int, count: int, exponent: int) -> Tensor:
    """(E, degrees, count) of distances x (E,) in units of the cut-off: the radial part of the
    spherical basis.

    √2 / |j_{l+1}(z_ln)| · j_l(z_ln x) under the envelope, normalised in the ball. In float64,
    returned as `x` came.
    """
    at, out = zeros(degrees - 1, count).to(x.device), []
    for order in range(degrees):
        norm = math.sqrt(2) / spherical_bessel(at[order], order + 1).abs()  # (N,)
        out.append(norm * spherical_bessel(x.double()[:, None] * at[order], order))
    return torch.stack(out, 1).mul(envelope(x.double(), exponent)[:, None, None]).to(x.dtype)


def angular_basis(cosine: Tensor, degrees: int) -> Tensor:
    """(…, degrees) of cos α (…): Y_l0(α) = √((2l + 1)/4π) P_l(cos α), polynomials, smooth for
    straight angles too.
    """
    legendre = [torch.ones_like(cosine), cosine]
    for order in range(1, degrees - 1):
        legendre.append(
            ((2 * order + 1) * cosine * legendre[order] - order * legendre[order - 1]) / (order + 1)
        )
    return torch.stack(
        [math.sqrt((2 * k + 1) / (4 * math.pi)) * p for k, p in enumerate(legendre[:degrees])], -1
    )
