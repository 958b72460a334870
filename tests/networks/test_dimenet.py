"""DimeNet++: its equations word for word, a peer's outputs, symmetries, smoothness, forces."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.special import eval_legendre, spherical_jn
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from onekcal.bench.speed.dimenet import dimenet_peer, triplets_of
from onekcal.bench.speed.paired_atoms import paired
from onekcal.bench.speed.steps import Step
from onekcal.features.spherical_bessel import zeros
from onekcal.molecules import Molecules
from onekcal.networks import dimenet, triplet_sum
from onekcal.networks.bond_messages import Messages
from onekcal.networks.dimenet import DimeNetNetwork
from onekcal.networks.triplet_sum import Directed, directed
from support.dimenet import CUTOFF, ELEMENTS, SMALL, batch, energies, network
from support.molecules import wobbly

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
