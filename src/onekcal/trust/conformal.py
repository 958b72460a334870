r"""Split conformal intervals (Vovk et al. 2005; Lei et al., JASA 113, 1094, 2018).

The residuals r_1 … r_n belong to molecules that the model was not fitted to. The interval ŷ ± q
with

    q = the ⌈(n + 1)(1 − α)⌉-th smallest |r|

covers a new exchangeable molecule with probability at least 1 − α. With fewer than ⌈1/α⌉ − 1
residuals no finite interval can promise that; the interval is then infinite.

A geometry made from SMILES may be another conformer than the one that is meant. The error then
grows with the spread d of the molecule's conformers. Where d is known, the scores are |r|/s with
s = 1 + d/(1 kcal/mol), and the interval is ŷ ± q·s: narrow for a rigid molecule, wide for a floppy
one (normalised scores: Papadopoulos et al., ECML 2002; Lei et al.).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from onekcal.errors import InputError

if TYPE_CHECKING:
    from onekcal.data.dataset import Dataset

WIDER = "× (1 + spread of the conformers in kcal/mol)"
"""The factor of an interval that follows the spread, in words."""


@dataclass(frozen=True)
class Conformal:
    """The calibrated intervals of one kind of geometry.

    Parameters
    ----------
    scores
        (n,) scores |r|/s of the calibration set, kcal/mol, ascending.
    by_spread
        Whether s follows the spread of a molecule's conformers; otherwise s is 1.
    """

    scores: Tensor
    by_spread: bool = False

    @classmethod
    def calibrated(cls, residuals: Tensor, spread: Tensor | None = None) -> Conformal:
        """Calibrate on molecules that the model was not fitted to.

        Parameters
        ----------
        residuals
            (n,) reference − predicted, kcal/mol.
        spread
            (n,) spread of the conformers of each molecule, kcal/mol; None where it is not known.

        Returns
        -------
        Conformal
            The intervals.
        """
        size = residuals.to(torch.float64).abs()
        if spread is None:
            return cls(size.sort().values)
        if not (torch.isfinite(spread) & (spread >= 0)).all():
            raise InputError("the spread of a molecule's conformers must be 0 or more, kcal/mol")
        return cls((size / (1.0 + spread)).sort().values, by_spread=True)

    def radius(self, coverage: float = 0.9, spread: float = 0.0) -> float:
        """Compute the half width of the interval of one molecule.

        Parameters
        ----------
        coverage
            The share of molecules that the interval is to cover.
        spread
            The spread of the molecule's conformers, kcal/mol.

        Returns
        -------
        float
            kcal/mol; infinite when there are too few residuals.
        """
        if not 0 < coverage < 1:
            raise InputError(f"`coverage` must lie between 0 and 1, got {coverage}")
        n = len(self.scores)
        # 1e-9: n + 1 times a decimal such as 0.9 may lie a rounding error above an integer
        rank = math.ceil((n + 1) * coverage - 1e-9)
        if rank > n:
            return math.inf
        return float(self.scores[rank - 1]) * (1.0 + spread if self.by_spread else 1.0)

    def interval(
        self, predicted: Tensor, coverage: float = 0.9, spread: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Compute the intervals of molecules.

        Parameters
        ----------
        predicted
            (M,) kcal/mol.
        coverage
            The share of molecules that the intervals are to cover.
        spread
            (M,) spread of the conformers of each molecule, kcal/mol; None: 0.

        Returns
        -------
        tuple of Tensor
            Lower and upper ends (M,), kcal/mol.
        """
        half = self.radius(coverage) * (
            1.0 + spread if self.by_spread and spread is not None else 1.0
        )
        return predicted - half, predicted + half


def spread_of(data: Dataset) -> Tensor | None:
    """Look up how far the conformers of each molecule lie apart.

    Parameters
    ----------
    data
        Molecules, maybe with a column "spread".

    Returns
    -------
    Tensor or None
        (M,) kcal/mol; None without that column.
    """
    column = data.columns.get("spread")
    return None if column is None else column.values


def coverage(reference: Tensor, lower: Tensor, upper: Tensor) -> float:
    """Compute the share of references that lie inside their interval.

    Parameters
    ----------
    reference, lower, upper
        (M,) values in the same unit.

    Returns
    -------
    float
        Between 0 and 1.
    """
    return float(((reference >= lower) & (reference <= upper)).to(torch.float64).mean())
