r"""How far the features that a linear readout weighs lie from those it was fitted to.

    h = φᵀ(ΦᵀΦ + Λ)⁻¹φ

φ are the features of a molecule, one row of Φ those of a training molecule. Λ is diagonal: the mean
square of each feature, as if one molecule were known from the start, so that units do not matter.
Statistics call h the leverage of a molecule. For a Gaussian prior on the readout, σ²h is the
variance of the energy (Daxberger et al., Adv. Neural Inf. Process. Syst. 34, 20089 (2021)).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple, Self

import torch
from torch import Tensor

USED = 1e-12
"""A feature whose size is below this share of the largest does not count."""


class Leverage(NamedTuple):
    """What is kept of the training molecules."""

    scale: Tensor
    """(p,) root mean square of each feature; infinite where it does not count."""
    factor: Tensor
    """(p, p) float32, L of LLᵀ = (ΦᵀΦ + Λ)/(scale scaleᵀ)."""

    @classmethod
    def of(cls, known: Iterable[Tensor], share: float = 1.0) -> Self:
        """Take in training molecules, some at a time.

        Parameters
        ----------
        known
            (N_k, p) features.
        share
            The share of all training molecules that these are.

        Returns
        -------
        Leverage
            What these leave.
        """
        gram, count = torch.zeros(()), 0
        for rows in known:
            rows = rows.double()
            gram, count = gram + rows.T @ rows, count + len(rows)
        scale = (gram.diagonal() / count).sqrt()
        scale[scale <= USED * scale.max()] = math.inf
        gram = gram / (scale[:, None] * scale) / share
        gram.diagonal().add_(1.0)
        return cls(scale, torch.linalg.cholesky(gram).float())

    def at(self, features: Tensor) -> Tensor:
        """Return the leverage of other molecules.

        Parameters
        ----------
        features
            (M, p).

        Returns
        -------
        Tensor
            (M,), without a unit.
        """
        rows = features.double() / self.scale
        solved = torch.linalg.solve_triangular(self.factor.double(), rows.T, upper=False)
        return solved.square().sum(0)
