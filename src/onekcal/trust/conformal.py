r"""Split conformal intervals (Vovk et al. 2005; Lei et al., JASA 113, 1094, 2018).

With residuals r_1 … r_n of molecules the model was not fitted to, the interval ŷ ± q with

    q = the ⌈(n + 1)(1 − α)⌉-th smallest |r|

covers a new exchangeable molecule with probability at least 1 − α. With fewer than ⌈1/α⌉ − 1
residuals no finite interval can promise that, and none is given.

A geometry made from SMILES may be another conformer than the one meant, and the error grows with
what lies between the molecule's conformers. Where that spread d is known, the |r|/s are ranked, s =
1 + d/(1 kcal/mol), and the interval is ŷ ± q·s: narrow for a rigid molecule, wide for a floppy one
(normalised scores: Papadopoulos et al., ECML 2002; Lei et al.).
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
"""What an interval that follows the spread is multiplied by, in words."""


@dataclass(frozen=True)
class Conformal:
    """Sorted scores |r|/s (kcal/mol) of a calibration set."""

    scores: Tensor  # (n,) ascending
    by_spread: bool = False  # whether s follows the spread of a molecule's conformers; else it is 1

    @classmethod
    def calibrated(cls, residuals: Tensor, spread: Tensor | None = None) -> Conformal:
        """From residuals reference − predicted (n,) and, where it is known, the spread of the
        conformers (n,), kcal/mol.
        """
        size = residuals.to(torch.float64).abs()
        if spread is None:
            return cls(size.sort().values)
        if not (torch.isfinite(spread) & (spread >= 0)).all():
            raise InputError("the spread of a molecule's conformers must be 0 or more, kcal/mol")
        return cls((size / (1.0 + spread)).sort().values, by_spread=True)

    def radius(self, coverage: float = 0.9, spread: float = 0.0) -> float:
        """Half-width (kcal/mol) for conformers `spread` kcal/mol apart; infinite when there are
        too few residuals.
        """
        if not 0 < coverage < 1:
            raise InputError(f"`coverage` must lie between 0 and 1, got {coverage}")
        n = len(self.scores)
        # n + 1 times a decimal such as 0.9 may land a rounding error above an integer, hence the
        # 1e-9
        rank = math.ceil((n + 1) * coverage - 1e-9)
        if rank > n:
            return math.inf
        return float(self.scores[rank - 1]) * (1.0 + spread if self.by_spread else 1.0)

    def interval(
        self, predicted: Tensor, coverage: float = 0.9, spread: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Lower and upper ends (M,), kcal/mol."""
        half = self.radius(coverage) * (
            1.0 + spread if self.by_spread and spread is not None else 1.0
        )
        return predicted - half, predicted + half


def spread_of(data: Dataset) -> Tensor | None:
    """(M,) kcal/mol between the conformers of each molecule, where the data tell it in a column of
    this name.
    """
    column = data.columns.get("spread")
    return None if column is None else column.values


def coverage(reference: Tensor, lower: Tensor, upper: Tensor) -> float:
    """Share of references inside their interval."""
    return float(((reference >= lower) & (reference <= upper)).to(torch.float64).mean())
