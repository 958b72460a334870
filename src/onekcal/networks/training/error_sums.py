"""Sums of errors, which are added up over processes before a mean or a root is taken."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Sums(NamedTuple):
    """Sums over some molecules; `extra` is their share of the batch's regularisers."""

    molecules: Tensor  # Σ p, their number where all labels count alike
    energy_abs: Tensor
    energy_square: Tensor
    atoms: Tensor  # with a known force
    force_abs: Tensor
    force_square: Tensor
    extra: Tensor


def sums(
    wrong: Tensor,
    off: Tensor | None = None,
    atoms: Tensor | float = 0.0,
    extra: Tensor | float = 0.0,
    weights: Tensor | None = None,
) -> Tensor:
    """Return the `Sums` of errors.

    Parameters
    ----------
    wrong
        (B,) errors of energies, in units of σ_E.
    off
        (…, 3) errors of forces, in units of σ_E/Å, 0 where no force is known; None without forces.
    atoms
        Number of atoms with a known force.
    extra
        This part's share of the regularisers.
    weights
        (B,) p, how much each energy counts; None: 1.

    Returns
    -------
    Tensor
        (7,) float64.
    """
    none = wrong.new_zeros((), dtype=torch.float64)
    wrong = wrong.double()
    counts = torch.ones_like(wrong) if weights is None else weights
    pull = (none, none) if off is None else (off.double().abs().sum(), off.double().square().sum())
    return torch.stack(
        [
            counts.sum(),
            (counts * wrong.abs()).sum(),
            (counts * wrong.square()).sum(),
            none + atoms,
            *pull,
            none + extra,
        ]
    )


def errors(total: Tensor, unit: float) -> dict[str, float]:
    """Return MAE and RMSE of energies and of force components.

    Parameters
    ----------
    total
        (7,) `Sums` of errors divided by `unit`.
    unit
        kcal/mol.

    Returns
    -------
    dict
        mae, rmse (kcal/mol) and, with forces, force_mae, force_rmse (kcal/mol/Å).
    """
    molecules, absolute, square, atoms, force_absolute, force_square, _ = total.tolist()
    errors_of = {"mae": unit * absolute / molecules, "rmse": unit * (square / molecules) ** 0.5}
    if atoms:
        errors_of |= {
            "force_mae": unit * force_absolute / (3 * atoms),
            "force_rmse": unit * (force_square / (3 * atoms)) ** 0.5,
        }
    return errors_of
