"""Real spherical harmonics of degree 0 … 4, orthonormal on the sphere.

They are polynomials of a unit vector u = (x, y, z):

    ∫ Y_lm Y_l'm' dΩ = δ_ll' δ_mm'       Σ_m Y_lm(u) Y_lm(v) = (2l + 1)/4π · P_l(u · v)
    Y_lm(−u) = (−1)^l Y_lm(u)

Orders run from −l (sin |l|φ) to l (cos lφ), without the Condon-Shortley phase:
Y_1 = √(3/4π) (y, z, x). Polynomials need no angles, and their derivatives are finite at the poles.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from onekcal.errors import ConfigError

HIGHEST = 4
"""The highest degree that is available."""


def real_harmonics(directions: Tensor, degree: int) -> Tensor:
    """Return the spherical harmonics of unit vectors up to a degree.

    Parameters
    ----------
    directions
        (…, 3) unit vectors.
    degree
        The highest degree, 0 to 4.

    Returns
    -------
    Tensor
        (…, (degree + 1)²); Y_lm stands at l² + l + m.
    """
    if not 0 <= degree <= HIGHEST:
        raise ConfigError(
            f"spherical harmonics: the degree must be from 0 to {HIGHEST}, got {degree}"
        )
    x, y, z = directions.unbind(-1)
    # xx − yy and 2xy are the cosine and sine of 2φ, times the squared distance from the axis
    xx, yy, zz, cosine, sine = x * x, y * y, z * z, x * x - y * y, 2 * x * y
    harmonics = [torch.full_like(x, _root(1, 4))]
    if degree >= 1:
        harmonics += [_root(3, 4) * one for one in (y, z, x)]
    if degree >= 2:
        c = _root(15, 4)
        harmonics += [
            c / 2 * sine,
            c * y * z,
            _root(5, 16) * (3 * zz - 1),
            c * x * z,
            c / 2 * cosine,
        ]
    if degree >= 3:
        a, b, c = _root(35, 32), _root(105, 16), _root(21, 32)
        harmonics += [
            a * y * (3 * xx - yy),
            b * z * sine,
            c * y * (5 * zz - 1),
            _root(7, 16) * z * (5 * zz - 3),
            c * x * (5 * zz - 1),
            b * z * cosine,
            a * x * (xx - 3 * yy),
        ]
    if degree >= 4:
        a, b, c, d = _root(315, 64), _root(315, 32), _root(45, 64), _root(45, 32)
        harmonics += [
            a * sine * cosine,
            b * y * z * (3 * xx - yy),
            c * sine * (7 * zz - 1),
            d * y * z * (7 * zz - 3),
            _root(9, 256) * (zz * (35 * zz - 30) + 3),
            d * x * z * (7 * zz - 3),
            c * cosine * (7 * zz - 1),
            b * x * z * (xx - 3 * yy),
            a / 2 * (cosine * cosine - sine * sine),
        ]
    return torch.stack(harmonics, -1)


def _root(above: int, below: int) -> float:
    return math.sqrt(above / (below * math.pi))
