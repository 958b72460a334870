"""ProductNet: its equations word for word, symmetries, smoothness, what atoms are given."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from onekcal.errors import ConfigError
from onekcal.molecules import Molecules
from onekcal.networks.network import Batch
from onekcal.networks.product_net import FAR, ProductNet, ProductNetwork, turned_products
from support.molecules import wobbly

ELEMENTS = (1, 6, 7, 8)
CUTOFF = 3.0  # Å
N, SENT = 5, 6


def network(layers: int = 2, extra: int = 0) -> ProductNetwork:
    """Untrained, in float64; all weights are so large that geometry decides."""
    torch.manual_seed(0)
    made = ProductNetwork(ELEMENTS, 8, 7, SENT, layers, N, CUTOFF, extra).double()
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if "head" in name:
                parameter.normal_()
            elif "mix" in name:
                parameter.mul_(4.0)
    return made


def batch(molecules: Molecules, inputs: Tensor | None = None) -> Batch:
    numbers, positions = molecules.pad()
    species = (numbers[..., None] == torch.tensor(ELEMENTS)).int().argmax(-1)
    return Batch(species, positions, numbers > 0, inputs)


def energies(model: ProductNetwork, molecules: Molecules) -> Tensor:
    return model(batch(molecules)).energies


def moved(molecules: Molecules, turn: Tensor) -> Molecules:
    return molecules.moved(molecules.positions @ turn.T)


def turn(mirrored: bool = False) -> Tensor:
    made = torch.from_numpy(Rotation.random(random_state=3).as_matrix())
    return -made if mirrored else made


# --- equations --------------------------------------------------------------------------------


def word_for_word(model: ProductNetwork, z: list[int], positions: Tensor) -> float:
    """The energy as the file's equations say, pair by pair, with 3 × 3 tensors."""
    n, W = len(z), [model.layers[k].mix for k in range(len(model.layers))]  # type: ignore[union-attr]
    x = [model.embedding.weight[ELEMENTS.index(one)] for one in z]

    def g(r: float) -> Tensor:
        waves = torch.arange(1, N + 1, dtype=torch.float64).mul(math.pi * r / CUTOFF).sin()
        return math.sqrt(2 / CUTOFF) * waves / r * max(0.0, 1 - (r / CUTOFF) ** 2) ** 3

    def traceless(u: Tensor) -> Tensor:
        return torch.outer(u, u) - torch.eye(3, dtype=torch.float64) / 3 * (u @ u)

    shares = [torch.zeros((), dtype=torch.float64) for _ in z]
    v: list[Tensor] = []  # (3, sent)
    T: list[Tensor] = []  # (3, 3, sent)
    for layer, mix in zip(model.layers, W):
        first = not v
        paths = (1, 1, 1) if first else (3, 2, 2)
        a0 = [torch.zeros(paths[0], N, SENT, dtype=torch.float64) for _ in z]
        a1 = [torch.zeros(3, paths[1], N, SENT, dtype=torch.float64) for _ in z]
        a2 = [torch.zeros(3, 3, paths[2], N, SENT, dtype=torch.float64) for _ in z]
        for i in range(n):
            for j in range(n):
                r = float((positions[j] - positions[i]).norm())
                if i == j or r >= CUTOFF:
                    continue
                u, s = (positions[j] - positions[i]) / r, layer.send(x[j])  # type: ignore[operator]
                a0[i][0] += torch.outer(g(r), s)
                a1[i][:, 0] += torch.einsum("m,k,s->mks", u, g(r), s)
                a2[i][:, :, 0] += torch.einsum("ml,k,s->mlks", traceless(u), g(r), s)
                if not first:
                    a0[i][1] += torch.outer(g(r), u @ v[j])
                    a0[i][2] += torch.outer(g(r), torch.einsum("ml,mls->s", traceless(u), T[j]))
                    a1[i][:, 1] += torch.einsum("k,ms->mks", g(r), v[j])
                    a2[i][:, :, 1] += torch.einsum("k,mls->mlks", g(r), T[j])
        A0 = [mix[0](a.flatten()) for a in a0]
        A1 = [mix[1](a.flatten(1)) for a in a1]  # (3, c)
        A2 = [mix[2](a.flatten(2)) for a in a2]  # (3, 3, c)
        for i in range(n):
            p = [
                A0[i],
                A1[i].square().sum(0),
                A2[i].square().sum((0, 1)),
                torch.einsum("mc,mlc,lc->c", A1[i], A2[i], A1[i]),
                torch.linalg.det(A2[i].movedim(2, 0)),
            ]
            inner = layer.inner(torch.cat([x[i], *p]))  # type: ignore[operator]
            x[i] = x[i] + layer.outer(torch.nn.functional.silu(inner))  # type: ignore[operator]
            bent = torch.nn.functional.silu(layer.bend(x[i]))  # type: ignore[operator]
            shares[i] = shares[i] + layer.head(bent)[0]  # type: ignore[operator]
        following = list(model.layers)[1:]
        if first and following:
            V = following[0].turned  # type: ignore[union-attr]
            v, T = [V[0](a) for a in A1], [V[1](a) for a in A2]  # type: ignore[index]
    return float(sum(share.detach() for share in shares))


@pytest.mark.parametrize("layers", [1, 2])
def test_the_network_is_its_equations(layers: int) -> None:
    model = network(layers)
    for molecule in wobbly(3, seed=5).molecules:
        expected = word_for_word(model, molecule.numbers.tolist(), molecule.positions)
        assert energies(model, molecule).tolist() == pytest.approx([expected], abs=1e-9)


def test_products_are_those_of_matrices() -> None:
    torch.manual_seed(1)
    v, t = torch.randn(1, 3, 4, dtype=torch.float64), torch.randn(1, 5, 4, dtype=torch.float64)
    root = math.sqrt(0.5)
    a, b, c, d, e = t[0]
    d, e = d * root, e / math.sqrt(6.0)
    rows = [[d - e, a * root, c * root], [a * root, -d - e, b * root], [c * root, b * root, 2 * e]]
    T = torch.stack([torch.stack(row) for row in rows]).movedim(2, 0)  # (4, 3, 3)
    assert torch.einsum("kii->k", T).abs().max() < 1e-12
    found = turned_products(v, t)
    expected = [
        v[0].square().sum(0),
        T.square().sum((1, 2)),
        torch.einsum("mk,kml,lk->k", v[0], T, v[0]),
        torch.linalg.det(T),
    ]
    for one, other in zip(found, expected):
        torch.testing.assert_close(one[0], other, rtol=0, atol=1e-12)


# --- symmetries -------------------------------------------------------------------------------


@pytest.mark.parametrize("mirrored", [False, True])
def test_energies_stay_and_forces_turn_with_the_molecule(mirrored: bool) -> None:
    model, molecules = network(), wobbly(5, seed=2).molecules
    there = turn(mirrored)
    before, after = energies(model, molecules), energies(model, moved(molecules, there))
    torch.testing.assert_close(after, before, rtol=0, atol=1e-9)
    pulled, turned = slopes(model, molecules), slopes(model, moved(molecules, there))
    torch.testing.assert_close(turned, pulled @ there.T, rtol=0, atol=1e-9)
    assert (turned - pulled).abs().max() > 0.1  # the control: they are not the same


def test_what_is_no_product_of_whole_vectors_turns() -> None:
    """The control: with one component of A¹ left out, the same test fails."""
    model, molecules = network(1), wobbly(5, seed=2).molecules

    def spoilt(v: Tensor, t: Tensor) -> list[Tensor]:
        return turned_products(v * torch.tensor([1.0, 1.0, 0.0]).view(1, 3, 1, 1), t)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("onekcal.networks.product_net.turned_products", spoilt)
        apart = energies(model, moved(molecules, turn())) - energies(model, molecules)
    assert apart.abs().max() > 1e-3


def slopes(model: ProductNetwork, molecules: Molecules) -> Tensor:
    places = molecules.positions.clone().requires_grad_()
    (slope,) = torch.autograd.grad(energies(model, molecules.moved(places)).sum(), places)
    return slope


def test_slopes_are_exact_and_can_be_learned() -> None:
    model, molecule = network(), wobbly(1, seed=3).molecules
    places = molecule.positions.clone().requires_grad_()

    def energy(positions: Tensor) -> Tensor:
        return energies(model, molecule.moved(positions))

    assert gradcheck(energy, (places,), eps=1e-5, atol=1e-5)
    assert gradgradcheck(energy, (places,), eps=1e-5, atol=1e-4)


def test_padding_and_company_change_nothing() -> None:
    model, molecules = network(), wobbly(6, seed=4).molecules
    alone = torch.cat([energies(model, molecule) for molecule in molecules])
    torch.testing.assert_close(energies(model, molecules), alone, rtol=0, atol=1e-10)


def test_two_far_molecules_add_up_and_near_ones_do_not() -> None:
    model, (a, b) = network(), (wobbly(2, seed=6).molecules[k] for k in range(2))

    def pair(apart: float) -> Molecules:
        shifted = b.positions + torch.tensor([apart, 0.0, 0.0])
        return Molecules.one(
            torch.cat([a.numbers, b.numbers]), torch.cat([a.positions, shifted]), name="pair"
        )

    lone = energies(model, a) + energies(model, b)
    assert (energies(model, pair(30.0)) - lone).abs() < 1e-9
    assert (energies(model, pair(2.0)) - lone).abs() > 1e-3


def test_it_is_smooth_across_the_cut_off() -> None:
    """Energy, slope and curvature of a pair go to zero; without the fade the slope would jump."""
    model = network()

    def pair(r: Tensor) -> Tensor:
        places = torch.stack([torch.zeros(3, dtype=torch.float64), r * torch.eye(3)[0].double()])
        return energies(
            model, Molecules.one([6, 8], [[0, 0, 0], [1, 0, 0]]).moved(places)
        ).squeeze()

    far = torch.tensor(2 * CUTOFF, dtype=torch.float64)
    r = torch.tensor(CUTOFF - 1e-4, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(pair(r), r, create_graph=True)
    (curvature,) = torch.autograd.grad(slope, r)
    near = torch.tensor(0.6 * CUTOFF, dtype=torch.float64, requires_grad=True)
    (steep,) = torch.autograd.grad(pair(near), near)
    assert (pair(r) - pair(far)).abs() < 1e-10
    assert slope.abs() < 1e-6
    assert curvature.abs() < 1e-2
    assert steep.abs() > 1e-2


# --- what atoms are given ---------------------------------------------------------------------

TINY: dict[str, Any] = {
    "features": 6,
    "channels": 4,
    "sent": 4,
    "radial": 4,
    "dtype": "float64",
    "fit": {"epochs": 2, "batch": 8},
}


def test_a_radical_and_an_ion_differ_where_their_charge_and_spin_are_given() -> None:
    data = wobbly(16, seed=1)
    some = data.molecules
    states = torch.arange(16) % 3
    charged = Molecules(
        some.numbers, some.positions, some.offsets, charge=states - 1, spin=states, name=some.names
    )
    learn = data.__class__(charged, data.columns, data.target)
    model = ProductNet(**TINY, given=["charge", "spin"]).fit(learn, learn[:0])
    blind = ProductNet(**TINY).fit(learn, learn[:0])
    one = charged[3]
    other = Molecules(
        one.numbers, one.positions, one.offsets, charge=one.charges + 1, spin=one.spins
    )
    assert abs(float(model.energies(one) - model.energies(other))) > 1e-6
    assert float(blind.energies(one)) == float(blind.energies(other))


def test_a_charge_that_no_training_molecule_had_means_nothing() -> None:
    """Its weights were never learned, and would add what they began with."""
    data = wobbly(12, seed=1)
    model = ProductNet(**TINY, given=["charge"]).fit(data, data[:0])
    one = data.molecules[3]
    ion = Molecules(one.numbers, one.positions, one.offsets, charge=one.charges + 1)
    assert float(model.energies(one)) == float(model.energies(ion))


def test_the_charge_of_one_ion_among_many_molecules_is_one() -> None:
    """In standard deviations it was 14 here, and products of three densities diverged."""
    data = wobbly(200, seed=1)
    charge = torch.zeros(200, dtype=torch.int64)
    charge[0] = 1
    some = replace(data.molecules, charge=charge)
    model = ProductNet(**TINY, given=["charge", "electrons"])
    model.fit(replace(data, molecules=some)[:20], data[:0])
    given = model.inputs(some, learn=True)
    assert given is not None
    z = given(torch.arange(200))
    assert z[0, 0, 0] == 1.0
    assert z[1:, :, 0].abs().max() == 0.0
    assert z.abs().max() <= FAR


def test_what_is_given_is_kept_with_the_model() -> None:
    data = wobbly(12, seed=1)
    model = ProductNet(**TINY, given=["electrons"]).fit(data, data[:0])
    again = ProductNet(**TINY, given=["electrons"]).load_state(model.state())
    asked = wobbly(5, seed=2).molecules
    assert model.energies(asked).tolist() == again.energies(asked).tolist()
    assert not model.differentiable


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean 'charge'"):
        ProductNet(given=["charges"])
    with pytest.raises(ConfigError, match="no slopes"):
        ProductNet(given=["electrons"], fit={"force_weight": 1.0})
    with pytest.raises(ConfigError, match="cutoff"):
        ProductNet(cutoff=0.0)
