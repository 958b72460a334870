"""A small real network for the tests of the engine, and the command line with it as the model
`pairs`.

E = Σ_{i≠j} f(r_ij, Z_i, Z_j) with f a perceptron of one hidden layer, cut off smoothly at 4 Å.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from onekcal.models.registry import MODELS
from onekcal.networks.model import NetworkModel
from onekcal.networks.network import Batch, Network, Output
from onekcal.networks.pairs import pair_distances, pair_mask

CUTOFF = 4.0  # Å


class PairNetwork(Network):
    def __init__(self, elements: tuple[int, ...], width: int, blind: bool = False) -> None:
        super().__init__()
        self.elements, self.blind = elements, blind
        self.embedding = torch.nn.Embedding(len(elements), 4)
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(16, width), torch.nn.SiLU(), torch.nn.Linear(width, 1)
        )
        self.register_buffer("centres", torch.linspace(0.5, CUTOFF, 8))

    def forward(self, batch: Batch) -> Output:
        apart = pair_distances(batch)  # (B, n, n)
        near = torch.exp(-2.0 * (apart[..., None] - self.centres).square())  # (B, n, n, 8)
        charge = self.embedding(batch.species)  # (B, n, 4)
        both = (
            charge[:, :, None] + charge[:, None],
            charge[:, :, None] * charge[:, None],
        )  # (B, n, n, 4)
        each = self.layers(torch.cat([near, *both], -1)).squeeze(-1)  # (B, n, n)
        cut = torch.where(apart < CUTOFF, torch.cos(torch.pi / 2 * apart / CUTOFF).square(), 0.0)
        return Output(
            (each * cut * self.counted(batch)).sum((1, 2)), terms={"atoms": batch.mask.sum(1)}
        )

    def counted(self, batch: Batch) -> Tensor:
        """Which pairs count; a blind network counts those with padding too."""
        return torch.ones_like(pair_mask(batch)) if self.blind else pair_mask(batch)


class PairModel(NetworkModel):
    def __init__(
        self,
        width: int = 16,
        blind: bool = False,
        fit: dict[str, Any] | None = None,
        seed: int = 0,
        dtype: str = "float64",
    ) -> None:
        super().__init__(fit, seed, dtype)
        self.width, self.blind = width, blind

    def network(self, elements: tuple[int, ...]) -> Network:
        return PairNetwork(elements, self.width, self.blind)


if __name__ == "__main__":
    from onekcal.cli.main import main

    MODELS["pairs"] = "support.pair_network:PairModel"
    main()
