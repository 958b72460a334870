r"""What the last layer of a network doubts: its Laplace approximation, and distances before it.

    E = wᵀφ,   s² = σ² φᵀ(ΦᵀΦ + Λ)⁻¹φ                                                  (laplace)
    d = min_n |(φ − φ_n) / deviation of φ|                                                (latent)

φ are the features that the readout of the trained network weighs, one row of Φ a training molecule;
σ is the network's error on these. Given the features, the energy is linear in w, and its posterior
is exact. `networks/leverage.py` has s²/σ² and the prior Λ.

The training error of a network that learned its molecules by heart is too small. So σ sets the
scale of s, but no ranking depends on it. Of an ensemble, variances and distances are the means.
"""

from __future__ import annotations

import torch
from torch import Tensor

from onekcal.networks.leverage import Leverage
from onekcal.networks.model import NetworkModel
from onekcal.signals.signal import Absent, Asked, Doubt, Signal, Trained

BLOCK = 512
"""Molecules at a time whose distances to all training molecules are computed."""


def _features(asked: Asked) -> tuple[Trained, list[tuple[Tensor, Tensor]]]:
    """Training molecules, and for each network their features and those of the asked ones."""
    stage = next(iter(reversed(list(asked.stages(NetworkModel)))), None)
    if stage is None or stage.of_atoms:
        raise Absent("holds no network with an energy for each molecule")
    trained = asked.need_trained()
    known, new = stage.slopes(trained.data.molecules), stage.slopes(asked.data.molecules)
    return trained, list(zip(known, new))


def _laplace(asked: Asked) -> Doubt:
    trained, every = _features(asked)
    left = asked.model.energies(trained.data.molecules, trained.data.columns)
    noise = (left - trained.data.energies).square().mean()
    variances = [Leverage.of([known], trained.share).at(new) for known, new in every]
    return Doubt((noise * torch.stack(variances).mean(0)).sqrt())


def _latent(asked: Asked) -> Doubt:
    _, every = _features(asked)
    return Doubt(torch.stack([_nearest(known, new) for known, new in every]).mean(0))


def _nearest(known: Tensor, new: Tensor) -> Tensor:
    """(M,) distance to the nearest training molecule, in standard deviations of the features."""
    deviation = known.std(0)
    used = deviation > 1e-12 * deviation.max()
    known, new = known[:, used] / deviation[used], new[:, used] / deviation[used]
    return torch.cat([torch.cdist(some, known).amin(1) for some in new.split(BLOCK)])


LAPLACE = Signal("Laplace approximation of the network's last layer", "kcal/mol", _laplace)
LATENT = Signal("distance from the training molecules, in the network's last features", "", _latent)
