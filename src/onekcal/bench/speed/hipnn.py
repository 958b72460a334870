"""Training steps of our HIP-NN beside hippynn's: a part of `onekcal bench speed`."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from onekcal.bench.speed.contest import Contest, Contestant
from onekcal.bench.speed.steps import Step, steps_of
from onekcal.data.dataset import Dataset
from onekcal.networks.hipnn import HipNNNetwork
from onekcal.units import BOHR

HIPNN_FEATURES = (80, 40, 20)

Layer = Any
"""A module of torch or hippynn, whose attributes have no types."""


def hipnn_training(known: Dataset, asked: Dataset) -> Iterator[Contest]:
    """Contests of training steps of HIP-NN with 80, 40 and 20 features.

    It has three on-site layers and 20 sensitivities, and is cut off at 15 Bohr.

    Parameters
    ----------
    known
        Molecules to learn from.
    asked
        Molecules to ask for.

    Yields
    ------
    Contest
        One for each number of features.
    """
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
    """Compute the loss of eq. (14) without L2.

    Parameters
    ----------
    wrong
        (B,) errors in units of σ_E.
    penalty
        The penalty on the hierarchy.

    Returns
    -------
    Tensor
        One number.
    """
    return wrong.abs().mean() + wrong.square().mean().sqrt() + penalty


def _hipnn_ours(network: HipNNNetwork, steps: list[Step]) -> Contestant:
    with torch.no_grad():
        first = network(steps[0].batch).energies.numpy()
    adam = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], 1e-3, fused=True)

    def turn() -> np.ndarray:
        for step in steps:
            out = network(step.batch)
            assert out.penalty is not None
            loss = hipnn_loss((out.energies - step.energies) / network.sigma_E, out.penalty)
            adam.zero_grad()
            loss.backward()
            adam.step()
        return first

    return turn


def _hipnn_theirs(peer: Layer, unit: float, steps: list[Step]) -> Contestant:
    with torch.no_grad():
        first = peer(steps[0].numbers, steps[0].batch.positions / BOHR)[0][:, 0].numpy()
    adam = torch.optim.Adam([p for p in peer.parameters() if p.requires_grad], 1e-3, fused=True)

    def turn() -> np.ndarray:
        for step in steps:
            energies, hierarchy = peer(step.numbers, step.batch.positions / BOHR)
            loss = hipnn_loss((energies[:, 0] - step.energies) / unit, 1e-2 * hierarchy.mean())
            adam.zero_grad()
            loss.backward()
            adam.step()
        return first

    return turn


def hipnn_peer(ours: HipNNNetwork) -> Layer | None:
    """Build hippynn's network with our shape and weights.

    Parameters
    ----------
    ours
        Our network.

    Returns
    -------
    module or None
        It takes nuclear charges and positions (Bohr); None where hippynn is not installed.
    """
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
def _hipnn_copy(ours: HipNNNetwork, blocks: Layer, heads: Layer) -> None:
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


def _hipnn_residual(residual: Layer, theirs: Layer) -> None:
    theirs.res_layer.load_state_dict(residual.outer.state_dict())
    if residual.shortcut is not None:
        theirs.adjust_layer.weight.copy_(residual.shortcut.weight)


def _hipnn_note() -> str:
    try:
        from hippynn import custom_kernels
    except ImportError:
        return ""
    return f"hippynn with its {custom_kernels.CUSTOM_KERNELS_ACTIVE} kernels"
