"""Spherical Bessel functions and their zeros.

    j_{−1}(x) = cos x / x,   j_0(x) = sin x / x,   j_{l+1}(x) = (2l + 1)/x · j_l(x) − j_{l−1}(x)

z_ln is the n-th zero of j_l. Between two neighbouring zeros of j_{l−1} lies exactly one.
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
