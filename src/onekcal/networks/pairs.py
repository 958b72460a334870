"""Pairs of atoms in a batch of padded molecules."""

from __future__ import annotations

import torch
from torch import Tensor

from onekcal.networks.network import Batch


def pair_mask(batch: Batch) -> Tensor:
    """Tell which pairs of places hold two different atoms.

    Parameters
    ----------
    batch
        B molecules, padded to n atoms.

    Returns
    -------
    Tensor
        (B, n, n) bool.
    """
    apart = ~torch.eye(batch.mask.shape[1], dtype=torch.bool, device=batch.mask.device)
    return batch.mask[:, :, None] & batch.mask[:, None, :] & apart


def pair_distances(batch: Batch) -> Tensor:
    """Return the distances of all pairs of atoms.

    Parameters
    ----------
    batch
        B molecules, padded to n atoms.

    Returns
    -------
    Tensor
        (B, n, n) Å; where `pair_mask` is False it is 1 without a gradient, so that all forces are
        finite.
    """
    between = batch.positions[:, :, None] - batch.positions[:, None]  # (B, n, n, 3)
    return torch.where(pair_mask(batch), between.square().sum(-1), 1.0).sqrt()
