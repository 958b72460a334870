"""A small data set that any sound model learns, with energies and forces known in closed form."""

from __future__ import annotations

import numpy as np
import torch

from onekcal.data.dataset import Column, Dataset
from onekcal.molecules import Molecules


def wobbly(count: int, seed: int = 0) -> Dataset:
    """Distorted water, ammonia, methane and methanol with an energy that any sound model can
    learn: a smooth pair sum.

    E = Σ_{i<j} Z_i Z_j · exp(−r_ij / 1 Å) · (−5 kcal/mol), so forces are known in closed form.
    """
    shapes = [
        ([8, 1, 1], [[0, 0, 0.12], [0, 0.76, -0.47], [0, -0.76, -0.47]]),
        (
            [7, 1, 1, 1],
            [[0, 0, 0.1], [0.94, 0, -0.27], [-0.47, 0.81, -0.27], [-0.47, -0.81, -0.27]],
        ),
        (
            [6, 1, 1, 1, 1],
            [
                [0, 0, 0],
                [0.63, 0.63, 0.63],
                [-0.63, -0.63, 0.63],
                [-0.63, 0.63, -0.63],
                [0.63, -0.63, -0.63],
            ],
        ),
        (
            [6, 8, 1, 1, 1, 1],
            [
                [-0.05, 0.66, 0],
                [-0.05, -0.76, 0],
                [-1.09, 0.98, 0],
                [0.44, 1.07, 0.89],
                [0.44, 1.07, -0.89],
                [0.88, -1.06, 0],
            ],
        ),
    ]
    rng = np.random.default_rng(seed)
    parts = []
    for m in range(count):
        numbers, positions = shapes[m % len(shapes)]
        moved = np.array(positions) + rng.normal(0, 0.05, (len(numbers), 3))
        parts.append(Molecules.one(numbers, moved, name=f"wobbly {m}"))
    molecules = Molecules.concatenate(parts)
    positions = molecules.positions.clone().requires_grad_(True)
    energy = pair_energy(molecules.moved(positions))
    pull = -torch.autograd.grad(energy.sum(), positions)[0]
    columns = {
        "pairs": Column(energy.detach(), level="pair sum"),
        "pairs_forces": Column(pull, "forces", "pair sum", unit="kcal/mol/Å"),
    }
    return Dataset(molecules, columns, "pairs")


def pair_energy(molecules: Molecules) -> torch.Tensor:
    """(M,) kcal/mol of the toy potential of `wobbly`."""
    numbers, positions = molecules.pad()
    apart = (positions[:, :, None] - positions[:, None]).square().sum(-1)
    i, j = torch.triu_indices(apart.shape[1], apart.shape[1], 1)
    pairs = apart[:, i, j].clamp_min(1e-12).sqrt()  # padding sits on one point; its charges are 0
    charges = numbers[:, i] * numbers[:, j]
    return (-5.0 * charges * torch.exp(-pairs)).sum(1)
