"""HIP-NN of float64 for tests."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from onekcal.molecules import Molecules
from onekcal.networks.hipnn import (
    HipNNNetwork,
)
from onekcal.networks.network import Batch
from support.molecules import wobbly

ORGANIC = (1, 6, 7, 8, 9)
ROUNDING = 1e-10
"""kcal/mol; float64 sums of ~100 kcal/mol."""


def net(elements: tuple[int, ...] = (1, 6, 7, 8), seed: int = 0, **settings: Any) -> HipNNNetwork:
    """A float64 network at the scale of the toy energies, no parameter at its initial value."""
    torch.manual_seed(seed)
    made = HipNNNetwork(
        elements, **{"features": 6, "sensitivities": 5, "onsite": 1} | settings
    ).double()
    made.begin(wobbly(24))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return made


def batch_of(molecules: Molecules, elements: tuple[int, ...] = (1, 6, 7, 8)) -> Batch:
    numbers, positions = molecules.pad()
    species = torch.zeros_like(numbers)
    for index, charge in enumerate(elements):
        species[numbers == charge] = index
    return Batch(species, positions, numbers > 0)


def energies(network: HipNNNetwork, molecules: Molecules) -> Tensor:
    return network(batch_of(molecules, network.elements)).energies
