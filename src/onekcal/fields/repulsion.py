"""∫ ρ(r′)/|r − r′| dr′ of a density in Gaussian functions, exactly, at many points. Atomic units.

McMurchie & Davidson, J. Comput. Phys. 26, 218 (1978). A product of two Gaussians about A and B is a
sum of Hermite Gaussians about P = (αA + βB)/p, p = α + β. With T = p|P − C|², its potential at C is

    x^i y^j z^k  x^i′ y^j′ z^k′ exp(…)  →  Σ_tuv E_t^{ii′} E_u^{jj′} E_v^{kk′} Λ_tuv
                                                                             (one E an axis)
    V(C) = Σ_tuv (2π/p) E_t E_u E_v R_tuv
    R⁽ⁿ⁾_000 = (−2p)ⁿ F_n(T)      R⁽ⁿ⁾_{t+1,u,v} = t R⁽ⁿ⁺¹⁾_{t−1,u,v} + (P − C)_x R⁽ⁿ⁺¹⁾_tuv
    F_n(T) = ∫₀¹ s^2n exp(−T s²) ds                                          (Boys' function)

The coefficients of a pair of primitives are contracted with the density matrix first, so that a
point costs one Hermite expansion a pair. Pairs whose whole contribution is below 1e-9 Hartree/e are
left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import product
from math import pi

import numpy as np
import torch
from scipy.special import hyp1f1
from torch import Tensor

from onekcal.quantum.orbitals.gaussians import Basis, Block, monomials

NEGLIGIBLE = 1e-9
"""Hartree/e. A pair of primitives that cannot contribute more is left out."""
PAIRS, POINTS = 64, 1024
"""How many are evaluated together. What they need stays in the processor's cache."""
STEP, TERMS, LAST = 0.05, 6, 40.0
"""Boys' function is a Taylor series of TERMS terms about multiples of STEP.

Beyond LAST it has its asymptotic form.
"""

Powers = tuple[int, int, int]


def electron_potential(basis: Basis, density: Tensor, points: Tensor) -> Tensor:
    """Return the potential of a density, with positive sign.

    Parameters
    ----------
    basis
        The n basis functions.
    density
        (n, n) density matrix, symmetric.
    points
        (P, 3) Bohr.

    Returns
    -------
    Tensor
        (P,) Hartree/e.
    """
    out = torch.zeros(len(points), dtype=torch.float64)
    for left, right in product(basis.blocks, basis.blocks):
        place = left.rows[0, 0], right.rows[0, 0]
        if place[0] < place[1]:
            continue
        twice = 1.0 if left is right else 2.0  # the matrix is symmetric
        order = left.angular + right.angular
        for exponents, centres, hermite in _pairs(left, right, twice * density):
            for k, some in enumerate(points.split(POINTS)):
                out[k * POINTS : k * POINTS + len(some)] += _potential(
                    order, exponents, centres, hermite, some
                )
    return out


def _pairs(left: Block, right: Block, density: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Give p (N,), P (N, 3) and the contracted coefficients of the primitive pairs that matter.

    The coefficients are (Hermite functions, N).
    """
    # (S, S′, monomials, monomials′): the density matrix between the monomials of two shells
    matrix = density[left.rows[:, None, :, None], right.rows[None, :, None, :]]
    matrix = left.functions.T @ matrix @ right.functions
    a, b = (
        left.exponents[:, None, :, None],
        right.exponents[None, :, None, :],
    )  # (S, 1, K, 1), (1, S′, 1, K′)
    p = a + b
    A, B = left.centres[:, None, None, None], right.centres[None, :, None, None]
    P = (a[..., None] * A + b[..., None] * B) / p[..., None]  # (S, S′, K, K′, 3)
    falls = (
        torch.exp(-a * b / p * (A - B).square().sum(-1))
        * left.weights[:, None, :, None]
        * right.weights[:, None, :]
    )
    axes = [
        _expansion(left.angular, right.angular, p, (P - A)[..., axis], (P - B)[..., axis])
        for axis in range(3)
    ]
    hermite = []
    for t, u, v in _orders(left.angular + right.angular):
        total = torch.zeros_like(p)
        for m, (i, j, k) in enumerate(monomials(left.angular)):
            for n, (ii, jj, kk) in enumerate(monomials(right.angular)):
                if t <= i + ii and u <= j + jj and v <= k + kk:
                    share = axes[0][i, ii][t] * axes[1][j, jj][u] * axes[2][k, kk][v]
                    total = total + matrix[:, :, m, n, None, None] * share
        hermite.append(total * falls * (2 * pi / p))
    stacked = torch.stack(hermite).flatten(1)  # (H, N)
    strength = torch.stack(
        [p.flatten() ** (sum(o) / 2) for o in _orders(left.angular + right.angular)]
    )
    kept = ((stacked.abs() * strength).sum(0) > NEGLIGIBLE).nonzero().flatten()
    for some in kept.split(PAIRS):
        yield p.flatten()[some], P.flatten(0, 3)[some], stacked[:, some]


def _expansion(
    i: int, j: int, p: Tensor, from_a: Tensor, from_b: Tensor
) -> dict[tuple[int, int], list[Tensor]]:
    """E_t^{ij} of one axis for all powers up to i and j, a list over t each.

    The exponential is left out.
    """
    half = 1 / (2 * p)
    expansion: dict[tuple[int, int], list[Tensor]] = {(0, 0): [torch.ones_like(p)]}

    def raised(old: list[Tensor], shift: Tensor) -> list[Tensor]:
        new = []
        for t in range(len(old) + 1):
            value = torch.zeros_like(p)
            if t > 0:
                value = value + half * old[t - 1]
            if t < len(old):
                value = value + shift * old[t]
            if t + 1 < len(old):
                value = value + (t + 1) * old[t + 1]
            new.append(value)
        return new

    for m in range(i + 1):
        if m:
            expansion[m, 0] = raised(expansion[m - 1, 0], from_a)
        for n in range(1, j + 1):
            expansion[m, n] = raised(expansion[m, n - 1], from_b)
    return expansion


@cache
def _orders(order: int) -> list[Powers]:
    """All (t, u, v) with t + u + v ≤ `order`."""
    return [
        (t, u, v)
        for t in range(order + 1)
        for u in range(order + 1 - t)
        for v in range(order + 1 - t - u)
    ]


def _potential(order: int, p: Tensor, centres: Tensor, hermite: Tensor, points: Tensor) -> Tensor:
    """(P,) Σ over pairs and Hermite functions of coefficient × R_tuv."""
    apart = [centres[:, None, axis] - points[:, axis] for axis in range(3)]  # 3 × (N, P)
    T = p[:, None] * (apart[0].square() + apart[1].square() + apart[2].square())
    level: dict[Powers, Tensor] = {}
    # from R⁽ᴸ⁾ down to R⁽⁰⁾, with one more order each time
    for n, value in reversed(list(enumerate(boys(order, T)))):
        above, level = level, {(0, 0, 0): value * ((-2 * p) ** n)[:, None]}
        for t, u, v in _orders(order - n)[1:]:
            axis = 0 if t else 1 if u else 2
            lower = (t, u, v)[axis] - 1
            value = apart[axis] * above[_with((t, u, v), axis, lower)]
            if lower > 0:
                value = value + lower * above[_with((t, u, v), axis, lower - 1)]
            level[t, u, v] = value
    return torch.stack(
        [coefficients @ level[tuv] for coefficients, tuv in zip(hermite, _orders(order))]
    ).sum(0)


def _with(powers: Powers, axis: int, value: int) -> Powers:
    """The same powers, with another one along `axis`."""
    t, u, v = powers
    return (value, u, v) if axis == 0 else (t, value, v) if axis == 1 else (t, u, value)


def boys(order: int, T: Tensor) -> list[Tensor]:
    """Return Boys' functions F_0 … F_order.

    A table gives the highest. Downward recursion, which loses no digits, gives the others.

    Parameters
    ----------
    order
        The highest order.
    T
        Arguments ≥ 0, of any shape.
    """
    near = T.clamp_max(LAST)
    place = (near / STEP).round()
    apart = place * STEP - near
    row = _table(order)[place.to(torch.int64)]  # (…, TERMS)
    value = row[..., TERMS - 1]
    for k in range(TERMS - 1, 0, -1):
        value = torch.addcmul(row[..., k - 1], value, apart / k)
    far = _far(order) * T.clamp_min(LAST).pow(-order - 0.5)
    values = [torch.where(LAST > T, value, far)]
    if order:
        fall = torch.exp(-T)
        for n in range(order, 0, -1):
            values.append((2 * T * values[-1] + fall) / (2 * n - 1))
    return values[::-1]


def _far(order: int) -> float:
    """F_n(T) T^(n+½) for large T: (2n − 1)!! √π / 2^(n+1)."""
    return float(np.prod(np.arange(1, 2 * order, 2, dtype=float)) * np.sqrt(pi) / 2 ** (order + 1))


@cache
def _table(order: int) -> Tensor:
    """(LAST/STEP + 1, TERMS) F_{order + k} at multiples of STEP."""
    T = np.arange(round(LAST / STEP) + 1)[:, None] * STEP
    n = order + np.arange(TERMS)
    return torch.from_numpy(hyp1f1(n + 0.5, n + 1.5, -T) / (2 * n + 1))
