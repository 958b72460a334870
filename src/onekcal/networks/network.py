"""A neural network takes a `Batch` and gives an `Output`; `NetworkModel` makes a model of it.

A published network is one file with two classes. One is its `Network`. The other is a
`NetworkModel`, whose keyword arguments are the network's settings, `fit` (how it is trained, see
`onekcal.networks.training.settings`), `seed` and `dtype`.

Molecules of a batch have nearly equal sizes, so they are padded and sums over neighbours are
batched matrix products.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from onekcal.data.dataset import Dataset

Context = Any
"""What torch hands to both halves of a function with a gradient of its own; torch has no type."""


class Batch(NamedTuple):
    """Padded molecules. In padding, `mask` is False, species are 0 and positions are finite."""

    species: Tensor  # (B, n) int64, index into the network's `elements`
    positions: Tensor  # (B, n, 3) Å
    mask: Tensor  # (B, n) bool
    inputs: Tensor | None = None
    """(B, …) what else the network is given of each molecule (see `NetworkModel.inputs`)."""


class Output(NamedTuple):
    """What a network answers, in its own unit (see `Network.absolute`)."""

    energies: Tensor  # (B,), or (B, n) where the target is a property of atoms
    penalty: Tensor | None = None
    """() a weighted regulariser, the mean over the batch; it is added to the loss."""
    terms: dict[str, Tensor] | None = None  # (B,) or (B, k) further values of each molecule
    atomic: Tensor | None = None  # (B, n) the energy of each atom, where the network has one


class Network(torch.nn.Module):
    """Gives one energy for every molecule of a batch, or one value for every atom."""

    elements: tuple[int, ...]
    """Nuclear charges it was built for, ascending."""
    absolute: bool = False
    """Whether its energies are kcal/mol. Otherwise E = mean + std × output, with the mean and the
    standard deviation of the training energies."""

    def forward(self, batch: Batch) -> Output:
        """Return the answers for a batch.

        Parameters
        ----------
        batch
            B molecules, padded to n atoms.
        """
        raise NotImplementedError

    def begin(self, train: Dataset) -> None:
        """Set what comes from the data and is not learned; it is called once, before training.

        Parameters
        ----------
        train
            The training data.
        """

    def decayed(self) -> list[torch.nn.Parameter]:
        """Return the parameters under L2 and weight decay: all matrices, by default."""
        return [parameter for parameter in self.parameters() if parameter.ndim >= 2]

    def readout(self) -> list[torch.nn.Parameter]:
        """Return the parameters of all layers with one output, in which the energy is linear.

        The rest of the network makes features, and these parameters weigh them. AtomCloudNet bends
        their sum once more.
        """
        return [
            parameter
            for layer in self.modules()
            if isinstance(layer, torch.nn.Linear) and layer.out_features == 1
            for parameter in layer.parameters()
        ]

    def statistics(self) -> list[Tensor]:
        """Return the buffers that follow the batches, such as running means; none by default.

        They are averaged over processes, and in a moving average they are treated as weights are.
        """
        return []


def energy_per_atom(train: Dataset) -> Tensor:
    """Return the scale of atomic energies.

    Parameters
    ----------
    train
        The training data.

    Returns
    -------
    Tensor
        (2,) float64 kcal/mol: e₀, the energy per atom that fits the training energies best by least
        squares, and s, the standard deviation of what is left (1 where that is 0).
    """
    sizes, energies = train.molecules.sizes.double(), train.energies.double()
    shift = (sizes @ energies) / (sizes @ sizes)
    deviation = (energies - shift * sizes).std(correction=0)
    return torch.stack([shift, deviation if deviation > 0 else torch.ones_like(deviation)])
