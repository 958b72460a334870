"""DimeNet++: its equations word for word, a peer's outputs, symmetries, smoothness, forces."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.spatial.transform import Rotation
from scipy.special import eval_legendre, spherical_jn
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from onekcal.bench.speed.dimenet import dimenet_peer, triplets_of
from onekcal.bench.speed.paired_atoms import paired
from onekcal.bench.speed.steps import Step
from onekcal.errors import ConfigError, InputError
from onekcal.features.spherical_bessel import zeros
from onekcal.molecules import Molecules
from onekcal.networks import dimenet, triplet_sum
from onekcal.networks.bond_messages import Messages
from onekcal.networks.dimenet import DimeNet, DimeNetNetwork
from onekcal.networks.network import Batch
from onekcal.networks.triplet_sum import Directed, directed
from support.molecules import wobbly

ELEMENTS = (1, 6, 7, 8)
CUTOFF = 3.0  # Å
SMALL = {
    "features": 12,
    "blocks": 2,
    "triplet": 6,
    "basis": 5,
    "output": 10,
    "degrees": 4,
    "waves": 3,
    "cutoff": CUTOFF,
}


def network(seed: int = 0, **sizes: int) -> DimeNetNetwork:
    """Untrained, in float64, with random biases and outputs: zeros would hide a forgotten one."""
    torch.manual_seed(seed)
    made = DimeNetNetwork(ELEMENTS, **{**SMALL, **sizes})
    with torch.no_grad():
        for parameter in made.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.3)
    return made.double()


def batch(molecules: Molecules) -> Batch:
    numbers, positions = molecules.pad()
    species = (numbers[..., None] == torch.tensor(ELEMENTS)).int().argmax(-1)
    return Batch(species, positions, numbers > 0)


def energies(model: DimeNetNetwork, molecules: Molecules) -> Tensor:
    return model(batch(molecules)).energies


def pull(net: DimeNetNetwork, molecules: Molecules) -> Tensor:
    positions = molecules.positions.clone().requires_grad_(True)
    return -torch.autograd.grad(energies(net, molecules.moved(positions)).sum(), positions)[0]


# --- the equations ----------------------------------------------------------------------------


def sigma(x: Tensor) -> Tensor:
    return x / (1 + torch.exp(-x))


def layer(dense: torch.nn.Linear, x: Tensor) -> Tensor:
    return dense.weight @ x + (0 if dense.bias is None else dense.bias)


def residual(one: dimenet.Residual, x: Tensor) -> Tensor:
    return x + sigma(layer(one.second, sigma(layer(one.first, x))))


def envelope(x: float) -> float:
    return 1 / x - 28 * x**5 + 48 * x**6 - 21 * x**7


def radial_wave(net: DimeNetNetwork, d: float) -> Tensor:
    return torch.stack([envelope(d / CUTOFF) * torch.sin(f * d / CUTOFF) for f in net.frequencies])


def spherical_wave(d: float, angle: float) -> Tensor:
    out = []
    for order, row in enumerate(zeros(SMALL["degrees"] - 1, SMALL["waves"]).tolist()):
        harmonic = math.sqrt((2 * order + 1) / (4 * math.pi)) * eval_legendre(
            order, math.cos(angle)
        )
        for z in row:
            norm = math.sqrt(2) / abs(spherical_jn(order + 1, z))
            out.append(envelope(d / CUTOFF) * norm * spherical_jn(order, z * d / CUTOFF) * harmonic)
    return torch.tensor(out, dtype=torch.float64)


def angle(r: Tensor, i: int, j: int, k: int) -> float:
    """Between r_i − r_j and r_j − r_k, by the arc tangent."""
    a, b = r[i] - r[j], r[j] - r[k]
    return math.atan2(float(torch.linalg.cross(a, b).norm()), float(a @ b))


Pairs = dict[tuple[int, int], Tensor]


def atoms_of(net: DimeNetNetwork, k: int, m: Pairs, e: Pairs, n: int) -> Tensor:
    """Σ_i t_i of readout k."""
    readout, total = net.readouts[k], torch.zeros((), dtype=torch.float64)
    for i in range(n):
        heard = sum(
            (m[p] * layer(readout.radial, e[p]) for p in m if p[0] == i),
            torch.zeros(12, dtype=torch.float64),
        )
        x = layer(readout.up, heard)
        for hidden in readout.hidden:
            x = sigma(layer(hidden, x))
        total = total + layer(readout.last, x)[0]
    return total


def by_the_letter(net: DimeNetNetwork, molecule: Molecules) -> float:
    """The equations of the model's file for one molecule, by messages and triplets.

    (i, j) is j → i.
    """
    r, n = molecule.positions, len(molecule.numbers)
    h = [net.embedding.atoms[ELEMENTS.index(int(z))] for z in molecule.numbers]
    d = {(i, j): float((r[i] - r[j]).norm()) for i in range(n) for j in range(n) if i != j}
    d = {pair: far for pair, far in d.items() if far < CUTOFF}
    e = {pair: radial_wave(net, far) for pair, far in d.items()}
    m = {
        (i, j): sigma(
            layer(
                net.embedding.whole,
                torch.cat([h[i], h[j], sigma(layer(net.embedding.radial, e[i, j]))]),
            )
        )
        for i, j in d
    }
    total = atoms_of(net, 0, m, e, n)
    for t, block in enumerate(net.interactions):
        a = {
            p: sigma(
                layer(
                    block.down,
                    sigma(layer(block.other, m[p]))
                    * layer(block.radial2, layer(block.radial1, e[p])),
                )
            )
            for p in m
        }
        new = {}
        for i, j in m:
            heard = torch.zeros(6, dtype=torch.float64)
            for k in (k for to, k in m if to == j and k != i):
                wave = spherical_wave(d[j, k], angle(r, i, j, k))
                heard = heard + a[j, k] * layer(block.spherical2, layer(block.spherical1, wave))
            x = residual(
                block.before, sigma(layer(block.own, m[i, j])) + sigma(layer(block.up, heard))
            )
            x = sigma(layer(block.skip, x)) + m[i, j]
            new[i, j] = residual(block.after[1], residual(block.after[0], x))
        m = new
        total = total + atoms_of(net, t + 1, m, e, n)
    shift, scale = net.per_atom.tolist()
    return float(n * shift + scale * total)


def test_energies_are_those_of_the_equations() -> None:
    """To rounding: of the initial frequencies too, which are made in float32."""
    net, data = network(), wobbly(4, seed=3)
    net.begin(data)
    with torch.no_grad():
        expected = torch.tensor(
            [by_the_letter(net, molecule) for molecule in data.molecules], dtype=torch.float64
        )
        ours = energies(net, data.molecules)
    assert torch.allclose(ours, expected, rtol=1e-10, atol=0)


def test_energies_are_those_of_a_peer_with_the_same_weights() -> None:
    """1e-5: PyG keeps the zeros of the Bessel functions in float32."""
    pytest.importorskip("torch_geometric")
    pytest.importorskip("sympy")
    net = network(blocks=3, degrees=7, waves=6)
    net.begin(wobbly(8))
    found = dimenet_peer(net)
    assert found is not None
    _, answer = found
    data = wobbly(12, seed=4)
    numbers, _ = data.molecules.pad()
    graph = paired(Step(batch(data.molecules), numbers, data.energies), CUTOFF)
    with torch.no_grad():
        ours, theirs = energies(net, data.molecules), answer((graph, *triplets_of(graph)))
        assert torch.allclose(ours, theirs, rtol=0, atol=1e-5 * float(theirs.std()))
        net.interactions[1].up.weight.mul_(1.01)  # the control
        assert not torch.allclose(
            energies(net, data.molecules), theirs, rtol=0, atol=1e-4 * float(theirs.std())
        )


def test_parameters_are_as_many_as_published() -> None:
    """The published shape with its 95 elements.

    1,885,830, as counted of PyG's DimeNetPlusPlus of that shape.
    """
    net = DimeNetNetwork(tuple(range(1, 96)))
    f, p, b, o, waves, spherical = 128, 64, 8, 256, 6, 42
    square = f * f + f
    embedding = 95 * f + waves * f + f + 3 * f * f + f
    interaction = (
        waves * b + b * f + spherical * b + b * p + 2 * square + 2 * f * p + (2 + 1 + 4) * square
    )
    output = waves * f + f * o + 3 * (o * o + o) + o
    assert (
        sum(x.numel() for x in net.parameters())
        == waves + embedding + 4 * interaction + 5 * output
        == 1_885_830
    )


# --- triplets ---------------------------------------------------------------------------------


def test_every_message_knows_the_one_the_other_way() -> None:
    molecules = wobbly(8, seed=2).molecules
    messages = Messages.within(batch(molecules), 2.0)
    there = {
        (i, k): e
        for e, (i, k) in enumerate(zip(messages.receiver.tolist(), messages.sender.tolist()))
    }
    r, owner = molecules.positions, molecules.owner
    near = (
        ((r[:, None] - r).norm(dim=-1) < 2.0)
        & (owner[:, None] == owner)
        & ~torch.eye(len(r), dtype=torch.bool)
    )
    assert sorted(there) == [tuple(pair) for pair in near.nonzero().tolist()]
    names = messages.turned(messages.padded(torch.arange(1.0, len(there) + 1)[:, None]))
    for (i, k), e in there.items():
        assert int(names[e]) - 1 == there[k, i]
        assert torch.allclose(messages.way[e], r[k] - r[i])
    assert messages.received(torch.ones(len(there), 1)).flatten().tolist() == near.sum(1).tolist()


def inputs() -> list[Tensor]:
    torch.manual_seed(0)
    shapes = (
        (5, 3, 6),
        (5, 3, 8),
        (5, 3, 4),
        (2, 4, 4),
    )  # five atoms, three neighbours, two degrees, four waves, t = 4
    return [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]


@pytest.mark.parametrize("part", [1, 2**18])
def test_the_product_is_the_sum_over_triplets(part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triplet_sum, "PART", part)  # atom by atom, and all at once
    angular, spherical, sent, weights = inputs()
    waves = torch.einsum("nkls,lst->nklt", spherical.view(5, 3, 2, 4), weights)
    expected = torch.einsum("nilk,nkt,nklt->nit", angular.view(5, 3, 2, 3), sent, waves)
    assert torch.allclose(directed(angular, spherical, sent, weights), expected)
    slope = torch.randn_like(expected)
    for ours, plain in zip(
        *(
            torch.autograd.grad((x * slope).sum(), [angular, spherical, sent, weights])
            for x in (directed(angular, spherical, sent, weights), expected)
        )
    ):
        assert torch.allclose(ours, plain)


def test_gradients_of_the_product_are_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triplet_sum, "PART", 50)
    assert gradcheck(Directed.apply, inputs())
    assert gradgradcheck(Directed.apply, inputs())


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
