"""Training steps of our DimeNet++ beside PyG's: a part of `onekcal bench speed`.

Both sides get the same batches, initial weights, optimiser and loss. The energies of the first
batch at the initial weights are compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from onekcal.bench.speed.contest import Contest
from onekcal.bench.speed.paired_atoms import PairedAtoms, paired
from onekcal.bench.speed.steps import squared_turn, steps_of
from onekcal.data.dataset import Dataset
from onekcal.networks.dimenet import DimeNetNetwork

STEPS = 4
"""Steps a turn."""

Layer = Any
"""A module of torch, whose attributes have no types."""


def dimenet_training(known: Dataset, asked: Dataset) -> Iterator[Contest]:
    """Contest of training steps of DimeNet++ in its published shape, cut off at 5 Å.

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
    steps, elements = steps_of(known)[:STEPS], tuple(known.molecules.elements)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        ours = DimeNetNetwork(elements)
        readouts: Layer = ours.readouts
        for readout in readouts:  # 0 as published: nothing could be compared
            torch.nn.init.normal_(readout.last.weight, std=0.05)
    ours.begin(known)
    unit, peer = float(ours.per_atom[1]), dimenet_peer(ours)
    contestants = {
        "onekcal": squared_turn(
            ours, lambda batch: ours(batch).energies, [s.batch for s in steps], steps, unit
        )
    }
    if peer is not None:
        graphs = [paired(step, ours.cutoff) for step in steps]
        contestants["PyG"] = squared_turn(
            *peer, [(graph, *triplets_of(graph)) for graph in graphs], steps, unit
        )
    yield Contest(
        "training step, DimeNet++",
        "molecules/s",
        sum(len(s.energies) for s in steps),
        contestants,
        note="PyG's layers, which are given pairs and triplets: its own search for them is not in "
        "its wheel",
    )


def triplets_of(graph: PairedAtoms) -> tuple[Tensor, Tensor]:
    """Find the messages k → j and j → i of every triplet.

    Parameters
    ----------
    graph
        Atoms and pairs; the message of a pair is j → i.

    Returns
    -------
    tuple of Tensor
        Row numbers of pairs, (T,) each.
    """
    order = graph.i.argsort(stable=True)
    count = torch.bincount(graph.i, minlength=len(graph.numbers))
    heard = count[graph.j]  # (pairs,) messages to the sender of each
    ji = torch.arange(len(heard)).repeat_interleave(heard)
    first = (count.cumsum(0) - count)[graph.j] - (heard.cumsum(0) - heard)
    kj = order[torch.arange(len(ji)) + first.repeat_interleave(heard)]
    apart = graph.j[kj] != graph.i[ji]
    return kj[apart], ji[apart]


def dimenet_peer(
    ours: DimeNetNetwork,
) -> tuple[torch.nn.Module, Callable[[tuple[PairedAtoms, Tensor, Tensor]], Tensor]] | None:
    """Build PyG's DimeNet++ with our weights.

    Parameters
    ----------
    ours
        Our network.

    Returns
    -------
    tuple or None
        The module, and a function from a graph and its triplets to energies (B,) kcal/mol;
        None where PyG is not installed.
    """
    try:
        import sympy  # noqa: F401 - PyG makes its bases with it
        from torch_geometric.nn.models import DimeNetPlusPlus
    except ImportError:
        return None
    block: Layer = ours.interactions[0]
    readout: Layer = ours.readouts[0]
    peer = DimeNetPlusPlus(
        block.up.out_features,
        1,
        len(ours.interactions),
        block.up.in_features,
        block.radial1.out_features,
        readout.up.out_features,
        ours.degrees,
        ours.waves,
        ours.cutoff,
    )
    peer = peer.to(ours.frequencies.dtype)
    _dimenet_copy(ours, peer)
    shift, scale = ours.per_atom.tolist()

    def answer(asked: tuple[PairedAtoms, Tensor, Tensor]) -> Tensor:
        graph, kj, ji = asked
        way, atoms = graph.between, len(graph.numbers)
        cosine, sine = (
            (way[ji] * way[kj]).sum(-1),
            torch.linalg.cross(way[ji], way[kj]).norm(dim=-1),
        )
        r = way.norm(dim=-1)
        radial, spherical = peer.rbf(r), peer.sbf(r, torch.atan2(sine, cosine), kj)
        m = peer.emb(graph.numbers, radial, graph.i, graph.j)
        total = peer.output_blocks[0](m, radial, graph.i, atoms)
        for interaction, output in zip(peer.interaction_blocks, peer.output_blocks[1:]):
            m = interaction(m, radial, spherical, kj, ji)
            total = total + output(m, radial, graph.i, atoms)
        each = scale * total.squeeze(-1) + shift
        return each.new_zeros(int(graph.owner[-1]) + 1).index_add(0, graph.owner, each)

    return peer, answer


@torch.no_grad()
def _dimenet_copy(ours: DimeNetNetwork, peer: Layer) -> None:
    """Our weights into PyG's layers."""
    residual = {"lin1": "first", "lin2": "second"}
    names = {
        "rbf.freq": "frequencies",
        "emb.lin_rbf": "embedding.radial",
        "emb.lin": "embedding.whole",
    }
    for k in range(len(ours.readouts)):
        own = {
            "lin_rbf": "radial",
            "lin_up": "up",
            "lin": "last",
            **{f"lins.{j}": f"hidden.{j}" for j in range(3)},
        }
        names |= {
            f"output_blocks.{k}.{theirs}": f"readouts.{k}.{name}" for theirs, name in own.items()
        }
    for k in range(len(ours.interactions)):
        own = {
            "lin_rbf1": "radial1",
            "lin_rbf2": "radial2",
            "lin_sbf1": "spherical1",
            "lin_sbf2": "spherical2",
            "lin_kj": "other",
            "lin_ji": "own",
            "lin_down": "down",
            "lin_up": "up",
            "lin": "skip",
        }
        for theirs, name in (
            ("layers_before_skip.0", "before"),
            ("layers_after_skip.0", "after.0"),
            ("layers_after_skip.1", "after.1"),
        ):
            own |= {f"{theirs}.{one}": f"{name}.{two}" for one, two in residual.items()}
        names |= {
            f"interaction_blocks.{k}.{theirs}": f"interactions.{k}.{name}"
            for theirs, name in own.items()
        }
    found, mine = dict(peer.named_parameters()), dict(ours.named_parameters())
    for theirs, name in names.items():
        for kind in ("", ".weight", ".bias"):
            if name + kind in mine:
                found.pop(theirs + kind).copy_(mine[name + kind])
    found.pop("emb.emb.weight")[list(ours.elements)] = ours.embedding.atoms
    assert not found, f"not copied: {sorted(found)}"
