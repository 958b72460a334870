r"""Losses from sums of errors over a batch.

    energies   MAE = Σ|ΔE| / M        RMSE = √(Σ ΔE² / M)         MSE = Σ ΔE² / M
    forces     MAE = Σ|ΔF| / 3A       RMSE = √(Σ|ΔF|² / 3A)       MSE = Σ|ΔF|² / A

    L = w_E · L_E + w_F · L_F + penalty + λ Σ w²

ΔE and ΔF are divided by σ_E, the standard deviation of the training energies. With `mse`, w_E = ρ
and w_F = 1 this is the loss of SchNet. (SchNet averages forces over each molecule's atoms first,
which is the same where all molecules have one size.) `mae+rmse` is the loss of HIP-NN.
"""

from __future__ import annotations

import torch
from torch import Tensor

from onekcal.networks.training.error_sums import Sums
from onekcal.networks.training.settings import Loss, Settings

SMALLEST = 1e-30
"""Least value under the square root, whose slope at 0 is infinite."""


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
