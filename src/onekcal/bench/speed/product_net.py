"""Our ProductNet beside PaiNN and MACE: a part of `onekcal bench speed`.

These are different networks, so only their speed is compared. All have the same cut-off and get the
same batches; the peers are given their pairs. The geometries are minima of B3LYP, so the labels of
training steps with forces are 0.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from onekcal.bench.speed.contest import Contest, Contestant
from onekcal.bench.speed.paired_atoms import PairedAtoms, paired
from onekcal.bench.speed.schnet import schnetpack
from onekcal.bench.speed.steps import Step, steps_of
from onekcal.data.dataset import Dataset
from onekcal.networks.product_net import ProductNet, ProductNetwork

STEPS = 4
"""Steps a turn."""
PAINN = ((64, 2), (128, 3))
"""Features and layers: as wide and deep as ours, and as published."""
MACE = 64
"""Features and vectors of each atom, two layers, products of three densities up to l = 2."""


class Rival(NamedTuple):
    """A network with its batches.

    Parameters
    ----------
    module
        What is trained.
    answer
        Gives energies (B,) of batch k at its positions.
    positions
        Of each batch, Å.
    """

    module: torch.nn.Module
    answer: Callable[[int, Tensor], Tensor]
    positions: Sequence[Tensor]


def product_net_training(known: Dataset, asked: Dataset) -> Iterator[Contest]:
    """Contests of training steps, with and without forces, and of predictions.

    Parameters
    ----------
    known
        Molecules to learn from.
    asked
        Molecules to ask for.

    Yields
    ------
    Contest
        Energies learned; energies and forces learned; energies and forces predicted.
    """
    steps, elements = steps_of(known)[:STEPS], tuple(known.molecules.elements)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        ours = ProductNet().network(elements)
        rivals = {"onekcal": _ours(ours, steps)}
        graphs = [paired(step, ours.cutoff) for step in steps]
        rivals |= painn_peers(graphs, ours.cutoff) | mace_peer(graphs, elements, ours.cutoff)
    for rival in rivals.values():
        assert rival.answer(0, rival.positions[0]).shape == steps[0].energies.shape
    turns = {
        "training step, ProductNet": _training_turn,
        "training step with forces, ProductNet": _forces_turn,
        "energies and forces, ProductNet": _asking_turn,
    }
    for name, turn in turns.items():
        yield Contest(
            name,
            "molecules/s",
            sum(len(step.energies) for step in steps),
            {who: turn(rival, steps) for who, rival in rivals.items()},
            note=_note(),
            same=False,
        )


def _note() -> str:
    """What the peers are, with their versions."""
    there = []
    for name in ("schnetpack", "mace-torch"):
        try:
            there.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    told = f" ({', '.join(there)})" if there else ""
    return f"other networks{told} with the same cut-off, which are given their pairs"


def _ours(network: ProductNetwork, steps: list[Step]) -> Rival:
    """Our network."""

    def answer(k: int, positions: Tensor) -> Tensor:
        return network(steps[k].batch._replace(positions=positions)).energies

    return Rival(network, answer, [step.batch.positions for step in steps])


def painn_peers(graphs: list[PairedAtoms], cutoff: float) -> dict[str, Rival]:
    """Build SchNetPack's PaiNN; nothing where SchNetPack is not installed.

    Parameters
    ----------
    graphs
        The batches.
    cutoff
        Å.

    Returns
    -------
    dict of str to Rival
        One for each size.
    """
    there = schnetpack()
    if there is None:
        return {}
    atomistic, nn, representation = there
    out = {}
    for features, layers in PAINN:
        body = representation.PaiNN(
            features, layers, nn.GaussianRBF(20, cutoff), nn.CosineCutoff(cutoff)
        )
        head = atomistic.Atomwise(features, n_layers=2, output_key="energy")

        def answer(k: int, positions: Tensor, body: Any = body, head: Any = head) -> Tensor:
            graph = graphs[k]
            count = int(graph.owner[-1]) + 1
            asked = {
                "_atomic_numbers": graph.numbers,
                "_Rij": positions[graph.j] - positions[graph.i],
                "_idx_i": graph.i,
                "_idx_j": graph.j,
                "_idx_m": graph.owner,
                "_n_atoms": torch.bincount(graph.owner, minlength=count),
            }
            return head(body(asked))["energy"].view(-1)

        module = torch.nn.ModuleList([body, head])
        out[f"PaiNN, {features} × {layers}"] = Rival(module, answer, [g.positions for g in graphs])
    return out


def mace_peer(
    graphs: list[PairedAtoms], elements: tuple[int, ...], cutoff: float
) -> dict[str, Rival]:
    """Build MACE; nothing where mace-torch is not installed.

    Parameters
    ----------
    graphs
        The batches.
    elements
        Nuclear charges, ascending.
    cutoff
        Å.

    Returns
    -------
    dict of str to Rival
        One network.
    """
    # e3nn 0.4, which MACE needs, keeps constants that hold slices
    with warnings.catch_warnings(), torch.serialization.safe_globals([slice]):
        warnings.simplefilter("ignore")
        try:
            from e3nn import o3
            from mace import modules
        except ImportError:
            return {}
        block = modules.interaction_classes["RealAgnosticResidualInteractionBlock"]
        network = modules.MACE(
            r_max=cutoff,
            num_bessel=8,
            num_polynomial_cutoff=5,
            max_ell=2,
            interaction_cls=block,
            interaction_cls_first=block,
            num_interactions=2,
            num_elements=len(elements),
            hidden_irreps=o3.Irreps(f"{MACE}x0e + {MACE}x1o"),
            MLP_irreps=o3.Irreps("16x0e"),
            atomic_energies=np.zeros(len(elements)),
            avg_num_neighbors=float(np.mean([len(g.i) / len(g.numbers) for g in graphs])),
            atomic_numbers=list(elements),
            correlation=3,
            gate=torch.nn.functional.silu,
        ).float()
    place = torch.tensor(elements)
    told = [
        {
            "node_attrs": (graph.numbers[:, None] == place).float(),
            "edge_index": torch.stack([graph.j, graph.i]),
            "shifts": torch.zeros(len(graph.i), 3),
            "unit_shifts": torch.zeros(len(graph.i), 3),
            "cell": torch.zeros(3 * (int(graph.owner[-1]) + 1), 3),
            "batch": graph.owner,
            "ptr": torch.cat([torch.zeros(1, dtype=torch.long), graph.owner.bincount().cumsum(0)]),
        }
        for graph in graphs
    ]

    def answer(k: int, positions: Tensor) -> Tensor:
        return network({**told[k], "positions": positions}, compute_force=False)["energy"]

    return {f"MACE, {MACE}": Rival(network, answer, [graph.positions for graph in graphs])}


# --- turns --------------------------------------------------------------------------------------


def _training_turn(rival: Rival, steps: list[Step]) -> Contestant:
    """Steps on the squared errors of energies."""
    return _trained(
        rival, lambda k: (rival.answer(k, rival.positions[k]) - steps[k].energies).square().mean()
    )


def _forces_turn(rival: Rival, steps: list[Step]) -> Contestant:
    """Steps on those of energies and forces."""

    def loss(k: int) -> Tensor:
        positions = rival.positions[k].detach().requires_grad_()
        energies = rival.answer(k, positions)
        (slope,) = torch.autograd.grad(energies.sum(), positions, create_graph=True)
        return (energies - steps[k].energies).square().mean() + slope.square().mean()

    return _trained(rival, loss)


def _trained(rival: Rival, loss: Callable[[int], Tensor]) -> Contestant:
    adam = torch.optim.Adam([p for p in rival.module.parameters() if p.requires_grad], 1e-5)

    def turn() -> np.ndarray:
        for k in range(len(rival.positions)):
            adam.zero_grad()
            loss(k).backward()
            adam.step()
        return np.zeros(1)

    return turn


def _asking_turn(rival: Rival, steps: list[Step]) -> Contestant:
    """Energies and forces of every batch."""

    def turn() -> np.ndarray:
        for k, at in enumerate(rival.positions):
            positions = at.detach().requires_grad_()
            torch.autograd.grad(rival.answer(k, positions).sum(), positions)
        return np.zeros(1)

    return turn
