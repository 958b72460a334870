"""Optimisers, and the moving average of weights."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from onekcal.networks.training.settings import Settings

if TYPE_CHECKING:
    from onekcal.networks.network import Network


def optimizer(network: Network, settings: Settings) -> torch.optim.Optimizer:
    """Return Adam, AdamW or SGD with Nesterov momentum.

    Decoupled weight decay acts on `network.decayed()` alone.

    Parameters
    ----------
    network
        The network whose parameters are optimised.
    settings
        The keys of `fit`.
    """
    decayed = {id(parameter) for parameter in network.decayed()}
    wanted = [parameter for parameter in network.parameters() if parameter.requires_grad]
    groups: list[dict[str, object]] = [
        {"params": [p for p in wanted if id(p) in decayed], "weight_decay": settings.weight_decay},
        {"params": [p for p in wanted if id(p) not in decayed], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if settings.optimizer == "sgd":
        return torch.optim.SGD(
            groups, lr=settings.rate, momentum=settings.momentum, nesterov=settings.momentum > 0
        )
    kind = torch.optim.AdamW if settings.optimizer == "adamw" else torch.optim.Adam
    # fused: one kernel for many small tensors
    return kind(groups, lr=settings.rate, betas=settings.betas, fused=True)


class Average:
    """An exponential moving average of a network's weights and statistics: a ← d·a + (1 − d)·w.

    d = min(decay, (1 + t)/(10 + t)) after t steps. It is smaller at first, so that the initial
    weights are forgotten.

    Parameters
    ----------
    network
        The network that is followed.
    decay
        Largest d.
    """

    def __init__(self, network: Network, decay: float) -> None:
        self.network, self.decay = copy.deepcopy(network), decay
        self.weights: list[tuple[Tensor, Tensor]] = list(
            zip(self.network.parameters(), network.parameters())
        )
        followed = {id(tensor) for tensor in network.statistics()}
        pairs: list[tuple[Tensor, Tensor]] = list(zip(self.network.buffers(), network.buffers()))
        self.weights += [pair for pair in pairs if id(pair[1]) in followed]
        self.buffers = [pair for pair in pairs if id(pair[1]) not in followed]

    @torch.no_grad()
    def update(self, steps: int) -> None:
        """Take in the network's weights; buffers that are no statistics are copied.

        Parameters
        ----------
        steps
            Steps of the optimiser so far.
        """
        decay = min(self.decay, (1 + steps) / (10 + steps))
        for mine, theirs in self.weights:
            mine.lerp_(theirs, 1 - decay)
        for kept, new in self.buffers:
            kept.copy_(new)
