"""DimeNet++ of float64 for tests."""

from __future__ import annotations

import torch
from torch import Tensor

from onekcal.molecules import Molecules
from onekcal.networks.dimenet import DimeNetNetwork
from onekcal.networks.network import Batch

ELEMENTS = (1, 6, 7, 8)
CUTOFF = 3.0  # Å
SMALL = {
    "features": 12,
    "blocks": 2,
    "triplet": 6,
    "basis": 5,
    "output": 10,
    "degrees": 4,
    "waves": 3,
    "cutoff": CUTOFF,
}


def network(seed: int = 0, **sizes: int) -> DimeNetNetwork:
    """Untrained, in float64, with random biases and outputs: zeros would hide a forgotten one."""
    torch.manual_seed(seed)
    made = DimeNetNetwork(ELEMENTS, **{**SMALL, **sizes})
    with torch.no_grad():
        for parameter in made.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.3)
    return made.double()


def batch(molecules: Molecules) -> Batch:
    numbers, positions = molecules.pad()
    species = (numbers[..., None] == torch.tensor(ELEMENTS)).int().argmax(-1)
    return Batch(species, positions, numbers > 0)


def energies(model: DimeNetNetwork, molecules: Molecules) -> Tensor:
    return model(batch(molecules)).energies


def pull(net: DimeNetNetwork, molecules: Molecules) -> Tensor:
    positions = molecules.positions.clone().requires_grad_(True)
    return -torch.autograd.grad(energies(net, molecules.moved(positions)).sum(), positions)[0]
