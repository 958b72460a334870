"""Waves in a ball of radius c, the bases of DimeNet.

    radial      sin(nπd/c)/d
    spherical   j_l(z_ln d/c) · P_l(cos α)

    j_{−1}(x) = cos x / x,   j_0(x) = sin x / x,   j_{l+1}(x) = (2l + 1)/x · j_l(x) − j_{l−1}(x)
    z_ln: the n-th zero of j_l;   between two neighbouring zeros of j_{l−1} lies exactly one
    ∫₀¹ x² j_l(z_ln x) j_l(z_lm x) dx = δ_nm/2 · j_{l+1}(z_ln)²

These are the stationary waves in a sphere that they may not leave: solutions of Helmholtz's
equation.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

POWERS = 8
"""How many terms of the power series follow the first.

The next term is below 1e-13 of the first where the series is used.
"""


def spherical_bessel(x: Tensor, order: int) -> Tensor:
    """Return the spherical Bessel function j_order, smooth at 0.

    Parameters
    ----------
    x
        Arguments ≥ 0, of any shape. The recurrence loses digits, so they should be float64.
    order
        0 or more.
    """
    # below `small` the power series: the error of the recurrence grows as (2l − 1)!!/x^(l+1)
    small = max(0.5, order / 2)
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
    """Return the first zeros z_ln > 0 of j_0 … j_degree, exact to rounding.

    Parameters
    ----------
    degree
        The highest order.
    count
        How many zeros of each.

    Returns
    -------
    Tensor
        (degree + 1, count) float64.
    """
    rows = [math.pi * torch.arange(1, count + degree + 1, dtype=torch.float64)]
    for order in range(1, degree + 1):
        low, high = rows[-1][:-1].clone(), rows[-1][1:].clone()
        sign = spherical_bessel(low, order).sign()
        for _ in range(60):
            middle = (low + high) / 2
            before = spherical_bessel(middle, order).sign() == sign
            low, high = torch.where(before, middle, low), torch.where(before, high, middle)
        rows.append((low + high) / 2)
    return torch.stack([row[:count] for row in rows])


def envelope(x: Tensor, exponent: int) -> Tensor:
    """Return 1/x + a x^e + b x^(e+1) + c x^(e+2) below 1, and 0 beyond.

    The value and two derivatives vanish at 1.

    Parameters
    ----------
    x
        Distances in units of the cut-off, of any shape.
    exponent
        e ≥ 1.
    """
    p = exponent + 1
    a, b, c = -(p + 1) * (p + 2) / 2, p * (p + 2), -p * (p + 1) / 2
    return torch.where(x < 1, 1 / x + x**exponent * (a + x * (b + x * c)), 0.0)


def radial_basis(x: Tensor, frequencies: Tensor, exponent: int) -> Tensor:
    """Return sin(f_n x) under the envelope.

    Parameters
    ----------
    x
        (E,) distances in units of the cut-off.
    frequencies
        (N,) f_n. The paper starts from nπ.
    exponent
        Of the envelope.

    Returns
    -------
    Tensor
        (E, N) values.
    """
    return envelope(x, exponent)[:, None] * (x[:, None] * frequencies).sin()


def spherical_basis(x: Tensor, degrees: int, count: int, exponent: int) -> Tensor:
    """Return the radial part of the spherical basis, normalised in the ball.

    √2 / |j_{l+1}(z_ln)| · j_l(z_ln x) under the envelope. It is computed in float64.

    Parameters
    ----------
    x
        (E,) distances in units of the cut-off.
    degrees
        l runs from 0 to degrees − 1.
    count
        n runs from 1 to count.
    exponent
        Of the envelope.

    Returns
    -------
    Tensor
        (E, degrees, count) in the type of `x`.
    """
    at, out = zeros(degrees - 1, count).to(x.device), []
    for order in range(degrees):
        norm = math.sqrt(2) / spherical_bessel(at[order], order + 1).abs()  # (N,)
        out.append(norm * spherical_bessel(x.double()[:, None] * at[order], order))
    return torch.stack(out, 1).mul(envelope(x.double(), exponent)[:, None, None]).to(x.dtype)


def angular_basis(cosine: Tensor, degrees: int) -> Tensor:
    """Return Y_l0(α) = √((2l + 1)/4π) P_l(cos α).

    They are polynomials, and so smooth at straight angles too.

    Parameters
    ----------
    cosine
        (…) cos α.
    degrees
        l runs from 0 to degrees − 1.

    Returns
    -------
    Tensor
        (…, degrees) values.
    """
    legendre = [torch.ones_like(cosine), cosine]
    for order in range(1, degrees - 1):
        legendre.append(
            ((2 * order + 1) * cosine * legendre[order] - order * legendre[order - 1]) / (order + 1)
        )
    return torch.stack(
        [math.sqrt((2 * k + 1) / (4 * math.pi)) * p for k, p in enumerate(legendre[:degrees])], -1
    )
