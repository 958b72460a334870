"""AtomCloudNet: its equations word for word, symmetries, the literal form, properties, atoms."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor
from torch.nn.functional import softplus

from onekcal.errors import ConfigError, InputError
from onekcal.features.harmonics import real_harmonics
from onekcal.molecules import Molecules
from onekcal.networks.atomcloudnet import (
    MARGIN,
    AtomCloudNet,
    AtomCloudNetwork,
)
from onekcal.networks.many_body import Pairs, potentials
from onekcal.networks.network import Batch
from onekcal.networks.point_convolution import gather
from support.molecules import wobbly

ELEMENTS = (1, 6, 7, 8)
RADIUS = 2.0  # Å
DEGREES = [[1, 3, 2, 2], [2, 2, 2, 2]]  # two convolutions; by element in the first
SAME = 1e-9
"""Relative: float64 sums, in another order or at rounded positions."""
MOMENT = {"recipe": "fast", "epochs": 3, "batch": 8}


def network(
    literal: bool = False, of_atoms: bool = False, power: float = 1.0, degrees: Any = DEGREES
) -> AtomCloudNetwork:
    """In float64, with the scales of some training data, so that no feature is out of range."""
    torch.manual_seed(0)
    made = AtomCloudNetwork(
        ELEMENTS, degrees, 6, RADIUS, 8, 5, 12, power, literal, of_atoms
    ).double()
    made.begin(wobbly(12, seed=2))
    return made


def batch(molecules: Molecules) -> Batch:
    numbers, positions = molecules.pad()
    species = (numbers[..., None] == torch.tensor(ELEMENTS)).int().argmax(-1)
    return Batch(species, positions, numbers > 0)


def energies(model: AtomCloudNetwork, molecules: Molecules) -> Tensor:
    return model(batch(molecules)).energies


# --- the equations ----------------------------------------------------------------------------


def test_potentials_are_those_of_the_triple_loop() -> None:
    molecules = wobbly(8, seed=3).molecules
    found = potentials(molecules.pad()[0].double(), Pairs.of(batch(molecules)))
    for m, molecule in enumerate(molecules):
        z, r = molecule.numbers.tolist(), molecule.positions
        for i in range(len(z)):
            two = three = 0.0
            for j in range(len(z)):
                if j != i:
                    two += z[i] * z[j] / float((r[i] - r[j]).norm()) ** 6
                for k in range(len(z)):
                    if i != j != k != i:
                        a, b, c = r[j] - r[i], r[k] - r[i], r[k] - r[j]
                        cosines = [
                            float(p @ q / p.norm() / q.norm())
                            for p, q in ((a, b), (-a, c), (-b, -c))
                        ]
                        sides = float(a.norm() * b.norm() * c.norm())
                        three += z[i] * z[j] * z[k] * (1 + math.prod(cosines)) / sides**3
            assert found[m, i].tolist() == pytest.approx([z[i], two, three], rel=1e-10)
        assert not found[m, len(z) :].any()


def test_three_bodies_of_an_equilateral_triangle() -> None:
    """By hand: cos 60° = ½ three times, two ordered pairs, sides of 2 Å: 2 · (1 + ⅛) / 8³."""
    corners = [[0.0, 0.0, 0.0], [2.0, 0.0, 0.0], [1.0, math.sqrt(3), 0.0]]
    triangle = Molecules.one([1, 1, 1], corners)
    found = potentials(torch.ones(1, 3, dtype=torch.float64), Pairs.of(batch(triangle)))[0]
    assert found[:, 1].tolist() == pytest.approx([2 / 64] * 3)
    assert found[:, 2].tolist() == pytest.approx([2 * 1.125 / 512] * 3)


def by_the_letter(net: AtomCloudNetwork, molecule: Molecules) -> float:
    """The equations of the model's file for one molecule, atom by atom, in the network's form."""
    z, r = molecule.numbers.tolist(), molecule.positions
    kinds = [ELEMENTS.index(one) for one in z]
    raw = potentials(molecule.numbers[None].double(), Pairs.of(batch(molecule)))[0]
    bodies = (torch.log(1 + raw) - net.standard[0]) / net.standard[1]
    x = [net.embedding.weight[kind] for kind in kinds]
    for layer, cloud in enumerate(net.clouds):
        if layer:
            x = [net.again[layer - 1](one) for one in x]
        new = []
        for i, kind in enumerate(kinds):
            told = []
            for degree in range(cloud.degree + 1):
                v = torch.zeros(2 * degree + 1, 6, dtype=torch.float64)
                for j in range(len(z)):
                    way = r[j] - r[i]
                    apart = float(way.norm())
                    if i == j or apart >= RADIUS:
                        continue
                    bumps = [RADIUS / 8 * q for q in range(8)]
                    beta = torch.tensor(
                        [
                            math.cos(math.pi / 2 * (apart - c) / (RADIUS / 8)) ** 2
                            if abs(apart - c) < RADIUS / 8
                            else 0.0
                            for c in bumps
                        ],
                        dtype=torch.float64,
                    )
                    fading = 0.5 * (math.cos(math.pi * apart / RADIUS) + 1)
                    phi = fading * torch.log(
                        1 + torch.exp(cloud.radial.weight @ beta + cloud.radial.bias)
                    )
                    harmonics = real_harmonics(way / apart, degree)[degree**2 :] * math.sqrt(
                        4 * math.pi
                    )
                    for k in range(5):
                        v = v + phi[k] * harmonics[:, None] * (cloud.mixing[degree, :, k] @ x[j])
                if degree == 0:
                    v = v + cloud.own(x[i])
                if degree == 0 or cloud.literal:
                    part = v.flatten()
                else:
                    part = (v * (v @ cloud.partners[degree - 1].weight.T)).sum(0) / (2 * degree + 1)
                told.append(part * (degree <= DEGREES[layer][kind]))
            h = torch.cat([*told, bodies[i]])
            block = net.residual[layer]
            new.append(torch.cat([h, softplus(block.b2(softplus(block.b1(h))))]))
        x = new
    d = (sum(softplus(one) ** net.power for one in x) / net.size) ** (1 / net.power)
    low, high = net.ends.tolist()
    return low + (high - low) * float(torch.sigmoid(net.o(softplus(net.d2(softplus(net.d1(d)))))))


@pytest.mark.parametrize(("literal", "power"), [(False, 1.0), (False, 3.0), (True, 1.0)])
def test_energies_are_those_of_the_equations(literal: bool, power: float) -> None:
    net, molecules = network(literal, power=power), wobbly(4, seed=3).molecules
    with torch.no_grad():
        expected = torch.tensor(
            [by_the_letter(net, molecule) for molecule in molecules], dtype=torch.float64
        )
        assert torch.allclose(energies(net, molecules), expected, rtol=SAME)


@pytest.mark.parametrize("features", [3, 9])
def test_either_order_of_products_gathers_the_same_sums(features: int) -> None:
    """With fewer features than radial functions, and with more."""
    harmonics = torch.randn(2, 4, 9, 4, dtype=torch.float64)
    functions = torch.randn(2, 4, 4, 5, dtype=torch.float64)
    x = torch.randn(2, 4, features, dtype=torch.float64)
    expected = torch.einsum("bimj,bijk,bjf->bimkf", harmonics, functions, x).flatten(3)
    assert torch.allclose(gather(harmonics, functions, x), expected)


def test_parameters_are_as_many_as_the_layers_have() -> None:
    net = AtomCloudNetwork((1, 6, 7, 8, 9), [[2] * 5], 24, 3.0, 12, 16, 128)
    width = 3 * 24 + 3
    convolution = 12 * 16 + 16 + 3 * 24 * 24 * 16 + 24 * 24 + 24 + 2 * 24 * 24
    head = 2 * width * 128 + 128 + 128 * 128 + 128 + 128 + 1
    assert (
        sum(p.numel() for p in net.parameters())
        == 5 * 24 + convolution + 2 * (width * width + width) + head
    )


def test_power_average_pooling_goes_from_the_sum_to_the_largest() -> None:
    x, mask = torch.randn(3, 5, 4, dtype=torch.float64), torch.ones(3, 5, dtype=torch.bool)
    mask[0, 3:] = False
    net = network()
    net.size.fill_(1.0)
    positive = softplus(x) * mask[..., None]
    assert torch.allclose(net._pooled(x, mask), positive.sum(1))
    net.power = 20.0
    assert torch.allclose(net._pooled(x, mask), positive.amax(1), rtol=0.09)  # 5^(1/20) = 1.084


# --- symmetries -------------------------------------------------------------------------------


def turned(molecules: Molecules, seed: int = 0) -> Molecules:
    turn = torch.from_numpy(Rotation.random(rng=seed).as_matrix())
    return molecules.moved(
        molecules.positions @ turn.T + torch.tensor([3.1, -2.2, 0.7], dtype=torch.float64)
    )


def test_energy_neither_moves_nor_turns_with_the_molecule() -> None:
    net, still = network(degrees=[[4] * 4]), wobbly(8, seed=9).molecules
    assert torch.allclose(energies(net, turned(still)), energies(net, still), rtol=SAME)
    mirrored = still.moved(-still.positions)
    assert torch.allclose(energies(net, mirrored), energies(net, still), rtol=SAME)
    stretched = still.moved(1.01 * still.positions)  # the control: this is no rotation
    assert not torch.allclose(energies(net, stretched), energies(net, still), rtol=1e-6)


def test_the_literal_form_changes_when_a_molecule_is_turned() -> None:
    """The paper's text says it does not.

    Untrained, it changes by several hundredths of what molecules differ by.
    """
    net, still = network(literal=True), wobbly(8, seed=9).molecules
    with torch.no_grad():
        here = energies(net, still)
        spread = torch.stack([energies(net, turned(still, seed)) for seed in range(10)]).std(0)
        only_moved = still.moved(still.positions + 1.0)
        assert torch.allclose(energies(net, only_moved), here, rtol=SAME)
    assert float(spread.mean() / here.std()) > 0.02


def test_without_degrees_above_0_the_literal_form_is_invariant() -> None:
    """So it is these that break it."""
    net, still = network(literal=True, degrees=[[0] * 4]), wobbly(8, seed=9).molecules
    assert torch.allclose(energies(net, turned(still)), energies(net, still), rtol=SAME)


def test_energy_does_not_depend_on_the_order_of_atoms() -> None:
    net, molecules = network(), wobbly(8, seed=9).molecules
    backwards = Molecules.concatenate(
        [Molecules.one(m.numbers.flip(0).tolist(), m.positions.flip(0).numpy()) for m in molecules]
    )
    assert torch.allclose(energies(net, backwards), energies(net, molecules), rtol=SAME)
    swapped = molecules.moved(
        molecules.positions.flip(0)
    )  # the control: nuclei change places, charges do not
    assert not torch.allclose(energies(net, swapped), energies(net, molecules), rtol=1e-6)


def test_one_molecule_does_not_see_the_others_of_its_batch() -> None:
    net, molecules = network(), wobbly(8, seed=5).molecules
    alone = torch.cat([energies(net, molecules[m]) for m in range(8)])
    assert torch.allclose(energies(net, molecules), alone, rtol=SAME)


def test_an_element_s_own_degree_is_the_highest_its_atoms_are_told_of() -> None:
    """With degree 0 at hydrogen, its convolution does not change when its neighbours turn."""
    cloud = network(degrees=[[0, 2, 2, 2]]).clouds[0]
    assert cloud.allowed.tolist() == [[True] * 6 + [False] * 12] + [[True] * 18] * 3
    with pytest.raises(ConfigError, match="must have the key `others`"):
        AtomCloudNet(degrees={"H": 1})
    made = AtomCloudNet(degrees=[{"H": 0, "others": 2}, 1])
    made.elements = ELEMENTS
    assert [cloud.degree for cloud in made.member(0).clouds] == [2, 1]


# --- smoothness and forces --------------------------------------------------------------------


def slope(net: AtomCloudNetwork, apart: float) -> tuple[float, float]:
    """Energy of two carbon atoms so far apart without their potentials, and its derivative."""
    r = torch.tensor([[0.0, 0.0, 0.0], [apart, 0.0, 0.0]], dtype=torch.float64, requires_grad=True)
    energy = energies(net, Molecules(torch.tensor([6, 6]), r, torch.tensor([0, 2])))
    return float(energy.detach()), float(torch.autograd.grad(energy.sum(), r)[0][1, 0])


def test_energy_and_force_go_smoothly_to_zero_at_the_radius() -> None:
    """Within 1e-4 Å of it: C falls as the square of what is left, its slope in proportion to it."""
    net = network()
    net.standard[1, 1:] = 1e12  # no potentials, which reach further
    there, pull = slope(net, RADIUS + 1e-4)
    assert abs(pull) < 1e-9
    near, pull = slope(net, RADIUS - 1e-4)
    assert near == pytest.approx(there, abs=1e-6)
    assert abs(pull) < 1e-2
    assert (
        abs(slope(net, RADIUS - 0.7)[1]) > 0.05
    )  # the control: forces of this network are not small


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_forces_are_minus_the_gradient(power: float) -> None:
    net, molecules = network(power=power), wobbly(4, seed=6).molecules
    positions = molecules.positions.clone().requires_grad_(True)
    analytic = torch.autograd.grad(energies(net, molecules.moved(positions)).sum(), positions)[0]
    step, numeric = (
        1e-4,
        [],
    )  # Å; β has a kink in its second derivative, so the error is of order step
    for atom, axis in ((0, 0), (5, 1), (9, 2)):
        moved = torch.zeros_like(positions)
        moved[atom, axis] = step
        with torch.no_grad():
            up, down = (
                energies(net, molecules.moved(molecules.positions + sign * moved)).sum()
                for sign in (1, -1)
            )
        numeric.append(float(up - down) / (2 * step))
        assert float(analytic[atom, axis]) == pytest.approx(numeric[-1], rel=1e-3, abs=1e-3)
    assert max(map(abs, numeric)) > 0.1


def test_powers_between_1_and_2_have_forces_to_train_on_in_batches_of_unequal_molecules() -> None:
    data = wobbly(8, seed=1)
    fit = {"recipe": "fast", "epochs": 2, "batch": 4, "force_weight": 1.0}
    model = AtomCloudNet(features=8, hidden=24, power=1.5, fit=fit).fit(data, data[:0])
    assert torch.isfinite(model.forces(data.molecules)).all()


def test_forces_can_be_trained_on() -> None:
    """The control is to predict none."""
    data, test = wobbly(24, seed=1), wobbly(12, seed=7)
    fit = {
        "recipe": "fast",
        "epochs": 30,
        "batch": 6,
        "rate": 1e-2,
        "ema": 0.9,
        "force_weight": 1.0,
    }
    model = AtomCloudNet(features=8, hidden=24, fit=fit).fit(data, data[:0])
    wrong = float((model.forces(test.molecules) - test.forces).abs().mean())
    assert wrong < 0.8 * float(test.forces.abs().mean())


# --- the output -------------------------------------------------------------------------------


def test_answers_begin_at_the_mean_label_and_stay_within_reach_of_the_labels() -> None:
    data, net = wobbly(12, seed=2), network()
    low, high = float(data.energies.min()), float(data.energies.max())
    assert net.ends.tolist() == pytest.approx(
        [low - MARGIN * (high - low), high + MARGIN * (high - low)]
    )
    with torch.no_grad():
        net.o.weight.zero_()
        assert energies(net, data.molecules).tolist() == pytest.approx(
            [float(data.energies.mean())] * 12
        )
        net.o.bias.fill_(99.0)
        assert energies(net, data.molecules).tolist() == pytest.approx([float(net.ends[1])] * 12)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"features": 0}, "`features` must be at least 1, got 0"),
        ({"radius": -1.0}, r"`radius` must be positive \(Å\)"),
        ({"spacing": 0.0}, r"`spacing` must be positive \(Å\)"),
        ({"degrees": 5}, "whole numbers from 0 to 4, got 5"),
        ({"degrees": []}, "at least one convolution"),
        ({"degrees": {"Hh": 1, "others": 2}}, "element in `degrees`: 'Hh'"),
        ({"variant": "litteral"}, "did you mean 'literal'"),
        ({"readout": "atom"}, "did you mean 'atoms'"),
    ],
)
def test_a_setting_out_of_range_is_named(settings: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        AtomCloudNet(**settings)


def test_atoms_on_one_point_and_unknown_elements_are_refused_by_name() -> None:
    model = AtomCloudNet(features=4, hidden=8, fit=MOMENT).fit(wobbly(8), wobbly(8)[:0])
    with pytest.raises(InputError, match=r"molecule 0 \('twin'\): atoms 1 and 2 are 0.000 Å apart"):
        model.energies(Molecules.one([6, 1], [[0.0, 0.0, 0.0]] * 2, name="twin"))
    with pytest.raises(InputError, match="the network knows no S"):
        model.energies(Molecules.one([16], [[0.0, 0.0, 0.0]]))
