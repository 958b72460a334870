r"""Split conformal intervals (Vovk et al. 2005; Lei et al., JASA 113, 1094, 2018).

With residuals r_1 … r_n of molecules the model was not fitted to, the interval ŷ ± q with

    q = the ⌈(n + 1)(1 − α)⌉-th smallest |r|

covers a new exchangeable molecule with probability at least 1 − α. With fewer than ⌈1/α⌉ − 1 residuals no finite
interval can promise that, and none is given. Where a scale s(x) of the expected error is known, the |r|/s are ranked
and the interval is ŷ ± q·s(x): wide where the model is unsure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from onekcal.errors import InputError


@dataclass(frozen=True)
class Conformal:
    """Sorted absolute residuals (kcal/mol, or units of the scale) of a calibration set."""

    scores: Tensor  # (n,) ascending

    @classmethod
    def calibrated(cls, residuals: Tensor, scale: Tensor | None = None) -> Conformal:
        """From residuals reference − predicted (n,) and an optional scale of the expected error (n,)."""
        size = residuals.to(torch.float64).abs()
        return cls((size if scale is None else size / scale).sort().values)

    def radius(self, coverage: float = 0.9) -> float:
        """Half-width q (kcal/mol, or units of the scale); infinite when there are too few residuals."""
        if not 0 < coverage < 1:
            raise InputError(f"`coverage` must lie between 0 and 1, got {coverage}")
        n = len(self.scores)
        # n + 1 times a decimal such as 0.9 may land a rounding error above an integer, hence the 1e-9
        rank = math.ceil((n + 1) * coverage - 1e-9)
        return math.inf if rank > n else float(self.scores[rank - 1])

    def interval(self, predicted: Tensor, coverage: float = 0.9, scale: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Lower and upper ends (M,), kcal/mol."""
        half = self.radius(coverage) * (torch.ones_like(predicted) if scale is None else scale)
        return predicted - half, predicted + half


def coverage(reference: Tensor, lower: Tensor, upper: Tensor) -> float:
    """Share of references inside their interval."""
    return float(((reference >= lower) & (reference <= upper)).to(torch.float64).mean())
