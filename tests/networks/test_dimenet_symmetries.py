"""DimeNet++: symmetries, smoothness, training and mistakes."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.spatial.transform import Rotation

from onekcal.errors import ConfigError, InputError
from onekcal.molecules import Molecules
from onekcal.networks.dimenet import DimeNet
from support.dimenet import CUTOFF, energies, network, pull
from support.molecules import wobbly

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


def test_angles_matter_and_not_distances_alone() -> None:
    """Around one atom, three neighbours beyond one another's reach.

    Bending changes nothing but angles.
    """
    net, far = network(), 0.65 * CUTOFF

    def star(bend: float) -> Molecules:
        arms = [[far * math.cos(a), far * math.sin(a), 0.0] for a in (0.0, 2.2 + bend, -2.0)]
        return Molecules.one(["C", "H", "H", "H"], [[0.0, 0.0, 0.0], *arms])

    assert not torch.allclose(energies(net, star(0.0)), energies(net, star(0.1)), rtol=1e-9)


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

STRAIGHT = Molecules.one(
    ["O", "C", "O"], [[0.0, 0.0, -1.16], [0.0, 0.0, 0.0], [0.0, 0.0, 1.16]], name="carbon dioxide"
)
PAIR = Molecules.one(["N", "N"], [[0.0, 0.0, 0.0], [0.0, 0.0, 1.1]], name="nitrogen")
LONE = Molecules.one(["C"], [[0.0, 0.0, 0.0]])
FAR = Molecules.one(["C", "C"], [[0.0, 0.0, 0.0], [50.0, 0.0, 0.0]])


@pytest.mark.parametrize(
    "molecules", [STRAIGHT, PAIR, LONE, FAR, Molecules.concatenate([LONE, FAR, STRAIGHT, PAIR])]
)
def test_straight_two_atom_and_one_atom_molecules_have_finite_gradients_of_every_kind(
    molecules: Molecules,
) -> None:
    net = network()
    positions = molecules.positions.clone().requires_grad_(True)
    energy = energies(net, molecules.moved(positions))
    force = torch.autograd.grad(energy.sum(), positions, create_graph=True)[0]
    assert torch.isfinite(energy).all()
    assert torch.isfinite(force).all()
    (energy.sum() + force.square().sum()).backward()
    assert all(torch.isfinite(p.grad).all() for p in net.parameters() if p.grad is not None)


def test_lone_atoms_have_no_force_and_straight_ones_none_across() -> None:
    net = network()
    assert not pull(net, LONE).any()
    assert not pull(net, FAR).any()
    along = pull(net, STRAIGHT)
    assert along[:, :2].abs().max() < 1e-12
    assert along[0, 2].abs() > 1e-2  # the control


def test_forces_do_not_jump_where_a_molecule_becomes_straight() -> None:
    """Bent by ε, they are off by no more than its order.

    An angle by arc cosine has a kink there.
    """
    net = network()
    for bend in (1e-3, 1e-5, 1e-7):
        bent = STRAIGHT.moved(
            STRAIGHT.positions + torch.tensor([[0.0, 0.0, 0.0], [bend, 0.0, 0.0], [0.0, 0.0, 0.0]])
        )
        assert (pull(net, bent) - pull(net, STRAIGHT)).abs().max() < 100 * bend


def test_energy_and_force_go_smoothly_to_zero_at_the_cutoff() -> None:
    """Within 1e-3 Å of it, the envelope falls as the cube of the rest, its slope as the square."""
    net = network()

    def dimer(apart: float) -> tuple[float, float]:
        molecules = Molecules.one(["C", "C"], [[0.0, 0.0, 0.0], [apart, 0.0, 0.0]])
        return float(energies(net, molecules).detach()), float(pull(net, molecules)[1, 0])

    there, none = dimer(CUTOFF + 1e-3)
    assert none == 0.0
    near, force = dimer(CUTOFF - 1e-3)
    assert near == pytest.approx(there, abs=1e-7)
    assert abs(force) < 1e-4
    assert abs(dimer(CUTOFF - 1.0)[1]) > 1e-2  # the control: forces of this network are not small


def test_forces_are_minus_the_gradient() -> None:
    net, molecules = network(), wobbly(4, seed=6).molecules
    analytic = pull(net, molecules)
    step = 1e-4  # Å: the error is of the order of its square
    for atom, axis in ((0, 0), (4, 1), (9, 2)):
        moved = torch.zeros_like(molecules.positions)
        moved[atom, axis] = step
        up, down = (
            energies(net, molecules.moved(molecules.positions + sign * moved)).sum()
            for sign in (1, -1)
        )
        numeric = -float((up - down).detach()) / (2 * step)
        assert float(analytic[atom, axis]) == pytest.approx(numeric, rel=1e-5, abs=1e-7)


# --- training and mistakes --------------------------------------------------------------------


def test_training_on_forces_learns_forces_and_energies() -> None:
    data, unseen = wobbly(48, seed=1), wobbly(16, seed=2)
    fit = {
        "recipe": "fast",
        "force_weight": 1.0,
        "loss": "mse",
        "epochs": 20,
        "batch": 8,
        "rate": 5e-3,
        "ema": 0.0,
    }
    model = DimeNet(features=16, blocks=2, triplet=8, output=16, degrees=4, waves=4, fit=fit).fit(
        data, unseen
    )
    assert unseen.forces is not None
    wrong = (model.forces(unseen.molecules) - unseen.forces).abs().mean()
    assert wrong < 0.3 * unseen.forces.abs().mean()
    off = (model.energies(unseen.molecules) - unseen.energies).abs().mean()
    assert off < 0.1 * (unseen.energies - unseen.energies.mean()).abs().mean()


def test_senseless_sizes_atoms_on_one_point_and_strange_elements_are_refused() -> None:
    with pytest.raises(ConfigError, match="`blocks` must be at least 1, got 0"):
        DimeNet(blocks=0)
    with pytest.raises(ConfigError, match="`cutoff` must be positive"):
        DimeNet(cutoff=0.0)
    data = wobbly(8)
    model = DimeNet(
        features=8, blocks=1, triplet=4, output=8, fit={"recipe": "fast", "epochs": 1}
    ).fit(data, data[:0])
    with pytest.raises(InputError, match="atoms 1 and 2 are 0.000 Å apart"):
        model.energies(Molecules.one(["C", "H"], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]))
    with pytest.raises(InputError, match="knows no F"):
        model.energies(Molecules.one(["F"], [[0.0, 0.0, 0.0]]))


def test_products_in_bfloat16_train_and_answer_in_full() -> None:
    data = wobbly(16, seed=1)
    fit = {"recipe": "fast", "epochs": 2, "batch": 8, "precision": "bf16"}
    model = DimeNet(features=16, blocks=1, triplet=8, output=16, fit=fit).fit(data, data[:4])
    assert all(p.dtype == torch.float32 for p in model.networks[0].parameters())
    full = DimeNet(features=16, blocks=1, triplet=8, output=16, fit=fit | {"precision": "full"})
    full.load_state(model.state())
    answers = model.energies(data.molecules)
    assert torch.equal(answers, full.energies(data.molecules))
    with torch.autocast("cpu", torch.bfloat16):
        assert not torch.equal(answers, full.energies(data.molecules))
