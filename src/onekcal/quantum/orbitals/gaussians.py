r"""Contracted Gaussian functions: their values and gradients on points, and their overlaps. Atomic
units.

A function is an angular polynomial about its centre times a radial sum of Gaussians,

    χ(r) = A(x, y, z) Σ_k w_k exp(−α_k r²),    A = Σ_ijk a_ijk x^i y^j z^k,  i + j + k = l.

Shells alike in angular momentum, number of primitives and polynomials stand in one `Block`, so that
a molecule is evaluated by a handful of dense array operations. The polynomials are Cartesian
monomials or real solid harmonics (orthonormal on the sphere, without the Condon-Shortley sign).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from math import comb, factorial, pi, prod, sqrt

import numpy as np
import torch
from torch import Tensor

NEGLIGIBLE = 1e-12
"""Bohr^(−3/2); a shell whose radial part, times r^l, is below this everywhere in a box is left out
there.
"""


@dataclass(frozen=True)
class Shell:
    """One shell. `weights` belong to bare exp(−α r²): every normalisation is in them or in
    `functions`.
    """

    centre: np.ndarray  # (3,) Bohr
    angular: int
    exponents: np.ndarray  # (K,) Bohr⁻²
    weights: np.ndarray  # (K,)
    functions: np.ndarray  # (F, monomials of degree l), see `monomials`, `solid_harmonics`


@dataclass(frozen=True)
class Block:
    """Shells alike in angular momentum, number of primitives and polynomials."""

    angular: int
    functions: Tensor  # (F, monomials)
    centres: Tensor  # (S, 3) Bohr
    exponents: Tensor  # (S, K) Bohr⁻²
    weights: Tensor  # (S, K)
    rows: Tensor  # (S, F) where the functions stand in the basis
    reach: Tensor  # (S,) Bohr; farther away the shell is negligible

    def near(self, low: Tensor, high: Tensor) -> Tensor:
        """Return the numbers of the shells that reach into a box, (n,).

        Parameters
        ----------
        low, high
            (3,) Bohr, the corners where all coordinates are least and greatest.
        """
        outside = (low - self.centres).clamp_min(0) + (self.centres - high).clamp_min(0)  # (S, 3)
        return (outside.square().sum(1) < self.reach.square()).nonzero().flatten()

    def values(self, points: Tensor, which: Tensor) -> Tensor:
        """Return values and gradients of some shells' functions at points.

        Parameters
        ----------
        points
            (P, 3) Bohr.
        which
            (n,) numbers of the shells.

        Returns
        -------
        Tensor
            (4, n · F, P): value (Bohr^(−3/2)), then x, y and z of the gradient (Bohr^(−5/2)).
        """
        apart = points.T - self.centres[which, :, None]  # (S, 3, P)
        x, y, z = apart.unbind(1)
        exponents, weights = self.exponents[which], self.weights[which]
        falls = torch.exp(-exponents[:, :, None] * (x * x + y * y + z * z)[:, None])  # (S, K, P)
        radial, slope = (torch.stack([weights, -2.0 * exponents * weights], 1) @ falls).unbind(
            1
        )  # R, R′/r (S, P)
        angular = self.functions @ _powers(apart, self.angular)  # (S, F, P)
        out = points.new_empty(4, *angular.shape)
        torch.mul(angular, radial[:, None], out=out[0])
        torch.mul(angular * slope[:, None], apart.transpose(0, 1)[:, :, None], out=out[1:])
        if self.angular:
            lower = _powers(apart, self.angular - 1)
            for axis, lowering in enumerate(_lowerings(self.angular)):
                turned = (self.functions @ lowering.to(self.functions)) @ lower  # (S, F, P)
                out[1 + axis].addcmul_(turned, radial[:, None])
        return out.reshape(4, -1, len(points))


@dataclass(frozen=True)
class Basis:
    """The functions of a molecule, numbered as the shells it was made of."""

    blocks: tuple[Block, ...]
    size: int

    def values(self, points: Tensor, screened: bool = True) -> tuple[Tensor, Tensor]:
        """Return which functions count near some points, and their values and gradients there.

        Parameters
        ----------
        points
            (P, 3) Bohr, P > 0; best close together, for the box around them decides what is near.
        screened
            Whether functions that are negligible in that box are left out.

        Returns
        -------
        tuple of Tensor
            (n,) numbers of the functions, and (4, n, P): value (Bohr^(−3/2)), then x, y and z of
            the gradient (Bohr^(−5/2)).
        """
        low, high = points.min(0).values, points.max(0).values
        rows, values = [], []
        for block in self.blocks:
            which = (
                block.near(low, high)
                if screened
                else torch.arange(len(block.centres), device=points.device)
            )
            if len(which):
                rows.append(block.rows[which].flatten())
                values.append(block.values(points, which))
        if not rows:
            return torch.zeros(0, dtype=torch.int64, device=points.device), points.new_zeros(
                4, 0, len(points)
            )
        return torch.cat(rows), torch.cat(values, 1)


def basis_of(shells: Iterable[Shell]) -> Basis:
    """Return the basis made of shells.

    Parameters
    ----------
    shells
        In the order in which their functions are to be numbered.
    """
    alike: dict[tuple[int, int, bytes], list[tuple[int, Shell]]] = {}
    first = 0
    for shell in shells:
        alike.setdefault(
            (shell.angular, len(shell.exponents), shell.functions.tobytes()), []
        ).append((first, shell))
        first += len(shell.functions)
    return Basis(tuple(_block(members) for members in alike.values()), first)


def _block(members: Sequence[tuple[int, Shell]]) -> Block:
    shells = [shell for _, shell in members]
    exponents = np.array([shell.exponents for shell in shells])
    weights = np.array([shell.weights for shell in shells])
    functions = shells[0].functions
    starts = torch.tensor([start for start, _ in members])
    angular = shells[0].angular
    return Block(
        angular,
        torch.from_numpy(np.array(functions, dtype=float)),
        torch.from_numpy(np.array([shell.centre for shell in shells], dtype=float)),
        torch.from_numpy(exponents),
        torch.from_numpy(weights),
        starts[:, None] + torch.arange(len(functions)),
        torch.from_numpy(_reach(angular, exponents, weights)),
    )


def _reach(angular: int, exponents: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(S,) Bohr beyond which Σ |w| r^l exp(−α r²) is negligible.

    It is found by iterating r² = ln(|w| r^l / negligible) / α.
    """
    size = np.log(np.maximum(np.abs(weights), NEGLIGIBLE) * len(weights[0]) / NEGLIGIBLE)
    distance = np.ones_like(exponents)
    for _ in range(4):  # converges from below as fast as ln r changes
        distance = np.sqrt((size + angular * np.log(np.maximum(distance, 1.0))) / exponents)
    return distance.max(1)


# --- polynomials ------------------------------------------------------------------------------


@cache
def monomials(angular: int) -> tuple[tuple[int, int, int], ...]:
    """Return the exponents (i, j, k) of x^i y^j z^k, in the order xx, xy, xz, yy, yz, zz.

    Parameters
    ----------
    angular
        The degree l = i + j + k.
    """
    return tuple(
        (i, j, angular - i - j) for i in range(angular, -1, -1) for j in range(angular - i, -1, -1)
    )


def _powers(apart: Tensor, angular: int) -> Tensor:
    """(S, monomials, P) at distances `apart` (S, 3, P)."""
    if angular < 2:
        return apart if angular else torch.ones_like(apart[:, :1])
    less = _powers(apart, angular - 1)
    # all of degree l − 1 times x; of those without x, times y; the last one times z
    first = less * apart[:, :1]
    second = less[:, -angular:] * apart[:, 1:2]
    return torch.cat([first, second, less[:, -1:] * apart[:, 2:]], 1)


@cache
def _lowerings(angular: int) -> tuple[Tensor, Tensor, Tensor]:
    """By axis: (monomials of degree l, of degree l − 1), the derivatives of the former in terms of
    the latter.
    """
    lower = {powers: column for column, powers in enumerate(monomials(angular - 1))}
    out = torch.zeros(3, len(monomials(angular)), len(lower), dtype=torch.float64)
    for row, powers in enumerate(monomials(angular)):
        for axis in range(3):
            less = tuple(p - (a == axis) for a, p in enumerate(powers))
            if less in lower:
                out[axis, row, lower[less]] = powers[axis]
    return out[0], out[1], out[2]


@cache
def _harmonics(angular: int) -> np.ndarray:
    """(2l + 1, monomials) real solid harmonics, m = −l … l, orthonormal on the unit sphere."""
    place = {powers: column for column, powers in enumerate(monomials(angular))}
    out = np.zeros((2 * angular + 1, len(place)))
    for m in range(angular + 1):
        norm = sqrt(
            (2 * angular + 1)
            / (4 * pi)
            * (1 + (m > 0))
            * factorial(angular - m)
            / factorial(angular + m)
        )
        for k in range((angular - m) // 2 + 1):
            # z^(l−2k−m) r^(2k) of the Legendre part, times (x + iy)^m
            legendre = (-1) ** k * comb(angular, k) * comb(2 * (angular - k), angular) / 2**angular
            legendre *= factorial(angular - 2 * k) / factorial(angular - 2 * k - m)
            for a in range(k + 1):
                for b in range(k - a + 1):  # r^(2k) = Σ k!/(a! b! c!) x^2a y^2b z^2c
                    square = factorial(k) // (factorial(a) * factorial(b) * factorial(k - a - b))
                    for y in range(m + 1):  # (x + iy)^m = Σ comb(m, y) i^y x^(m−y) y^y
                        powers = (2 * a + m - y, 2 * b + y, angular - 2 * a - m - 2 * b)
                        row = angular + (m if y % 2 == 0 else -m)
                        out[row, place[powers]] += (
                            norm * legendre * square * comb(m, y) * (-1) ** (y // 2)
                        )
    return out


def solid_harmonics(angular: int, order: Iterable[int] | None = None) -> np.ndarray:
    """Return the coefficients of real solid harmonics, (functions, monomials).

    Parameters
    ----------
    angular
        The degree l.
    order
        The wanted m, one for each function; None: −l … l.
    """
    return _harmonics(angular)[
        [angular + m for m in (range(-angular, angular + 1) if order is None else order)]
    ]


def cartesian(angular: int, order: Sequence[str], unit: bool = True) -> np.ndarray:
    """Return the coefficients of Cartesian functions, (functions, monomials).

    Parameters
    ----------
    angular
        The degree l.
    order
        Names of the wanted monomials, such as "xxy".
    unit
        Whether each is scaled so that, with a radial part normalised for solid harmonics, its own
        norm is one; otherwise its coefficient is one.
    """
    place = {powers: column for column, powers in enumerate(monomials(angular))}
    out = np.zeros((len(order), len(place)))
    for row, name in enumerate(order):
        powers = (name.count("x"), name.count("y"), name.count("z"))
        # ∫ x^2i y^2j z^2k over the sphere is 4π Π(2i − 1)!! / (2l + 1)!!
        sphere = 4 * pi * prod(_odd(p) for p in powers) / _odd(angular + 1)
        out[row, place[powers]] = 1 / sqrt(sphere) if unit else 1.0
    return out


def _odd(n: int) -> int:
    """(2n − 1)!!"""
    return prod(range(1, 2 * n, 2))


def radial_norms(angular: int, exponents: np.ndarray) -> np.ndarray:
    """Return the factors N by which R = N r^l exp(−α r²) has ∫ R² r² dr = 1, (K,).

    Parameters
    ----------
    angular
        The degree l.
    exponents
        (K,) α in Bohr⁻²; another shape gives N of that shape.
    """
    # ∫ r^(2l+2) exp(−2αr²) dr = (2l+1)!! √π / (2^(l+2) (2α)^(l+3/2))
    integral = (
        _odd(angular + 1) * sqrt(pi) / (2 ** (angular + 2) * (2 * exponents) ** (angular + 1.5))
    )
    return 1 / np.sqrt(integral)


# --- overlaps ---------------------------------------------------------------------------------


def overlap(basis: Basis) -> np.ndarray:
    """Return the integrals of products of two functions, (basis, basis).

    Parameters
    ----------
    basis
        Functions of one molecule; on the CPU.
    """
    out = np.zeros((basis.size, basis.size))
    for left in basis.blocks:
        for right in basis.blocks:
            if left.angular < right.angular:
                continue
            part = _overlap(left, right)
            rows, columns = left.rows.flatten().numpy(), right.rows.flatten().numpy()
            out[np.ix_(rows, columns)] = part
            out[np.ix_(columns, rows)] = part.T
    return out


def _overlap(left: Block, right: Block) -> np.ndarray:
    """The integrals between two blocks. By axis they are polynomials under a Gaussian:
    Gauss-Hermite nodes are exact.
    """
    nodes, masses = np.polynomial.hermite.hermgauss((left.angular + right.angular) // 2 + 1)
    a, b = left.exponents.numpy()[:, :, None], right.exponents.numpy()
    rows = []
    for centre, alpha, weights in zip(
        left.centres.numpy(), a, left.weights.numpy()
    ):  # a shell at a time
        apart = right.centres.numpy() - centre  # (S, 3)
        total = alpha + b[:, None]  # (S, K, K′)
        falls = np.exp(-(alpha * b[:, None] / total) * np.square(apart).sum(1)[:, None, None])
        share = (b[:, None] / total)[:, None, :, :, None] * apart[
            :, :, None, None, None
        ]  # (S, 3, K, K′, 1)
        here = share + nodes / np.sqrt(total)[:, None, :, :, None]  # from the left centre
        there = here - apart[:, :, None, None, None]
        axes = [
            [
                np.einsum("saklt,t->askl", here**i * there**j, masses)
                for j in range(right.angular + 1)
            ]
            for i in range(left.angular + 1)
        ]
        radial = (
            falls * weights[:, None] * right.weights.numpy()[:, None] / total**1.5
        )  # (S, K, K′)
        pairs = [
            [
                (axes[p[0]][q[0]][0] * axes[p[1]][q[1]][1] * axes[p[2]][q[2]][2] * radial).sum(
                    (1, 2)
                )
                for q in monomials(right.angular)
            ]
            for p in monomials(left.angular)
        ]  # (monomials, monomials′) of (S,)
        rows.append(
            np.einsum(
                "fm,mns,gn->fsg", left.functions.numpy(), np.array(pairs), right.functions.numpy()
            )
        )
    return np.array(rows).reshape(left.rows.numel(), right.rows.numel())
