r"""Split conformal intervals (Vovk et al. 2005; Lei et al., JASA 113, 1094, 2018).

The residuals r_1 … r_n belong to molecules that the model was not fitted to. The interval ŷ ± q
with

    q = the ⌈(n + 1)(1 − α)⌉-th smallest |r|

covers a new exchangeable molecule with probability at least 1 − α. With fewer than ⌈1/α⌉ − 1
residuals no finite interval can promise that; the interval is then infinite.

A geometry made from SMILES may be another conformer than the lowest. The error then grows with the
rivalry d of the molecule's conformers (`geometry/conformers.py`). Where d is known, the scores are
|r|/s with s = 1 + d/(1 kcal/mol), and the interval is ŷ ± q·s: narrow for a rigid molecule, wide
for a floppy one (normalised scores: Papadopoulos et al., ECML 2002; Lei et al.).

With `MANY` residuals or more, s follows everything that is known of a molecule (`traits.py`,
`widths.py`). The scores of each fifth of the residuals are then found with an s that the other four
fifths gave.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from onekcal.errors import InputError
from onekcal.trust.traits import Traits
from onekcal.trust.widths import Widths

if TYPE_CHECKING:
    from onekcal.data.dataset import Dataset

WIDER = "× (1 + rivalry of the conformers in kcal/mol)"
"""The factor of an interval that follows the rivalry, in words."""
FOLLOWS = "typically; it follows size, novelty and groups of the molecule"
"""What an interval with widths is, in words."""
MANY, PARTS = 1000, 5
"""Residuals that are enough for widths that follow the traits, and their parts."""


@dataclass(frozen=True)
class Conformal:
    """The calibrated intervals of one kind of geometry.

    Parameters
    ----------
    scores
        (n,) scores |r|/s of the calibration set, kcal/mol, ascending.
    by_rivalry
        Whether s follows the rivalry of a molecule's conformers; otherwise s is 1.
    widths
        What gives s where it follows the traits of a molecule; None where it does not.
    typical
        The median s of the calibration set.
    """

    scores: Tensor
    by_rivalry: bool = False
    widths: Widths | None = None
    typical: float = 1.0

    @property
    def factor(self) -> str:
        """What the interval of the typical molecule is multiplied with, in words."""
        return FOLLOWS if self.widths is not None else WIDER if self.by_rivalry else ""

    @classmethod
    def calibrated(
        cls, residuals: Tensor, rivalry: Tensor | None = None, traits: Traits | None = None
    ) -> Conformal:
        """Calibrate on molecules that the model was not fitted to.

        Parameters
        ----------
        residuals
            (n,) reference − predicted, kcal/mol.
        rivalry
            (n,) rivalry of the conformers of each molecule, kcal/mol; None where it is not known.
        traits
            Of these molecules, their rivalry among them; they count from `MANY` residuals on.

        Returns
        -------
        Conformal
            The intervals.
        """
        size = residuals.to(torch.float64).abs()
        if traits is not None and len(size) >= MANY:
            widths = Widths.fitted(size, traits)
            typical = float(widths.of(traits).median())
            return cls(_left_out(size, traits).sort().values, widths=widths, typical=typical)
        if rivalry is None:
            return cls(size.sort().values)
        if not (torch.isfinite(rivalry) & (rivalry >= 0)).all():
            raise InputError("the rivalry of a molecule's conformers must be 0 or more, kcal/mol")
        return cls((size / (1.0 + rivalry)).sort().values, by_rivalry=True)

    def radius(
        self, coverage: float = 0.9, rivalry: float = 0.0, traits: Traits | None = None
    ) -> float:
        """Compute the half width of the interval of one molecule.

        Parameters
        ----------
        coverage
            The share of molecules that the interval is to cover.
        rivalry
            The rivalry of the molecule's conformers, kcal/mol.
        traits
            Those of the molecule; None: it is like the median molecule of the calibration set.

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
        score = float(self.scores[rank - 1])
        if self.widths is not None:
            return score * (self.typical if traits is None else float(self.widths.of(traits)[0]))
        return score * (1.0 + rivalry if self.by_rivalry else 1.0)

    def half(
        self,
        count: int,
        coverage: float = 0.9,
        rivalry: Tensor | None = None,
        traits: Traits | None = None,
    ) -> Tensor:
        """Compute the half widths of the intervals of M molecules.

        Parameters
        ----------
        count
            M.
        coverage
            The share of molecules that the intervals are to cover.
        rivalry
            (M,) rivalry of the conformers of each molecule, kcal/mol; None: 0.
        traits
            Of these molecules; None: they are like the median molecule of the calibration set.

        Returns
        -------
        Tensor
            (M,) kcal/mol.
        """
        wide = torch.full((count,), self.radius(coverage), dtype=torch.float64)
        if self.widths is not None and traits is not None:
            return wide * self.widths.of(traits) / self.typical
        return wide * (1.0 + rivalry) if self.by_rivalry and rivalry is not None else wide

    def interval(
        self,
        predicted: Tensor,
        coverage: float = 0.9,
        rivalry: Tensor | None = None,
        traits: Traits | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Compute the intervals of molecules.

        Parameters
        ----------
        predicted
            (M,) kcal/mol.
        coverage, rivalry, traits
            As in `half`.

        Returns
        -------
        tuple of Tensor
            Lower and upper ends (M,), kcal/mol.
        """
        half = self.half(len(predicted), coverage, rivalry, traits)
        return predicted - half, predicted + half


def _left_out(size: Tensor, traits: Traits) -> Tensor:
    """(n,) scores, each with widths that were fitted without it."""
    order = torch.randperm(len(size), generator=torch.Generator().manual_seed(0))
    part = torch.empty(len(size), dtype=torch.int64)
    part[order] = torch.arange(len(size)) % PARTS
    out = torch.empty_like(size)
    for k in range(PARTS):
        own, others = part == k, part != k
        out[own] = size[own] / Widths.fitted(size[others], traits[others]).of(traits[own])
    return out


def rivalry_of(data: Dataset) -> Tensor | None:
    """Look up how far the conformers of each molecule lie apart.

    Parameters
    ----------
    data
        Molecules, maybe with a column "rivalry".

    Returns
    -------
    Tensor or None
        (M,) kcal/mol; None without that column.
    """
    column = data.columns.get("rivalry")
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
