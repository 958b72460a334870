"""Training steps of our 3-D DenseNet beside the same network of torch's own layers.

This is a part of `onekcal bench speed`. Both sides get the same fields, initial weights, optimiser,
loss and precision. The energies of the batch at the initial weights, normalised over that batch,
are compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import relu

from onekcal.bench.speed.contest import Contest, Contestant
from onekcal.data.dataset import Dataset
from onekcal.fields import fields
from onekcal.networks.dense_block import EPSILON, LAST
from onekcal.networks.densenet import DenseNetwork, cpu_multiplies_bfloat16
from onekcal.networks.network import Batch

BLOCKS, GRID, MOLECULES = (16, 16), 14, 32
"""The paper's network and grid, and its molecules on one GPU."""


def densenet_training(known: Dataset, asked: Dataset) -> Iterator[Contest]:
    """Contests of training steps of the (16, 16) network on 14³ voxels of the nuclear potential.

    In the first both sides compute in float32. In the second we compute in bfloat16; torch's layers
    compute in float32, and in bfloat16 with channels last.

    Parameters
    ----------
    known
        Molecules to learn from.
    asked
        Molecules to ask for.

    Yields
    ------
    Contest
        One for each precision.
    """
    some = known[:MOLECULES]
    given, energies = fields(some.molecules, ["nep"], n=GRID), some.energies.float()
    unit = float(energies.std())
    aims = (energies - energies.mean()) / (unit or 1.0)

    def turn(name: str, precision: str) -> Contestant:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            ours = DenseNetwork((), 1, (GRID,) * 3, BLOCKS, together=MOLECULES)
        if name == "onekcal":
            return _turn(ours, given, aims, precision)
        theirs = PlainDenseNet(1, BLOCKS)
        copied(theirs, ours)
        order = LAST if "channels last" in name else torch.contiguous_format
        theirs = theirs.to(memory_format=order)  # type: ignore[call-overload]
        return _turn(theirs, given.contiguous(memory_format=order), aims, precision)

    contests: dict[str, dict[str, str]] = {
        "float32": {"torch": "float32"},
        "bfloat16": {"torch, float32": "float32", "torch, channels last": "bfloat16"},
    }
    for precision, peers in contests.items():
        contestants = {"onekcal": turn("onekcal", precision)}
        contestants |= {name: turn(name, theirs) for name, theirs in peers.items()}
        yield Contest(
            f"training step, 3D-DenseNet {BLOCKS}, {precision}",
            "molecules/s",
            len(some),
            contestants,
            note=_kept(given) if precision == "float32" else f"bfloat16: {instructions()}",
        )


def _kept(given: Tensor) -> str:
    nets = DenseNetwork((), 1, (GRID,) * 3, BLOCKS, together=MOLECULES), PlainDenseNet(1, BLOCKS)
    kept = [kept_bytes(network, given) / 2**20 for network in nets]
    return f"kept between forward and backward: {kept[0]:.0f} MiB, torch {kept[1]:.0f} MiB"


def instructions() -> str:
    """Name the instructions with which this processor multiplies bfloat16."""
    if not cpu_multiplies_bfloat16():
        return "no instructions, so onekcal computes in float32"
    amx = getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)()
    return "AMX" if amx else "instructions of its own, not AMX"


def energies(network: DenseNetwork | PlainDenseNet, given: Tensor) -> Tensor:
    """Compute the energies of fields.

    Parameters
    ----------
    network
        Our network, or the plain one.
    given
        (B, channels, x, y, z) fields.

    Returns
    -------
    Tensor
        (B,) normalised energies.
    """
    return (
        network(as_batch(given)).energies if isinstance(network, DenseNetwork) else network(given)
    )


def _turn(
    network: DenseNetwork | PlainDenseNet, given: Tensor, aims: Tensor, precision: str
) -> Contestant:
    """Training steps of one side."""
    cast = nullcontext() if precision == "float32" else torch.autocast("cpu", torch.bfloat16)
    with torch.no_grad(), cast:
        first = energies(network, given).float().numpy()
    sgd = torch.optim.SGD(
        network.parameters(), lr=1e-3, momentum=0.9, nesterov=True, weight_decay=1e-4
    )

    def turn() -> np.ndarray:
        with cast:
            answer = energies(network, given)
        loss = (answer.float() - aims).abs().mean()
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        return first

    return turn


def kept_bytes(network: DenseNetwork | PlainDenseNet, given: Tensor) -> int:
    """Count the bytes of all tensors that wait for the gradient; weights do not count.

    Parameters
    ----------
    network
        Our network, or the plain one.
    given
        (B, channels, x, y, z) fields.

    Returns
    -------
    int
        Bytes; memory that tensors share counts once.
    """
    weights = {parameter.data_ptr() for parameter in network.parameters()}
    waiting: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            waiting[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        answer = energies(network, given)  # alive while we count, so that no address is used twice
    total = sum(waiting.values())
    del answer
    return total


def as_batch(given: Tensor) -> Batch:
    """Turn fields into a batch of our network, one view each.

    Parameters
    ----------
    given
        (B, channels, x, y, z) fields.

    Returns
    -------
    Batch
        B molecules of one atom without meaning.
    """
    mask = torch.ones(len(given), 1, dtype=torch.bool)
    return Batch(mask.long(), given.new_zeros(len(given), 1, 3), mask, given[:, None])


Layer = Any
"""A module of torch, whose attributes have no types."""


class PlainLayer(torch.nn.Module):
    """One layer of a dense block: its result is appended to its input.

    BatchNorm, ReLU, 1×1×1, BatchNorm, ReLU, 3×3×3.

    Parameters
    ----------
    width
        Channels of the input.
    growth
        Channels of the result.
    hidden
        Channels between the two convolutions.
    """

    def __init__(self, width: int, growth: int, hidden: int) -> None:
        super().__init__()
        self.norm1 = torch.nn.BatchNorm3d(width, EPSILON)
        self.conv1 = torch.nn.Conv3d(width, hidden, 1, bias=False)
        self.norm2 = torch.nn.BatchNorm3d(hidden, EPSILON)
        self.conv2 = torch.nn.Conv3d(hidden, growth, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Append the result to the input.

        Parameters
        ----------
        x
            (B, width, x, y, z).

        Returns
        -------
        Tensor
            (B, width + growth, x, y, z).
        """
        return torch.cat([x, self.conv2(relu(self.norm2(self.conv1(relu(self.norm1(x))))))], 1)


class PlainDenseNet(torch.nn.Module):
    """A 3-D DenseNet of torch's own layers.

    Parameters
    ----------
    channels
        Fields of a molecule.
    blocks
        Layers of each dense block.
    growth
        Channels that a layer adds.
    stem
        Channels of the first convolution.
    bottleneck
        Channels between the convolutions of a layer, over `growth`.
    compression
        The share of channels that a transition keeps.
    """

    def __init__(
        self,
        channels: int,
        blocks: tuple[int, ...],
        growth: int = 12,
        stem: int = 64,
        bottleneck: int = 4,
        compression: float = 0.5,
    ) -> None:
        super().__init__()
        self.stem = torch.nn.Conv3d(channels, stem, 3, padding=1, bias=False)
        self.blocks, self.transitions, width = torch.nn.ModuleList(), torch.nn.ModuleList(), stem
        for k, depth in enumerate(blocks):
            if k:
                out = int(compression * width)
                self.transitions.append(
                    torch.nn.Sequential(
                        torch.nn.BatchNorm3d(width, EPSILON),
                        torch.nn.ReLU(),
                        torch.nn.Conv3d(width, out, 1, bias=False),
                        torch.nn.AvgPool3d(2),
                    )
                )
                width = out
            layers = [
                PlainLayer(width + growth * layer, growth, bottleneck * growth)
                for layer in range(depth)
            ]
            self.blocks.append(torch.nn.Sequential(*layers))
            width += growth * depth
        self.norm = torch.nn.BatchNorm3d(width, EPSILON)
        self.output = torch.nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Compute energies.

        Parameters
        ----------
        x
            (B, channels, x, y, z) fields.

        Returns
        -------
        Tensor
            (B,) normalised energies.
        """
        x = self.stem(x)
        for k, block in enumerate(self.blocks):
            x = block(self.transitions[k - 1](x) if k else x)
        return self.output(relu(self.norm(x)).mean((2, 3, 4)))[:, 0]


def pairs(theirs: Layer, ours: Layer) -> Iterator[tuple[torch.nn.Parameter, torch.nn.Parameter]]:
    """Pair each weight of the plain network with ours, which may have another shape.

    Parameters
    ----------
    theirs
        The plain network.
    ours
        Our network.

    Yields
    ------
    tuple
        Their weight and ours.
    """

    def norm(layer: Layer, gamma: Layer, beta: Layer) -> Iterator[tuple[Layer, Layer]]:
        yield from ((layer.weight, gamma), (layer.bias, beta))

    yield theirs.stem.weight, ours.stem.values
    for block, own in zip(theirs.blocks, ours.blocks):
        for layer, mine in zip(block, own):
            yield from norm(layer.norm1, mine.gamma, mine.beta)
            yield from norm(layer.norm2, mine.hidden_gamma, mine.hidden_beta)
            yield from ((layer.conv1.weight, mine.reduce), (layer.conv2.weight, mine.kernel.values))
    for transition, halving in zip(theirs.transitions, ours.transitions):
        yield from norm(transition[0], halving.gamma, halving.beta)
        yield transition[2].weight, halving.reduce
    yield from norm(theirs.norm, ours.gamma, ours.beta)
    yield from ((theirs.output.weight, ours.output.weight), (theirs.output.bias, ours.output.bias))


@torch.no_grad()
def copied(theirs: PlainDenseNet, ours: DenseNetwork) -> None:
    """Copy our weights into the plain network.

    Parameters
    ----------
    theirs
        The plain network; it is changed.
    ours
        Our network.
    """
    for there, here in pairs(theirs, ours):
        there.copy_(here.view_as(there))
