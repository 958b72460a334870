"""A batch of a training step as the peers read it: atoms, and pairs of atoms."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from onekcal.bench.speed.steps import Step


class PairedAtoms(NamedTuple):
    """A batch as the peers read it, with pairs, so that they need not search for neighbours.

    Parameters
    ----------
    numbers
        (A,) nuclear charges.
    positions
        (A, 3) Å.
    owner
        (A,) the molecule of each atom.
    between
        (pairs, 3) Å, r_j − r_i, both ways.
    i, j
        (pairs,) row numbers of atoms.
    """

    numbers: Tensor
    positions: Tensor
    owner: Tensor
    between: Tensor
    i: Tensor
    j: Tensor


def paired(step: Step, cutoff: float) -> PairedAtoms:
    """Find every pair of atoms of one molecule nearer than a cut-off.

    Parameters
    ----------
    step
        The batch.
    cutoff
        Å.

    Returns
    -------
    PairedAtoms
        The atoms and their pairs.
    """
    mask, positions = step.batch.mask, step.batch.positions
    place = (mask.flatten().cumsum(0) - 1).view(mask.shape)  # (B, n) row of each atom
    near = (torch.cdist(positions, positions) < cutoff) & mask[:, :, None] & mask[:, None]
    m, a, b = (near & ~torch.eye(mask.shape[1], dtype=torch.bool)).nonzero(as_tuple=True)
    owner = torch.arange(len(mask))[:, None].expand_as(mask)[mask]
    return PairedAtoms(
        step.numbers[mask],
        positions[mask],
        owner,
        positions[m, b] - positions[m, a],
        place[m, a],
        place[m, b],
    )
