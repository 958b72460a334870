"""Errors of a network on a batch, as sums that losses are made of."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import NamedTuple

import torch
from torch import Tensor

from onekcal.data.dataset import Dataset
from onekcal.networks.network import Batch, Output
from onekcal.networks.training import error_sums
from onekcal.networks.training.batches import Held
from onekcal.networks.training.settings import Settings

Answer = Callable[[Batch], Output]
"""A network, or the same network compiled."""


class Standard(NamedTuple):
    """How an output becomes an energy, shift + scale × output, and the unit of errors; kcal/mol."""

    shift: float
    scale: float
    unit: float

    @classmethod
    def of(cls, train: Dataset, settings: Settings, absolute: bool) -> Standard:
        """Return the scale of a training.

        Parameters
        ----------
        train
            The training data.
        settings
            The keys of `fit`; without `standardize`, outputs are kcal/mol.
        absolute
            Whether the network's outputs are kcal/mol anyway.
        """
        if not settings.standardize:
            return cls(0.0, 1.0, 1.0)
        unit = float(train.energies.std(correction=0))
        unit = unit if unit > 0 else 1.0
        return cls(0.0, 1.0, unit) if absolute else cls(float(train.energies.mean()), unit, unit)


def measure(
    answer: Answer, held: Held, rows: Tensor, standard: Standard, bf16: bool, learn: bool
) -> Tensor:
    """Sum the errors of a network over some molecules.

    Parameters
    ----------
    answer
        The network.
    held
        Molecules with labels.
    rows
        (B,) which of them.
    standard
        How outputs become energies.
    bf16
        Whether matrix products are in bfloat16.
    learn
        Whether the sums need a gradient.

    Returns
    -------
    Tensor
        (7,) `Sums`; `extra` is the network's penalty.
    """
    if not len(rows):
        return torch.zeros(7, dtype=torch.float64, device=held.energies.device)
    batch, there = held.batch(rows)
    if held.forces is not None:
        batch = batch._replace(positions=batch.positions.requires_grad_(True))
    with torch.set_grad_enabled(learn or held.forces is not None):
        with torch.autocast(there.device.type, torch.bfloat16) if bf16 else nullcontext():
            out = answer(batch)
        energies = out.energies.double()
        labels = held.energies[there]
        if labels.ndim == 2:  # of atoms: each counts as much as any other
            energies, labels = energies[batch.mask], labels[:, : batch.mask.shape[1]][batch.mask]
        wrong = (standard.shift + standard.scale * energies - labels) / standard.unit
        penalty = 0.0 if out.penalty is None else out.penalty
        counts = None if held.weights is None else held.weights[there]
        if held.forces is None or held.known is None:
            return error_sums.sums(wrong, extra=penalty, weights=counts)
        slopes = torch.autograd.grad(
            energies.sum(), batch.positions, create_graph=learn, materialize_grads=True
        )[0]
        known = batch.mask & held.known[there][:, None]  # (B, n)
        off = -standard.scale * slopes - held.forces[there, : known.shape[1]]
        off = off * known[:, :, None]
        return error_sums.sums(wrong, off / standard.unit, known.sum(), penalty, counts)
