"""Waves in a ball of radius c, the bases of DimeNet.

    radial      sin(nπd/c)/d
    spherical   j_l(z_ln d/c) · P_l(cos α)

    ∫₀¹ x² j_l(z_ln x) j_l(z_lm x) dx = δ_nm/2 · j_{l+1}(z_ln)²

j_l is a spherical Bessel function, z_ln its n-th zero (`spherical_bessel`), P_l a Legendre
polynomial.
These are the stationary waves in a sphere that they may not leave: solutions of Helmholtz's
equation.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from onekcal.features.spherical_bessel import spherical_bessel, zeros


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
