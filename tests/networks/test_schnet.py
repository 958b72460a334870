"""SchNet: its equations word for word, its peers' outputs, symmetries, smoothness, forces."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from onekcal.errors import ConfigError, InputError
from onekcal.molecules import Molecules
from onekcal.networks.filters import (
    Convolve,
    Interpolate,
    Places,
    Products,
    Spread,
    coefficients,
    distances,
    separations,
)
from onekcal.networks.filters import knots as positions_of_knots
from onekcal.networks.network import Batch
from onekcal.networks.schnet import Filters, SchNet, SchNetNetwork
from support.molecules import wobbly

ELEMENTS = (1, 6, 7, 8)
CUTOFF = 3.0  # Å


def network(
    knots: int = 5, seed: int = 0, interactions: int = 2, features: int = 12, gaussians: int = 20
) -> SchNetNetwork:
    """Untrained, in float64, with random biases.

    Xavier weights alone would hide a forgotten one.
    """
    torch.manual_seed(seed)
    made = SchNetNetwork(ELEMENTS, features, interactions, CUTOFF, gaussians, knots)
    with torch.no_grad():
        for parameter in made.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.3)
    if knots:
        made.worth = 0  # however few pairs there are
    return made.double()


def batch(molecules: Molecules) -> Batch:
    numbers, positions = molecules.pad()
    species = (numbers[..., None] == torch.tensor(ELEMENTS)).int().argmax(-1)
    return Batch(species, positions, numbers > 0)


def energies(model: SchNetNetwork, molecules: Molecules) -> Tensor:
    return model(batch(molecules)).energies


# --- the equations ----------------------------------------------------------------------------


def by_the_letter(net: SchNetNetwork, molecule: Molecules) -> float:
    """The equations of the model's file for one molecule, atom by atom and pair by pair."""

    def ssp(x: Tensor) -> Tensor:
        return torch.log(0.5 * torch.exp(x) + 0.5)

    found, centres = net.filters, torch.linspace(0, CUTOFF, 20, dtype=torch.float64)
    delta = CUTOFF / 19
    x = [net.embedding.weight[ELEMENTS.index(int(z))] for z in molecule.numbers]
    for t, layer in enumerate(net.interactions):
        new = []
        for i in range(len(x)):
            v = torch.zeros_like(x[0])
            for j in range(len(x)):
                r = float((molecule.positions[i] - molecule.positions[j]).norm())
                if i == j or r >= CUTOFF:
                    continue
                g = torch.tensor(
                    [math.exp(-((r - float(mu)) ** 2) / (2 * delta**2)) for mu in centres],
                    dtype=torch.float64,
                )
                w = found.v2[t] @ ssp(found.v1[t] @ g + found.c1[t, 0]) + found.c2[t, 0]
                v = v + 0.5 * (math.cos(math.pi * r / CUTOFF) + 1) * w * (layer.u1.weight @ x[j])
            new.append(
                x[i] + layer.u3.weight @ ssp(layer.u2.weight @ v + layer.u2.bias) + layer.u3.bias
            )
        x = new
    shift, scale = net.per_atom.tolist()
    return sum(
        shift + scale * float(net.o2.weight @ ssp(net.o1.weight @ one + net.o1.bias) + net.o2.bias)
        for one in x
    )


@pytest.mark.parametrize("knots", [0, 5])
def test_energies_are_those_of_the_equations(knots: int) -> None:
    """1e-6 is the error of the table.

    Evaluated at every pair, the error is rounding alone, mostly of the centres, which are first
    kept in float32.
    """
    net, data = network(knots), wobbly(4, seed=3)
    net.begin(data)
    with torch.no_grad():
        expected = torch.tensor(
            [by_the_letter(net, molecule) for molecule in data.molecules], dtype=torch.float64
        )
        ours = energies(net, data.molecules)
    assert torch.allclose(ours, expected, rtol=1e-6, atol=0)


def test_energies_are_those_of_a_peer_with_the_same_weights() -> None:
    peer_module = pytest.importorskip("torch_geometric.nn.models")
    net = network(interactions=3)
    net.begin(wobbly(8))
    shift, scale = net.per_atom.tolist()
    molecules = wobbly(12, seed=4).molecules

    def neighbours(positions: Tensor, owner: Tensor) -> tuple[Tensor, Tensor]:
        apart = (positions[:, None] - positions).norm(dim=-1)
        near = (
            (owner[:, None] == owner) & (apart < CUTOFF) & ~torch.eye(len(owner), dtype=torch.bool)
        )
        i, j = near.nonzero(as_tuple=True)
        return torch.stack([j, i]), apart[i, j]

    peer = peer_module.SchNet(
        12, 12, 3, 20, CUTOFF, interaction_graph=neighbours, mean=shift, std=scale
    ).double()
    mine, theirs = net.filters, dict(peer.named_parameters())
    copied = {
        "lin1.weight": net.o1.weight,
        "lin1.bias": net.o1.bias,
        "lin2.weight": net.o2.weight,
        "lin2.bias": net.o2.bias,
    }
    for t, layer in enumerate(net.interactions):
        copied |= {
            f"interactions.{t}.{name}": value
            for name, value in {
                "mlp.0.weight": mine.v1[t],
                "mlp.0.bias": mine.c1[t, 0],
                "mlp.2.weight": mine.v2[t],
                "mlp.2.bias": mine.c2[t, 0],
                "conv.lin1.weight": layer.u1.weight,
                "conv.lin2.weight": layer.u2.weight,
                "conv.lin2.bias": layer.u2.bias,
                "lin.weight": layer.u3.weight,
                "lin.bias": layer.u3.bias,
            }.items()
        }
    assert set(copied) == set(theirs) - {"embedding.weight"}
    with torch.no_grad():
        peer.embedding.weight[list(ELEMENTS)] = net.embedding.weight
        for name, value in copied.items():
            theirs[name].copy_(value)
        expected = peer(molecules.numbers, molecules.positions, molecules.owner).squeeze(-1)
        assert torch.allclose(energies(net, molecules), expected, rtol=1e-5, atol=0)


def test_parameters_are_as_many_as_the_layers_have() -> None:
    net = SchNetNetwork((1, 6, 7, 8, 9), 128, 6, 5.0, 50)
    filters = 50 * 128 + 128 + 128 * 128 + 128
    atomwise = 128 * 128 + 2 * (128 * 128 + 128)
    output = 128 * 64 + 64 + 64 + 1
    assert sum(p.numel() for p in net.parameters()) == 5 * 128 + 6 * (filters + atomwise) + output


# --- the table --------------------------------------------------------------------------------


def tabulated(filters: Filters, r: Tensor, knots: int, gaussians: int) -> Tensor:
    last = knots * (gaussians - 1)
    step = filters.cutoff / last
    places = Places(r, step, last)
    tables = coefficients(filters(positions_of_knots(step, last, r)), last)
    return torch.stack([Interpolate.apply(r, table, places, 0) for table in tables])


@pytest.mark.parametrize("steeper", [1.0, 3.0])
def test_interpolated_filters_are_within_a_millionth_of_the_exact_ones(steeper: float) -> None:
    """At the published size; a trained first layer is steeper than an untrained one.

    Two knots a Gaussian are too few.
    """
    torch.manual_seed(0)
    filters = Filters(128, 2, 5.0, 50).double()
    r = torch.linspace(0.01, 5.4, 3001, dtype=torch.float64)
    with torch.no_grad():
        filters.v1.mul_(steeper)
        exact = filters(r) * (r < 5.0)[:, None]
        largest = exact.abs().max()
        assert (tabulated(filters, r, 5, 50) - exact).abs().max() < 1e-6 * largest
        assert (tabulated(filters, r, 1, 50) - exact).abs().max() > 1e-5 * largest


def test_gradients_reach_the_filter_network_through_the_table() -> None:
    torch.manual_seed(0)
    filters = Filters(16, 2, 5.0, 50).double()
    r = torch.linspace(0.5, 5.2, 200, dtype=torch.float64)
    upstream = torch.randn(2, 200, 16, dtype=torch.float64)
    found = []
    for values in (tabulated(filters, r, 5, 50), filters(r) * (r < 5.0)[:, None]):
        found.append(torch.autograd.grad((values * upstream).sum(), list(filters.parameters())))
    for through_table, direct in zip(*found):
        assert (through_table - direct).abs().max() < 1e-6 * direct.abs().max()


def test_gradients_of_the_interpolation_are_its_own() -> None:
    step, last = 0.25, 8
    r = torch.tensor(
        [0.1, 0.3, 0.35, 1.1, 1.95, 2.3], dtype=torch.float64, requires_grad=True
    )  # the last one: beyond
    table = torch.randn(last + 5, 2, dtype=torch.float64, requires_grad=True)
    pairs = torch.randn(6, 2, dtype=torch.float64, requires_grad=True)

    def interpolate(r: Tensor, table: Tensor) -> Tensor:
        return Interpolate.apply(r, table, Places(r, step, last), 0)

    def spread(r: Tensor, pairs: Tensor) -> Tensor:
        return Spread.apply(r, pairs, Places(r, step, last), 1)

    for function, inputs in ((interpolate, (r, table)), (spread, (r, pairs))):
        assert gradcheck(function, inputs)
        assert gradgradcheck(function, inputs)


# --- the convolution --------------------------------------------------------------------------


def test_convolution_is_the_sum_over_the_other_atoms() -> None:
    n, molecules, features = 5, 3, 4
    x = torch.randn(n, molecules, features, dtype=torch.float64)
    filters = torch.randn(10, molecules, features, dtype=torch.float64)
    first, second = separations(n, x.device)
    expected = torch.zeros_like(x)
    for p, (i, j) in enumerate(zip(first.tolist(), second.tolist())):
        expected[i] += filters[p] * x[j]
        expected[j] += filters[p] * x[i]
    assert torch.allclose(Convolve.apply(filters, x), expected)
    assert torch.allclose(Products.apply(x, x), 2 * x[first] * x[second])


@pytest.mark.parametrize("function", [Convolve, Products])
def test_gradients_of_the_convolution_are_its_own(function: type) -> None:
    rows = 6 if function is Convolve else 4
    one = torch.randn(rows, 2, 3, dtype=torch.float64, requires_grad=True)
    x = torch.randn(4, 2, 3, dtype=torch.float64, requires_grad=True)
    assert gradcheck(function.apply, (one, x))
    assert gradgradcheck(function.apply, (one, x))


def test_distances_are_those_between_atoms_and_far_where_one_is_missing(water: Molecules) -> None:
    padded = batch(Molecules.concatenate([water, Molecules.one(["H"], [[0.0, 0.0, 0.0]])]))
    r = distances(padded.positions.transpose(0, 1), padded.mask.T, 99.0)
    assert r.shape == (3, 2)
    assert r[:, 0].tolist() == pytest.approx([0.9578, 1.5144, 0.9578], abs=1e-4)  # O–H, H–H, O–H
    assert r[:, 1].tolist() == [99.0] * 3


# --- symmetries -------------------------------------------------------------------------------

SAME = 1e-9
"""Relative to the energies: float64 sums, in another order or at rounded positions."""


def test_energy_neither_moves_nor_turns_with_the_molecule() -> None:
    net, still = network(), wobbly(8, seed=9).molecules
    turn = torch.from_numpy(Rotation.from_euler("xyz", [0.3, 1.1, -0.8]).as_matrix())
    turned = still.moved(
        still.positions @ turn.T + torch.tensor([3.1, -2.2, 0.7], dtype=torch.float64)
    )
    assert torch.allclose(energies(net, turned), energies(net, still), rtol=SAME)
    stretched = still.moved(1.01 * still.positions)  # the control: this is no rotation
    assert not torch.allclose(energies(net, stretched), energies(net, still), rtol=1e-5)


def test_energy_does_not_depend_on_the_order_of_atoms() -> None:
    net, molecules = network(), wobbly(8, seed=9).molecules
    backwards = Molecules.concatenate(
        [Molecules.one(m.numbers.flip(0).tolist(), m.positions.flip(0).numpy()) for m in molecules]
    )
    assert torch.allclose(energies(net, backwards), energies(net, molecules), rtol=SAME)
    swapped = molecules.moved(
        molecules.positions.flip(0)
    )  # the control: nuclei change places, charges do not
    assert not torch.allclose(energies(net, swapped), energies(net, molecules), rtol=1e-5)


def test_energy_of_two_molecules_out_of_reach_is_the_sum_of_theirs(water: Molecules) -> None:
    net = network()
    net.begin(wobbly(8))

    def pair(apart: float) -> Molecules:
        moved = water.positions + torch.tensor([apart, 0.0, 0.0], dtype=torch.float64)
        return Molecules.one([8, 1, 1] * 2, torch.cat([water.positions, moved]).numpy())

    alone = 2 * energies(net, water)
    assert torch.allclose(energies(net, pair(CUTOFF + 2.0)), alone, rtol=SAME)
    assert not torch.allclose(energies(net, pair(CUTOFF - 0.5)), alone, rtol=1e-5)


def test_one_molecule_does_not_see_the_others_of_its_batch() -> None:
    net, molecules = network(), wobbly(8, seed=5).molecules
    alone = torch.cat([energies(net, molecules[m]) for m in range(8)])
    assert torch.allclose(energies(net, molecules), alone, rtol=SAME)


# --- smoothness and forces --------------------------------------------------------------------


def slope(net: SchNetNetwork, apart: float) -> tuple[float, float]:
    """Energy of two carbon atoms so far apart, and its derivative."""
    r = torch.tensor([[0.0, 0.0, 0.0], [apart, 0.0, 0.0]], dtype=torch.float64, requires_grad=True)
    energy = energies(net, Molecules(torch.tensor([6, 6]), r, torch.tensor([0, 2])))
    return float(energy.detach()), float(torch.autograd.grad(energy.sum(), r)[0][1, 0])


def test_energy_and_force_go_smoothly_to_zero_at_the_cutoff() -> None:
    """Within 1e-4 Å of it: C falls as the square of what is left, its slope in proportion to it."""
    net = network()
    there, pull = slope(net, CUTOFF + 1e-4)
    assert pull == 0.0
    near, pull = slope(net, CUTOFF - 1e-4)
    assert near == pytest.approx(there, abs=1e-6)
    assert abs(pull) < 1e-2
    assert (
        abs(slope(net, CUTOFF - 1.0)[1]) > 0.05
    )  # the control: forces of this network are not small


@pytest.mark.parametrize("knots", [0, 5])
def test_forces_are_minus_the_gradient(knots: int) -> None:
    net, molecules = network(knots), wobbly(4, seed=6).molecules
    positions = molecules.positions.clone().requires_grad_(True)
    analytic = torch.autograd.grad(energies(net, molecules.moved(positions)).sum(), positions)[0]
    step = 1e-4  # Å: the error is of the order of its square
    for atom, axis in ((0, 0), (4, 1), (9, 2)):
        moved = torch.zeros_like(molecules.positions)
        moved[atom, axis] = step
        up, down = (
            energies(net, molecules.moved(molecules.positions + sign * moved)).sum()
            for sign in (1, -1)
        )
        numeric = float((up - down).detach()) / (2 * step)
        assert float(analytic[atom, axis]) == pytest.approx(numeric, rel=1e-5, abs=1e-7)


def test_a_loss_of_forces_has_the_same_gradient_with_and_without_a_table() -> None:
    found = []
    for knots in (0, 8):
        net, molecules = network(knots), wobbly(6, seed=7).molecules
        positions = molecules.positions.clone().requires_grad_(True)
        pull = torch.autograd.grad(
            energies(net, molecules.moved(positions)).sum(), positions, create_graph=True
        )[0]
        found.append(
            torch.autograd.grad(
                pull.square().sum(), [p for p in net.parameters() if p is not net.o2.bias]
            )
        )
    for exact, tabled in zip(*found):
        assert (tabled - exact).abs().max() <= 1e-4 * exact.abs().max()


def test_single_and_distant_atoms_have_an_energy_and_no_force() -> None:
    net = network()
    lone = Molecules.one(["C"], [[0.0, 0.0, 0.0]])
    far = Molecules.one(["C", "C"], [[0.0, 0.0, 0.0], [50.0, 0.0, 0.0]])
    for molecules in (lone, far, Molecules.concatenate([lone, far, wobbly(2).molecules])):
        positions = molecules.positions.clone().requires_grad_(True)
        energy = energies(net, molecules.moved(positions))
        pull = torch.autograd.grad(energy.sum(), positions, create_graph=True)[0]
        assert torch.isfinite(energy).all()
        assert torch.isfinite(pull).all()
        assert not pull[:1].any()
        net.zero_grad()
        (energy.sum() + pull.square().sum()).backward()
        assert all(torch.isfinite(p.grad).all() for p in net.parameters() if p.grad is not None)


# --- training ---------------------------------------------------------------------------------


def test_training_on_forces_learns_forces_and_energies() -> None:
    data, unseen = wobbly(48, seed=1), wobbly(16, seed=2)
    fit = {"recipe": "paper-forces", "energy_weight": 1.0, "epochs": 20, "batch": 8, "rate": 1e-2}
    model = SchNet(features=16, interactions=2, cutoff=4.0, gaussians=20, fit=fit).fit(data, unseen)
    assert unseen.forces is not None
    wrong = (model.forces(unseen.molecules) - unseen.forces).abs().mean()
    assert wrong < 0.3 * unseen.forces.abs().mean()
    off = (model.energies(unseen.molecules) - unseen.energies).abs().mean()
    assert off < 0.1 * (unseen.energies - unseen.energies.mean()).abs().mean()


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigError, match="`cutoff` must be positive"):
        SchNet(cutoff=0.0)
    with pytest.raises(ConfigError, match="`interactions` must be at least 1, got 0"):
        SchNet(interactions=0)
    data = wobbly(8)
    model = SchNet(features=8, interactions=1, gaussians=10, fit={"epochs": 1}).fit(data, data[:0])
    with pytest.raises(InputError, match="knows no F"):
        model.energies(Molecules.one(["H", "F"], [[0.0, 0.0, 0.0], [0.9, 0.0, 0.0]]))


def test_products_in_bfloat16_learn_with_filters_read_from_the_table() -> None:
    """Batches of few pairs do without a table."""
    data = wobbly(64, seed=1)
    fit = {"recipe": "onecycle", "epochs": 3, "batch": 64, "precision": "bf16", "force_weight": 1.0}
    model = SchNet(features=16, interactions=2, gaussians=10, knots=3, fit=fit).fit(data, data[:0])
    numbers, _ = data.molecules.pad()
    assert len(data) * numbers.shape[1] * (numbers.shape[1] - 1) / 2 > model.networks[0].worth
    assert torch.isfinite(model.energies(data.molecules)).all()
