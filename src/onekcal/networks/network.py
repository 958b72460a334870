"""What every neural network here is made of: a `Batch` in, an `Output` out; `NetworkModel` makes a model of it.

A published network is one file with two classes: its `Network`, and a `NetworkModel` whose keyword arguments are the
network's settings, together with `fit` (how it is trained, see `onekcal.networks.training.settings`), `seed` and `dtype`.

Molecules of a batch have nearly equal sizes, so they are padded and sums over neighbours are batched matrix products.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from onekcal.data.dataset import Dataset


class Batch(NamedTuple):
    """Padded molecules. Where there is no atom, species are 0 and positions finite; `mask` tells."""

    species: Tensor  # (B, n) int64, index into the network's `elements`
    positions: Tensor  # (B, n, 3) Å
    mask: Tensor  # (B, n) bool
    inputs: Tensor | None = (
        None  # (B, …) what else the network is given of each molecule (see `NetworkModel.inputs`)
    )


class Output(NamedTuple):
    """What a network answers, in its own unit (see `Network.absolute`)."""

    energies: Tensor  # (B,), or (B, n) where the target is a property of atoms
    penalty: Tensor | None = (
        None  # () mean over the batch of a regulariser, weighted: added to the loss as it is
    )
    terms: dict[str, Tensor] | None = None  # (B,) or (B, k) each: what else is told of a molecule
    atomic: Tensor | None = None  # (B, n) the energy each atom brings, where the network has such


class Network(torch.nn.Module):
    """A sum over atoms or anything else that gives one energy a molecule."""

    elements: tuple[int, ...]
    """Nuclear charges it was built for, ascending."""
    absolute: bool = False
    """Are its energies kcal/mol? Otherwise they are standardised: E = mean + std × output, of the training energies."""

    def forward(self, batch: Batch) -> Output:
        raise NotImplementedError

    def begin(self, train: Dataset) -> None:
        """Called once before training: whatever is set from the data rather than learned."""

    def decayed(self) -> list[torch.nn.Parameter]:
        """Parameters under L2 and weight decay; the matrices, unless a network says otherwise."""
        return [parameter for parameter in self.parameters() if parameter.ndim >= 2]

    def statistics(self) -> list[Tensor]:
        """Buffers that follow the batches, such as running means: averaged over processes, and in a moving average as
        weights are. None, unless a network says otherwise."""
        return []


def pair_mask(batch: Batch) -> Tensor:
    """(B, n, n) bool: two different atoms that exist."""
    apart = ~torch.eye(batch.mask.shape[1], dtype=torch.bool, device=batch.mask.device)
    return batch.mask[:, :, None] & batch.mask[:, None, :] & apart


def pair_distances(batch: Batch) -> Tensor:
    """(B, n, n) Å; 1 with no gradient where `pair_mask` is False, so that forces are finite for one atom too."""
    between = batch.positions[:, :, None] - batch.positions[:, None]  # (B, n, n, 3)
    return torch.where(pair_mask(batch), between.square().sum(-1), 1.0).sqrt()
