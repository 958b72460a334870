"""Training steps of our SchNet beside PyG's and SchNetPack's: a part of `onekcal bench speed`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import torch
from torch import Tensor

from onekcal.bench.speed.contest import Contest
from onekcal.bench.speed.paired_atoms import PairedAtoms, paired
from onekcal.bench.speed.steps import squared_turn, steps_of
from onekcal.data.dataset import Dataset
from onekcal.networks.schnet import SchNetNetwork

SCHNET: dict[str, Any] = {"features": 128, "interactions": 6, "cutoff": 5.0, "gaussians": 50}
"""Å."""


def schnet_training(known: Dataset, asked: Dataset) -> Iterator[Contest]:
    """Contest of training steps of SchNet.

    It has 128 features, 6 interactions and 50 Gaussians, and is cut off at 5 Å.

    Parameters
    ----------
    known
        Molecules to learn from.
    asked
        Molecules to ask for.

    Yields
    ------
    Contest
        One contest.
    """
    steps, elements = steps_of(known), tuple(known.molecules.elements)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        ours = SchNetNetwork(elements, **SCHNET)
    ours.begin(known)
    graphs = [paired(step, SCHNET["cutoff"]) for step in steps]
    unit = float(ours.per_atom[1])
    peers = {
        name: peer
        for name, peer in (("PyG", pyg_peer(ours)), ("SchNetPack", schnetpack_peer(ours)))
        if peer
    }
    contestants = {
        "onekcal": squared_turn(
            ours, lambda batch: ours(batch).energies, [s.batch for s in steps], steps, unit
        )
    }
    for name, (module, answer) in peers.items():
        contestants[name] = squared_turn(module, answer, graphs, steps, unit)
    yield Contest(
        "training step, SchNet, 128 features × 6",
        "molecules/s",
        sum(len(s.energies) for s in steps),
        contestants,
        note="peers are given their pairs and distances",
    )


Peer = tuple[torch.nn.Module, Callable[[PairedAtoms], Tensor]]
"""A module, and how it answers energies (B,) kcal/mol."""


def pyg_peer(ours: SchNetNetwork) -> Peer | None:
    """Build PyG's SchNet with our weights.

    Parameters
    ----------
    ours
        Our network.

    Returns
    -------
    Peer or None
        None where PyG is not installed.
    """
    try:
        from torch_geometric.nn.models import SchNet
    except ImportError:
        return None
    pairs: list[tuple[Tensor, Tensor]] = []
    shift, scale = ours.per_atom.tolist()
    peer = SchNet(
        *_schnet_shape(ours),
        interaction_graph=lambda positions, owner: pairs[-1],
        mean=shift,
        std=scale,
    )
    _copied(
        peer,
        {"lin1": ours.o1, "lin2": ours.o2},
        ours,
        {"mlp.0": "filter1", "mlp.2": "filter2", "conv.lin1": "u1", "conv.lin2": "u2", "lin": "u3"},
    )
    with torch.no_grad():
        peer.embedding.weight[list(ours.elements)] = ours.embedding.weight

    def answer(graph: PairedAtoms) -> Tensor:
        pairs[:] = [(torch.stack([graph.j, graph.i]), graph.between.norm(dim=-1))]
        return peer(graph.numbers, graph.positions, graph.owner).squeeze(-1)

    return peer, answer


def schnetpack() -> tuple[Any, Any, Any] | None:
    """Import SchNetPack.

    Returns
    -------
    tuple or None
        Its modules `atomistic`, `nn` and `representation`; None where it is not installed.
    """
    from torch.utils.data import dataloader

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # SchNetPack 2.1 imports this name, which torch 2.13 no longer has
        if not hasattr(dataloader, "T_co"):
            dataloader.T_co = TypeVar("T_co", covariant=True)  # type: ignore[attr-defined]
        try:
            from schnetpack import atomistic, nn, representation
        except ImportError:
            return None
    return atomistic, nn, representation


def schnetpack_peer(ours: SchNetNetwork) -> Peer | None:
    """Build SchNetPack's SchNet with our weights.

    Parameters
    ----------
    ours
        Our network.

    Returns
    -------
    Peer or None
        None where SchNetPack is not installed.
    """
    there = schnetpack()
    if there is None:
        return None
    atomistic, nn, representation = there
    features, _, interactions, gaussians, cutoff = _schnet_shape(ours)
    body = representation.SchNet(
        features, interactions, nn.GaussianRBF(gaussians, cutoff), nn.CosineCutoff(cutoff)
    )
    head = atomistic.Atomwise(
        features, n_layers=2, activation=nn.shifted_softplus, output_key="energy"
    )
    _copied(head.outnet, {"0": ours.o1, "1": ours.o2}, ours, {})
    _copied(
        body,
        {},
        ours,
        {
            "filter_network.0": "filter1",
            "filter_network.1": "filter2",
            "in2f": "u1",
            "f2out.0": "u2",
            "f2out.1": "u3",
        },
    )
    with torch.no_grad():
        body.embedding.weight[list(ours.elements)] = ours.embedding.weight
    shift, scale = ours.per_atom.tolist()

    def answer(graph: PairedAtoms) -> Tensor:
        count = int(graph.owner[-1]) + 1
        outputs = head(
            body(
                {
                    "_atomic_numbers": graph.numbers,
                    "_Rij": graph.between,
                    "_idx_i": graph.i,
                    "_idx_j": graph.j,
                    "_idx_m": graph.owner,
                    "_n_atoms": torch.bincount(graph.owner, minlength=count),
                }
            )
        )
        return scale * outputs["energy"].view(-1) + shift * torch.bincount(
            graph.owner, minlength=count
        )

    return torch.nn.ModuleList([body, head]), answer


def _schnet_shape(ours: SchNetNetwork) -> tuple[int, int, int, int, float]:
    """Features, filters, interactions, Gaussians, cut-off (Å)."""
    features = ours.embedding.weight.shape[1]
    return features, features, len(ours.interactions), len(ours.filters.mu), ours.filters.cutoff


@torch.no_grad()
def _copied(
    peer: torch.nn.Module,
    ends: dict[str, torch.nn.Module],
    ours: SchNetNetwork,
    layers: dict[str, str],
) -> None:
    """Copy our weights to a peer's `ends` and, in interactions, `layers` (its name → ours)."""
    parameters = dict(peer.named_parameters())
    weights: dict[str, Tensor] = {
        f"{name}.{kind}": p for name, layer in ends.items() for kind, p in layer.named_parameters()
    }
    f = ours.filters
    for t, interaction in enumerate(ours.interactions):
        filters = {
            "filter1": {"weight": f.v1[t], "bias": f.c1[t, 0]},
            "filter2": {"weight": f.v2[t], "bias": f.c2[t, 0]},
        }
        for theirs, name in layers.items():
            own = (
                filters[name]
                if name in filters
                else dict(interaction.get_submodule(name).named_parameters())
            )
            weights |= {f"interactions.{t}.{theirs}.{kind}": p for kind, p in own.items()}
    for name, value in weights.items():
        parameters[name].copy_(value)
