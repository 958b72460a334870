"""Training steps that we and a peer do in turn.

Both sides get the same batches, already in memory, the same initial weights, the same optimiser and
the same loss. The energies of the first batch at the initial weights are compared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from onekcal.bench.speed.contest import Contestant
from onekcal.data.dataset import Dataset
from onekcal.networks.network import Batch
from onekcal.networks.training.batches import Held, shuffled

Asked = TypeVar("Asked")

BATCH = 64
"""Molecules a step."""
STEPS = 16
"""Steps a turn."""


class Step(NamedTuple):
    """One batch as a training step reads it.

    Parameters
    ----------
    batch
        B molecules of at most n atoms.
    numbers
        (B, n) nuclear charges, 0 where there is no atom.
    energies
        (B,) kcal/mol.
    """

    batch: Batch
    numbers: Tensor
    energies: Tensor


def steps_of(known: Dataset) -> list[Step]:
    """Make STEPS batches as a training makes them: random molecules of nearly equal size.

    Parameters
    ----------
    known
        The molecules with their energies.

    Returns
    -------
    list of Step
        The batches.
    """
    elements = known.molecules.elements
    held = Held.of(known, elements, torch.device("cpu"), torch.float32, forces=False)
    out = []
    for rows in shuffled(held.sizes, BATCH, None, STEPS, torch.Generator().manual_seed(0))[:STEPS]:
        batch, there = held.batch(rows)
        out.append(
            Step(
                batch,
                torch.tensor(elements)[batch.species] * batch.mask,
                held.energies[there].float(),
            )
        )
    return out


def squared_turn(
    module: torch.nn.Module,
    answer: Callable[[Asked], Tensor],
    asked: Sequence[Asked],
    steps: list[Step],
    unit: float,
) -> Contestant:
    """Training steps on squared errors, one for each of `asked`.

    Parameters
    ----------
    module
        What is trained.
    answer
        Gives energies (B,) kcal/mol of one of `asked`.
    asked
        A batch for every step, as the module reads it.
    steps
        The same batches with their labels.
    unit
        kcal/mol, by which errors are divided.

    Returns
    -------
    Contestant
        Does the steps once, and returns the energies of the first batch at the initial weights.
    """
    with torch.no_grad():
        first = answer(asked[0]).numpy()
    adam = torch.optim.Adam([p for p in module.parameters() if p.requires_grad], 1e-4, fused=True)

    def turn() -> np.ndarray:
        for one, step in zip(asked, steps):
            loss = ((answer(one) - step.energies) / unit).square().mean()
            adam.zero_grad()
            loss.backward()
            adam.step()
        return first

    return turn
