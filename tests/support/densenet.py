"""A small 3-D DenseNet, fields for it, and a fitted one."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from onekcal.bench.speed.densenet import as_batch
from onekcal.networks.densenet import DenseNetwork
from onekcal.networks.voxels import VoxelDenseNet
from support.molecules import wobbly

SMALL: dict[str, Any] = {
    "kinds": "nep",
    "grid": 8,
    "box": 6.0,
    "blocks": [2, 1],
    "growth": 4,
    "stem": 8,
}
MOMENT: dict[str, Any] = {
    "recipe": "onecycle",
    "epochs": 3,
    "batch": 8,
    "rate": 5e-3,
    "window": 1,
    "checkpoint": 0.0,
}


def network(grid: int = 6, channels: int = 2, seed: int = 0, **settings: Any) -> DenseNetwork:
    """In float64, with random γ and β: ones and zeros would hide a forgotten one."""
    torch.manual_seed(seed)
    settings = {"blocks": (3, 2), "growth": 3, "stem": 5, "bottleneck": 2, **settings}
    made = DenseNetwork((1, 6), channels, (grid,) * 3, **settings)
    for parameter in made.parameters():
        if parameter.ndim == 1:
            torch.nn.init.normal_(parameter, 0.5, 0.5)
    return made.double()


def given(count: int = 6, channels: int = 2, grid: int = 6, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, channels, grid, grid, grid, generator=generator, dtype=torch.float64)


def energies(net: DenseNetwork, x: Tensor) -> Tensor:
    return net(as_batch(x)).energies


def fitted(
    data: Any = None, valid: int = 0, fit: dict[str, Any] = MOMENT, **settings: Any
) -> VoxelDenseNet:
    data = wobbly(24, seed=1) if data is None else data
    return VoxelDenseNet(**{**SMALL, "fit": fit, **settings}).fit(data, data[:valid])
