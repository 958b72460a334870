r"""Losses from sums: the parts of a batch are added up over processes before a root is taken.

    energies   MAE = Σ|ΔE| / M        RMSE = √(Σ ΔE² / M)         MSE = Σ ΔE² / M
    forces     MAE = Σ|ΔF| / 3A       RMSE = √(Σ|ΔF|² / 3A)       MSE = Σ|ΔF|² / A

    L = w_E · L_E + w_F · L_F + penalty + λ Σ w²

ΔE and ΔF are divided by σ_E, the standard deviation of the training energies. With `mse`, w_E = ρ
and w_F = 1 this is the loss of SchNet. (SchNet averages forces over each molecule's atoms first,
which is the same where all molecules have one size.) `mae+rmse` is the loss of HIP-NN.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from onekcal.networks.training.settings import Loss, Settings

SMALLEST = 1e-30
"""Least value under the square root, whose slope at 0 is infinite."""


class Sums(NamedTuple):
    """Sums over some molecules; `extra` is their share of the batch's regularisers."""

    molecules: Tensor
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

    Returns
    -------
    Tensor
        (7,) float64.
    """
    none = wrong.new_zeros((), dtype=torch.float64)
    wrong = wrong.double()
    pull = (none, none) if off is None else (off.double().abs().sum(), off.double().square().sum())
    return torch.stack(
        [
            none + len(wrong),
            wrong.abs().sum(),
            wrong.square().sum(),
            none + atoms,
            *pull,
            none + extra,
        ]
    )


def loss(total: Tensor, settings: Settings) -> Tensor:
    """Return the loss of a batch.

    Parameters
    ----------
    total
        (7,) `Sums` of the whole batch.
    settings
        The keys of `fit`: which loss, and the weights.

    Returns
    -------
    Tensor
        ().
    """
    s = Sums(*total)
    out = s.extra
    if settings.energy_weight:
        out = out + settings.energy_weight * _term(
            settings.loss, s.energy_abs, s.energy_square, s.molecules, 1
        )
    if settings.force_weight:
        out = out + settings.force_weight * _term(
            settings.loss, s.force_abs, s.force_square, s.atoms, 3
        )
    return out


def _term(kind: Loss, absolute: Tensor, square: Tensor, count: Tensor, components: int) -> Tensor:
    count = count.clamp_min(1.0)  # a batch without a known force
    if kind == "mse":
        return square / count
    count = count * components
    terms = {"mae": absolute / count, "rmse": (square / count).clamp_min(SMALLEST).sqrt()}
    out = [terms[name] for name in kind.split("+")]
    return torch.stack(out).sum()


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
