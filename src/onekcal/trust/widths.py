r"""How wide the interval of a molecule is, from its traits: a quantile regression.

    log s(x) = β₀ + Σ_k x_k β_k          β = argmin Σ_m ρ_p(log |r_m| − log s(x_m))
    ρ_p(u) = max(p u, (p − 1) u)

(Koenker & Bassett, Econometrica 46, 33, 1978). Where trait k is a group that a molecule belongs to
or not, the share p of the group's molecules have |r| < s: that is what the derivative by β_k says
at the minimum. So the interval holds in every group at once, wide where the model is weak and
narrow where it is good (Gibbs, Cherian, Candès, J. R. Stat. Soc. B, qkaf008, 2025). Size, novelty
and spread only make it wider: β_k ≥ 0 for `traits.GROWING`, and beyond what was measured they stay
at the smallest value and go on above the largest.

The scores |r|/s(x) are then ranked (`conformal.py`), so that the promise holds for every share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from onekcal.trust.traits import GROWING, Traits

SHARE = 0.9
"""p. Widths for other shares have the same pattern."""
ENOUGH = 100
"""Molecules that must have a trait, and lack it, so that it counts."""
SMALLEST = 1e-3
"""kcal/mol; smaller errors count as this one."""


@dataclass(frozen=True)
class Widths:
    """A fitted regression.

    Parameters
    ----------
    names
        The traits x_k.
    slopes
        (k + 1,) β₀ and β_k, logarithms of kcal/mol.
    least
        (k,) the smallest value of each trait among the molecules of the fit.
    """

    names: tuple[str, ...]
    slopes: Tensor
    least: Tensor

    @classmethod
    def fitted(cls, residuals: Tensor, traits: Traits) -> Self:
        """Fit the widths to molecules that the model was not fitted to.

        Parameters
        ----------
        residuals
            (n,) reference − predicted, kcal/mol.
        traits
            Of these molecules.
        """
        known = traits.table.isfinite().all(1)  # an element without a landmark is ∞ strange
        residuals, traits = residuals[known], traits[known]
        names = tuple(name for name in traits.names if _tells(traits.of((name,))[:, 0]))
        table = traits.of(names)
        least = table.min(0).values if names else torch.zeros(0, dtype=torch.float64)
        target = residuals.abs().clamp_min(SMALLEST).log().numpy().astype(float)
        slopes = _regression(table.numpy(), target, [name in GROWING for name in names])
        return cls(names, torch.from_numpy(slopes), least)

    def of(self, traits: Traits) -> Tensor:
        """Return s of molecules.

        Parameters
        ----------
        traits
            Of M molecules.

        Returns
        -------
        Tensor
            (M,) kcal/mol.
        """
        table = traits.of(self.names).maximum(self.least)
        return (self.slopes[0] + table @ self.slopes[1:]).exp()

    def header(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "names": self.names,
            "slopes": [round(b, 6) for b in self.slopes.tolist()],
            "least": [round(b, 6) for b in self.least.tolist()],
        }

    @classmethod
    def from_header(cls, header: dict[str, Any]) -> Self:
        """Take back what `header` returned.

        Parameters
        ----------
        header
            Names, slopes and smallest values.
        """
        slopes, least = (
            torch.tensor(header[key], dtype=torch.float64) for key in ("slopes", "least")
        )
        return cls(tuple(header["names"]), slopes, least)


def _tells(values: Tensor) -> bool:
    """Whether enough molecules have a trait, and enough lack it; a number must vary as often."""
    if not len(values):
        return False
    common = int((values == values.mode().values).sum())
    return len(values) - common >= ENOUGH and (common >= ENOUGH or len(values.unique()) > 2)


def _regression(table: np.ndarray, target: np.ndarray, growing: list[bool]) -> np.ndarray:
    """(k + 1,) the β of a quantile regression, as a linear program."""
    from scipy.optimize import linprog
    from scipy.sparse import csc_matrix, eye_array, hstack

    n, k = table.shape
    ones = csc_matrix(np.column_stack([np.ones(n), table]))
    above = eye_array(n, format="csc")
    found = linprog(
        np.concatenate([np.zeros(k + 1), np.full(n, SHARE), np.full(n, 1.0 - SHARE)]),
        A_eq=hstack([ones, above, -above], format="csc"),
        b_eq=target,
        bounds=[
            (None, None),
            *((0.0 if grows else None, None) for grows in growing),
            *[(0.0, None)] * (2 * n),
        ],
        method="highs",
    )
    assert found.success, found.message
    return np.asarray(found.x[: k + 1])
