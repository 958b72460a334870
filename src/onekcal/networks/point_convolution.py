"""AtomCloudNet's convolution and its invariants (equations in `onekcal.networks.atomcloudnet`)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import linear, softplus

STEEP = 2.0
"""Standard deviation of A's initial entries. With a small one, the φ are almost constant at first,
and training takes long to make them different.
"""


class Surroundings(NamedTuple):
    """What all convolutions of a batch share."""

    basis: Tensor  # (B, n, n, bases)
    fading: Tensor  # (B, n, n) C, 0 where there is no neighbour
    harmonics: Tensor  # (B, n, (L + 1)², n) of the highest degree any layer has, times √4π


class Cloud(torch.nn.Module):
    """One convolution and its invariants.

    Parameters
    ----------
    inputs, features
        Numbers of features of an atom before and after.
    degrees
        Highest degree, by element.
    bases, radial
        Numbers of functions β_q and φ_k.
    literal
        Whether the components are taken as they are, instead of invariants.
    """

    allowed: Tensor

    def __init__(
        self,
        inputs: int,
        features: int,
        degrees: Sequence[int],
        bases: int,
        radial: int,
        literal: bool,
    ) -> None:
        super().__init__()
        self.degree, self.literal = max(degrees), literal
        self.radial = torch.nn.Linear(bases, radial)
        torch.nn.init.normal_(self.radial.weight, 0.0, STEEP)
        self.mixing = torch.nn.Parameter(
            torch.randn(self.degree + 1, features, radial, inputs) / math.sqrt(radial * inputs)
        )
        self.own = torch.nn.Linear(inputs, features)
        self.partners = torch.nn.ModuleList(
            [
                torch.nn.Linear(features, features, bias=False)
                for _ in range(0 if literal else self.degree)
            ]
        )
        orders = [2 * degree + 1 if literal else 1 for degree in range(self.degree + 1)]
        self.width = features * sum(orders)
        of = torch.arange(self.degree + 1).repeat_interleave(
            torch.tensor(orders) * features
        )  # (width,)
        self.register_buffer(
            "allowed", of <= torch.tensor(degrees)[:, None], persistent=False
        )  # (elements, width)

    def forward(
        self, x: Tensor, species: Tensor, around: Surroundings, table: Tensor | None = None
    ) -> Tensor:
        """Return the features of every atom after the convolution.

        Parameters
        ----------
        x
            (B, n, inputs) features. With a `table` (rows, inputs), as in the first convolution, x
            is (B, n, rows) of 0 and 1, and says which row of the table an atom has. The table is
            then multiplied into the weights, so that sums run over elements, which are fewer.
        species
            (B, n) place of each atom's element among the elements.
        around
            What all convolutions of the batch share.
        table
            Features of each element, or None.

        Returns
        -------
        Tensor
            (B, n, width).
        """
        functions = softplus(self.radial(around.basis)) * around.fading[..., None]  # (B, n, n, K)
        harmonics = around.harmonics[:, :, : (self.degree + 1) ** 2]  # (B, n, M, n)
        gathered = gather(harmonics, functions, x)
        weights, own = (
            (w if table is None else w @ table.T) for w in (self.mixing, self.own.weight)
        )
        parts = gathered.split([2 * degree + 1 for degree in range(self.degree + 1)], 2)
        invariants = [
            self._of_degree(degree, linear(part, w.flatten(1)))
            for degree, (part, w) in enumerate(zip(parts, weights))
        ]
        invariants[0] = invariants[0] + linear(x, own, self.own.bias)
        return torch.cat(invariants, -1) * self.allowed[species]

    def _of_degree(self, degree: int, v: Tensor) -> Tensor:
        """(B, n, width) invariants of v (B, n, 2l + 1, f) of degree l."""
        if degree == 0 or self.literal:
            return v.flatten(2)
        return (v * self.partners[degree - 1](v)).mean(2)


def gather(harmonics: Tensor, functions: Tensor, x: Tensor) -> Tensor:
    """Return Σ_j Y_lm(ij) φ_k(ij) x_j.

    Of the three factors, the two that are smaller together are multiplied first.

    Parameters
    ----------
    harmonics
        (B, n, M, n) Y_lm.
    functions
        (B, n, n, K) φ_k.
    x
        (B, n, f).

    Returns
    -------
    Tensor
        (B, n, M, K · f).
    """
    if x.shape[2] < functions.shape[3]:
        spread = harmonics[:, :, :, None] * x.transpose(1, 2)[:, None, None]  # (B, n, M, f, n)
        gathered = spread.flatten(2, 3) @ functions  # (B, n, M · f, K)
        return gathered.unflatten(2, (-1, x.shape[2])).transpose(3, 4).flatten(3)
    kernel = harmonics[:, :, :, None] * functions.transpose(2, 3)[:, :, None]  # (B, n, M, K, n)
    return (kernel.flatten(1, 3) @ x).view(*kernel.shape[:3], -1)
