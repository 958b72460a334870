"""Whether energies and forces belong together.

Between two near geometries of one molecule, the second turned onto the first (Kabsch),

    E₂ − E₁ = −½ (F₁ + F₂) · (x₂ − x₁) + O(|x₂ − x₁|³)

Where energies and forces belong together, the slope of the left side on the right is 1.
It is −1 where gradients are stored as forces. It is the ratio of two units where one was mistaken
for the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from onekcal.datasets.doctor.near_frames import near_frames, turned
from onekcal.molecules import Molecules


@dataclass(frozen=True)
class Agreement:
    """How the differences of energies follow the forces.

    Parameters
    ----------
    slope
        Differences of energies over what the forces predict; 1 is right.
    correlation
        How well the one follows the other, between −1 and 1.
    pairs
        How many pairs of frames were compared.
    step
        Å, the typical root mean square displacement of an atom in a pair.
    """

    slope: float
    correlation: float
    pairs: int
    step: float


def agreement(
    molecules: Molecules, energies: Tensor, forces: Tensor, most: int = 400
) -> Agreement | None:
    """Compare differences of energies with what the forces say.

    Parameters
    ----------
    molecules
        (M,) frames, of one molecule or of several.
    energies
        (M,) kcal/mol.
    forces
        (A, 3) kcal/mol/Å.
    most
        Pairs of frames that are looked at.

    Returns
    -------
    Agreement or None
        None where there are too few near frames.
    """
    work, rise, steps = [], [], []
    for first, second in near_frames(molecules, most):
        step, pull = turned(molecules, forces, first, second)
        work.append(-0.5 * (pull * step).sum((1, 2)))
        rise.append((energies[second] - energies[first]).to(torch.float64))
        steps.append(step.square().sum(2).mean(1).sqrt())
    if not work:
        return None
    w, r, s = (torch.cat(part).numpy() for part in (work, rise, steps))
    nearest = np.argsort(s)[:most]
    w, r, s = w[nearest], r[nearest], s[nearest]
    if len(w) < 5 or not w.any():
        return None
    weight = 1 / (s**3 + np.median(s) ** 3 / 8) ** 2  # the remaining error is of third order
    slope = float((weight * w * r).sum() / (weight * w * w).sum())
    scale = np.sqrt((weight * w * w).sum() * (weight * r * r).sum())
    return Agreement(
        slope,
        float((weight * w * r).sum() / scale) if scale > 0 else 0.0,
        len(w),
        float(np.median(s)),
    )
