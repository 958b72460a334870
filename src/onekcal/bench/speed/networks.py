"""Training steps of our networks beside those of their peers, in one process: what `onekcal bench speed` measures of them.

Both sides get the same batches, already in memory, the same initial weights, the same optimiser and the same loss. What is
compared is the energies of the first batch at the initial weights.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

from onekcal.bench.speed.contest import Contest, Contestant
from onekcal.data.dataset import Dataset
from onekcal.networks.hipnn import HipNNNetwork
from onekcal.networks.network import Batch
from onekcal.networks.schnet import SchNetNetwork
from onekcal.networks.training.batches import Held, shuffled
from onekcal.units import BOHR

BATCH = 64
"""Molecules a step."""
STEPS = 16
"""Steps a turn."""
HIPNN_FEATURES = (80, 40, 20)


class Step(NamedTuple):
    """What one training step reads."""

    batch: Batch
    numbers: Tensor  # (B, n) nuclear charges, 0 where there is no atom
    energies: Tensor  # (B,) kcal/mol


def steps_of(known: Dataset) -> list[Step]:
    """STEPS batches as a training makes them: random molecules of nearly equal size."""
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


# --- HIP-NN beside hippynn -----------------------------------------------------------------------------------------


def hipnn_training(known: Dataset, asked: Dataset) -> Iterator[Contest]:
    """HIP-NN with three on-site layers and 20 sensitivities, cut off at 15 Bohr, at 80, 40 and 20 features."""
    steps, elements = steps_of(known), tuple(known.molecules.elements)
    for features in HIPNN_FEATURES:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = HipNNNetwork(elements, features=features)
        network.begin(known)
        contestants: dict[str, Contestant] = {}
        peer = hipnn_peer(network)  # takes the weights over before they are trained
        contestants["onekcal"] = _hipnn_ours(network, steps)
        if peer is not None:
            contestants["hippynn"] = _hipnn_theirs(peer, float(network.sigma_E), steps)
        yield Contest(
            f"training step, HIP-NN, {features} features",
            "molecules/s",
            sum(len(s.energies) for s in steps),
            contestants,
            note=_hipnn_note(),
        )


def hipnn_loss(wrong: Tensor, penalty: Tensor) -> Tensor:
    """Eq. (14) without L2, of errors in units of σ_E."""
    return wrong.abs().mean() + wrong.square().mean().sqrt() + penalty


def _hipnn_ours(network: HipNNNetwork, steps: list[Step]) -> Contestant:
    with torch.no_grad():
        first = network(steps[0].batch).energies.numpy()
    adam = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], 1e-3, fused=True)

    def turn() -> Any:
        for step in steps:
            out = network(step.batch)
            assert out.penalty is not None
            loss = hipnn_loss((out.energies - step.energies) / network.sigma_E, out.penalty)
            adam.zero_grad()
            loss.backward()
            adam.step()
        return first

    return turn


def _hipnn_theirs(peer: Any, unit: float, steps: list[Step]) -> Contestant:
    with torch.no_grad():
        first = peer(steps[0].numbers, steps[0].batch.positions / BOHR)[0][:, 0].numpy()
    adam = torch.optim.Adam([p for p in peer.parameters() if p.requires_grad], 1e-3, fused=True)

    def turn() -> Any:
        for step in steps:
            energies, hierarchy = peer(step.numbers, step.batch.positions / BOHR)
            loss = hipnn_loss((energies[:, 0] - step.energies) / unit, 1e-2 * hierarchy.mean())
            adam.zero_grad()
            loss.backward()
            adam.step()
        return first

    return turn


def hipnn_peer(ours: HipNNNetwork) -> Any:
    """hippynn's network of the same shape with the same weights, from charges and positions (Bohr); None without hippynn."""
    threads = torch.get_num_threads()
    with contextlib.suppress(ImportError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from hippynn.graphs import GraphModule, inputs, networks, targets

        count = ours.interactions[0].V.shape[1]
        kept = {
            "possible_species": [0, *ours.elements],
            "n_features": ours.interactions[0].V.shape[2],
            "n_sensitivities": count,
            "dist_soft_min": 1.7,
            "dist_soft_max": 10.0,
            "dist_hard_max": ours.r_cut,
            "n_interaction_layers": len(ours.interactions),
            "n_atom_layers": len(ours.onsite[0]),
        }
        entries = inputs.SpeciesNode(db_name="Z"), inputs.PositionsNode(db_name="R")
        node = networks.Hipnn("hipnn", entries, module_kwargs=kept)
        energy = targets.HEnergyNode("energy", node)
        peer = GraphModule(entries, [energy.mol_energy, energy.hierarchicality])
        _hipnn_copy(ours, node.torch_module, energy.torch_module)
        with torch.no_grad():
            _same_threads(threads)
            peer(torch.tensor([[1, 1]]), torch.tensor([[[0.0, 0.0, 0.0], [0.0, 0.0, 1.9]]]))
            _same_threads(threads)
        return peer
    return None


def _same_threads(count: int) -> None:
    """numba takes every core and tells OpenMP, and with it torch, to do the same."""
    with contextlib.suppress(ImportError):
        import numba

        numba.set_num_threads(min(count, numba.config.NUMBA_NUM_THREADS))
    torch.set_num_threads(count)


@torch.no_grad()
def _hipnn_copy(ours: HipNNNetwork, blocks: Any, heads: Any) -> None:
    """Our weights into theirs: V is (b, ν, a) here and (ν, a, b) there."""
    for interaction, onsite, block in zip(ours.interactions, ours.onsite, blocks.blocks):
        base = block[0].base_layer
        base.int_weights.copy_(interaction.V.permute(1, 2, 0))
        base.selfint.load_state_dict(interaction.inner.state_dict())
        base.sensitivity.mu.copy_(interaction.mu[None])
        base.sensitivity.sigma.copy_(interaction.sigma[None])
        _hipnn_residual(interaction.residual, block[0])
        for layer, theirs in zip(onsite, block[1:]):
            theirs.base_layer.load_state_dict(layer.inner.state_dict())
            _hipnn_residual(layer.residual, theirs)
    heads.layers[0].weight.copy_(ours.zeroth[None]).requires_grad_(False)
    for head, theirs in zip(ours.heads.values(), heads.layers[1:]):
        theirs.weight.copy_(head.weight * ours.sigma_E)
        theirs.bias.copy_(head.bias)


def _hipnn_residual(residual: Any, theirs: Any) -> None:
    theirs.res_layer.load_state_dict(residual.outer.state_dict())
    if residual.shortcut is not None:
        theirs.adjust_layer.weight.copy_(residual.shortcut.weight)


def _hipnn_note() -> str:
    try:
        from hippynn import custom_kernels
    except ImportError:
        return ""
    return f"hippynn with its {custom_kernels.CUSTOM_KERNELS_ACTIVE} kernels"


# --- SchNet beside PyG and SchNetPack ------------------------------------------------------------------------------

SCHNET: dict[str, Any] = {"features": 128, "interactions": 6, "cutoff": 5.0, "gaussians": 50}
"""Å."""


class Graph(NamedTuple):
    """A batch as the peers read it, with the pairs they need: they are spared the search for neighbours."""

    numbers: Tensor  # (A,)
    positions: Tensor  # (A, 3) Å
    owner: Tensor  # (A,)
    between: Tensor  # (pairs, 3) Å, r_j − r_i, both ways
    i: Tensor  # (pairs,)
    j: Tensor  # (pairs,)


def graph_of(step: Step, cutoff: float) -> Graph:
    """Every pair of atoms of one molecule nearer than the cut-off (Å)."""
    mask, positions = step.batch.mask, step.batch.positions
    place = (mask.flatten().cumsum(0) - 1).view(mask.shape)  # (B, n) row of each atom
    near = (torch.cdist(positions, positions) < cutoff) & mask[:, :, None] & mask[:, None]
    m, a, b = (near & ~torch.eye(mask.shape[1], dtype=torch.bool)).nonzero(as_tuple=True)
    owner = torch.arange(len(mask))[:, None].expand_as(mask)[mask]
    return Graph(
        step.numbers[mask],
        positions[mask],
        owner,
        positions[m, b] - positions[m, a],
        place[m, a],
        place[m, b],
    )


def schnet_training(known: Dataset, asked: Dataset) -> Iterator[Contest]:
    """SchNet with 128 features, six interactions and 50 Gaussians, cut off at 5 Å."""
    steps, elements = steps_of(known), tuple(known.molecules.elements)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        ours = SchNetNetwork(elements, **SCHNET)
    ours.begin(known)
    graphs = [graph_of(step, SCHNET["cutoff"]) for step in steps]
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


def squared_turn(
    module: torch.nn.Module,
    answer: Callable[[Any], Tensor],
    asked: Sequence[Any],
    steps: list[Step],
    unit: float,
) -> Contestant:
    """STEPS training steps on squared errors in units of `unit` (kcal/mol)."""
    with torch.no_grad():
        first = answer(asked[0]).numpy()
    adam = torch.optim.Adam([p for p in module.parameters() if p.requires_grad], 1e-4, fused=True)

    def turn() -> Any:
        for one, step in zip(asked, steps):
            loss = ((answer(one) - step.energies) / unit).square().mean()
            adam.zero_grad()
            loss.backward()
            adam.step()
        return first

    return turn


Peer = tuple[torch.nn.Module, Callable[[Graph], Tensor]]
"""A module, and how it answers energies (B,) kcal/mol."""


def pyg_peer(ours: SchNetNetwork) -> Peer | None:
    """PyG's SchNet with our weights; None where it is not installed."""
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

    def answer(graph: Graph) -> Tensor:
        pairs[:] = [(torch.stack([graph.j, graph.i]), graph.between.norm(dim=-1))]
        return peer(graph.numbers, graph.positions, graph.owner).squeeze(-1)

    return peer, answer


def schnetpack_peer(ours: SchNetNetwork) -> Peer | None:
    """SchNetPack's SchNet with our weights; None where it is not installed."""
    from torch.utils.data import dataloader

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if not hasattr(
            dataloader, "T_co"
        ):  # SchNetPack 2.1 imports this name, which torch 2.13 no longer has
            dataloader.T_co = TypeVar("T_co", covariant=True)  # type: ignore[attr-defined]
        try:
            from schnetpack import atomistic, nn, representation
        except ImportError:
            return None
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

    def answer(graph: Graph) -> Tensor:
        count = int(graph.owner[-1]) + 1
        found = head(
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
        return scale * found["energy"].view(-1) + shift * torch.bincount(
            graph.owner, minlength=count
        )

    return torch.nn.ModuleList([body, head]), answer


def _schnet_shape(ours: SchNetNetwork) -> tuple[int, int, int, int, float]:
    """Features, filters, interactions, Gaussians, cut-off (Å)."""
    features = ours.embedding.weight.shape[1]
    return features, features, len(ours.interactions), len(ours.filters.mu), ours.filters.cutoff


@torch.no_grad()
def _copied(peer: Any, ends: dict[str, Any], ours: SchNetNetwork, layers: dict[str, str]) -> None:
    """Our weights into a peer's `ends` and, of every interaction, its `layers`: their name → ours."""
    found = dict(peer.named_parameters())
    weights = {
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
        found[name].copy_(value)
