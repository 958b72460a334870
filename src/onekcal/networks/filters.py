r"""Continuous filters of the distance as tables, and the convolution that uses them.

A filter W(r) of f features is evaluated at evenly spaced distances, the knots; a quintic spline
gives its values in between. The filters of a whole batch lie on one curve, so that a few hundred
evaluations are enough for tens of thousands of pairs. The spline has four continuous derivatives.
Its gradients by r and by the values at the knots are exact, and so are their gradients: forces are
the exact derivative of the energies.

Pairs i < j are ordered by their separation s = j − i: (0,1) (1,2) …, (0,2) (1,3) …. So all pairs of
one separation are two contiguous blocks of atoms. With atoms first and molecules second, (n, B, f),
a sum over neighbours is a few fused multiply-adds of contiguous memory. Each pair is held once, and
nothing is gathered or scattered.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from onekcal.networks.network import Context

SPLINE = (
    (1, -5, 10, -10, 5, -1),
    (26, -50, 20, 20, -20, 5),
    (66, 0, -60, 0, 30, -10),
    (26, 50, 20, -20, -20, 10),
    (1, 5, 10, 10, 5, -5),
    (0, 0, 0, 0, 0, 1),
)
"""120 × the coefficients of 1, t … t⁵, t ∈ [0, 1], of the quintic B-splines between two knots."""
TAPS, DEGREE = 6, 5
MARGIN = 12
"""Knots beyond either end of the range. What is assumed there fades by a factor 0.43 a knot."""


@lru_cache(maxsize=256)
def separations(n: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the first and second atoms of all pairs, in the order of this file.

    Parameters
    ----------
    n
        Number of atoms.
    device
        Where the tensors lie.

    Returns
    -------
    tuple of Tensor
        (P,) each, P = n(n − 1)/2.
    """
    first = [i for s in range(1, n) for i in range(n - s)]
    second = [i + s for s in range(1, n) for i in range(n - s)]
    return torch.tensor(first, dtype=torch.int64, device=device), torch.tensor(
        second, dtype=torch.int64, device=device
    )


def distances(positions: Tensor, mask: Tensor, absent: float) -> Tensor:
    """Return the distances of all pairs.

    Parameters
    ----------
    positions
        (n, B, 3) Å.
    mask
        (n, B) bool, whether the atom exists.
    absent
        Distance of pairs of which an atom does not exist, Å; it has no gradient.

    Returns
    -------
    Tensor
        (P, B) Å.
    """
    first, second = separations(len(positions), positions.device)
    square = (positions.index_select(0, first) - positions.index_select(0, second)).square().sum(-1)
    there = mask.index_select(0, first) & mask.index_select(0, second)  # (P, B)
    return torch.where(there, square, absent**2).sqrt()


# --- the table --------------------------------------------------------------------------------


def knots(step: float, last: int, like: Tensor) -> Tensor:
    """Return the distances at which a filter is evaluated, to be read from 0 to last · step.

    Parameters
    ----------
    step
        Distance between knots, Å.
    last
        Number of the last knot.
    like
        A tensor of the type and on the device that are wanted.

    Returns
    -------
    Tensor
        (last + 1 + 2 · MARGIN,) Å.
    """
    return step * torch.arange(-MARGIN, last + MARGIN + 1, dtype=like.dtype, device=like.device)


@lru_cache(maxsize=16)
def _spline(last: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(last + 5, knots) values at the knots → spline coefficients from 0 to knot `last`.

    The spline passes through every value, and its coefficients go on as polynomials of degree 5 at
    both ends.
    """
    values = last + 1 + 2 * MARGIN
    system = torch.zeros(values + 4, values + 4, dtype=torch.float64)
    at_knot = torch.tensor([1, 26, 66, 26, 1], dtype=torch.float64) / 120
    for k in range(values):
        system[k, k : k + 5] = at_knot
    for row, first in enumerate((0, 1, values - 4, values - 3), values):
        system[row, first : first + 7] = torch.tensor([1.0, -6.0, 15.0, -20.0, 15.0, -6.0, 1.0])
    inverse = torch.linalg.inv(system)[MARGIN : MARGIN + last + DEGREE, :values]
    return inverse.to(device, dtype)


def coefficients(values: Tensor, last: int) -> Tensor:
    """Return the coefficients of the spline through some values.

    Parameters
    ----------
    values
        (…, knots, f) at the knots.
    last
        Number of the last knot.

    Returns
    -------
    Tensor
        (…, last + 5, f).
    """
    return _spline(last, values.dtype, values.device) @ values


class Places:
    """Places of distances among knots; all filters of a batch share them.

    Parameters
    ----------
    r
        (P,) distances, Å.
    step
        Distance between knots, Å.
    last
        Number of the knot from which on filters are 0.
    """

    def __init__(self, r: Tensor, step: float, last: int) -> None:
        scaled = r.detach() / step
        self.within = scaled < last  # (P,)
        bins = scaled.to(torch.int64).clamp_(max=last - 1)  # the knot below
        by_bin, order = torch.where(self.within, bins, last).sort()
        starts = torch.searchsorted(by_bin, torch.arange(last + 1, device=r.device))
        self.step, self.last, self.inner = step, last, int(starts[-1])
        self.part = (scaled - bins).clamp_(0.0, 1.0)  # (P,) the way to the next knot
        self.order = order[: self.inner]  # the pairs within, by bin
        taps = torch.arange(TAPS, device=r.device)
        self.rows = bins[:, None] + taps  # (P, 6) of the coefficients
        self.bags = (
            starts[:-1] + self.inner * taps[:, None]
        ).flatten()  # (6 · last,) where each tap of each bin begins
        self._weights: dict[int, Tensor] = {}

    def weights(self, derivative: int) -> Tensor:
        """Return the weights of the coefficients in a derivative of the spline.

        Parameters
        ----------
        derivative
            Which derivative; 0 is the value.

        Returns
        -------
        Tensor
            (P, 6).
        """
        if derivative not in self._weights:
            scale = 1 / (120 * self.step**derivative)
            polynomials = self.part.new_tensor(
                [
                    [scale * c * math.perm(power, derivative) for power, c in enumerate(tap)][
                        derivative:
                    ]
                    for tap in SPLINE
                ]
            )
            powers = torch.stack([self.part**power for power in range(DEGREE + 1 - derivative)], 1)
            self._weights[derivative] = powers @ polynomials.T * self.within[:, None]
        return self._weights[derivative]


class Interpolate(torch.autograd.Function):
    """A derivative (P, f) of splines at r (P,); their coefficients are a table (last + 5, f)."""

    @staticmethod
    def forward(ctx: Context, r: Tensor, table: Tensor, places: Places, derivative: int) -> Tensor:
        """Return (P, f)."""
        ctx.save_for_backward(r, table)
        ctx.places, ctx.derivative = places, derivative
        return embedding_bag(
            places.rows, table, mode="sum", per_sample_weights=places.weights(derivative)
        )

    @staticmethod
    def backward(ctx: Context, slope: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        """Return the slopes by r and by the table."""
        r, table = ctx.saved_tensors
        by_r = by_table = None
        if ctx.needs_input_grad[0]:
            by_r = (slope * Interpolate.apply(r, table, ctx.places, ctx.derivative + 1)).sum(-1)
        if ctx.needs_input_grad[1]:
            by_table = Spread.apply(r, slope, ctx.places, ctx.derivative)
        return by_r, by_table, None, None


class Spread(torch.autograd.Function):
    """The transpose of `Interpolate`: what pairs (P, f) add to a table (last + 5, f)."""

    @staticmethod
    def forward(ctx: Context, r: Tensor, pairs: Tensor, places: Places, derivative: int) -> Tensor:
        """Return (last + 5, f)."""
        ctx.save_for_backward(r, pairs)
        ctx.places, ctx.derivative = places, derivative
        table = pairs.new_zeros(places.last + DEGREE, pairs.shape[1])
        if places.inner:
            weights = places.weights(derivative)[places.order].T.flatten()  # (6 · inner,)
            pairs, members = pairs.contiguous(), places.order.repeat(TAPS)
            out = embedding_bag(members, pairs, places.bags, mode="sum", per_sample_weights=weights)
            for tap, part in enumerate(out.view(TAPS, places.last, -1)):
                table[tap : tap + places.last] += part
        return table

    @staticmethod
    def backward(ctx: Context, slope: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        """Return the slopes by r and by the pairs."""
        r, pairs = ctx.saved_tensors
        by_r = by_pairs = None
        if ctx.needs_input_grad[0]:
            by_r = (pairs * Interpolate.apply(r, slope, ctx.places, ctx.derivative + 1)).sum(-1)
        if ctx.needs_input_grad[1]:
            by_pairs = Interpolate.apply(r, slope, ctx.places, ctx.derivative)
        return by_r, by_pairs, None, None


# --- the convolution --------------------------------------------------------------------------


def _blocks(n: int) -> list[tuple[int, slice]]:
    """Each separation and where its pairs stand."""
    out, first = [], 0
    for s in range(1, n):
        out.append((s, slice(first, first + n - s)))
        first += n - s
    return out


class Convolve(torch.autograd.Function):
    """Σ_j W_ij ∘ x_j (n, B, f) of features x (n, B, f) and filters (P, B, f), with W_ij = W_ji."""

    @staticmethod
    def forward(ctx: Context, filters: Tensor, x: Tensor) -> Tensor:
        """Return (n, B, f)."""
        ctx.save_for_backward(filters, x)
        n, out = len(x), torch.zeros_like(x)
        for s, pairs in _blocks(n):
            out[: n - s].addcmul_(filters[pairs], x[s:])
            out[s:].addcmul_(filters[pairs], x[: n - s])
        return out

    @staticmethod
    def backward(ctx: Context, slope: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Return the slopes by the filters and by x."""
        filters, x = ctx.saved_tensors
        by_filters = Products.apply(slope, x) if ctx.needs_input_grad[0] else None
        by_x = Convolve.apply(filters, slope) if ctx.needs_input_grad[1] else None
        return by_filters, by_x


class Products(torch.autograd.Function):
    """a_i ∘ b_j + a_j ∘ b_i (P, B, f) of every pair, of features a and b (n, B, f)."""

    @staticmethod
    def forward(ctx: Context, a: Tensor, b: Tensor) -> Tensor:
        """Return (P, B, f)."""
        ctx.save_for_backward(a, b)
        n = len(a)
        out = a.new_empty(n * (n - 1) // 2, *a.shape[1:])
        for s, pairs in _blocks(n):
            torch.mul(a[: n - s], b[s:], out=out[pairs])
            out[pairs].addcmul_(a[s:], b[: n - s])
        return out

    @staticmethod
    def backward(ctx: Context, slope: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Return the slopes by a and by b."""
        a, b = ctx.saved_tensors
        by_a = Convolve.apply(slope, b) if ctx.needs_input_grad[0] else None
        by_b = Convolve.apply(slope, a) if ctx.needs_input_grad[1] else None
        return by_a, by_b
