"""Ridge on products of densities: products word for word, the equations, symmetries, limits."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor
from torch.autograd import gradcheck

from onekcal.data.dataset import Column
from onekcal.errors import ConfigError, InputError
from onekcal.features import density_products
from onekcal.features.density_products import DensityProducts
from onekcal.features.electrons import electrons
from onekcal.models import density_ridge
from onekcal.models.density_ridge import FREE, DensityRidge
from onekcal.models.kernels import low_rank
from onekcal.molecules import Molecules
from support.molecules import wobbly

ELEMENTS = (1, 6, 7, 8)
CUTOFF, N, C = 3.0, 4, 5


def drawn() -> DensityProducts:
    return DensityProducts.drawn(ELEMENTS, CUTOFF, C, N, seed=1)


def fitted(count: int = 24, **settings: object) -> DensityRidge:
    data = wobbly(count, seed=1)
    settings = {"densities": 20, "regularization": 1e-3, **settings}
    return DensityRidge(**settings).fit(data, data[:0])  # type: ignore[arg-type]


# --- products ---------------------------------------------------------------------------------


def word_for_word(known: DensityProducts, z: list[int], places: Tensor, i: int) -> Tensor:
    """(9C,) products of atom i, neighbour by neighbour."""
    A0 = torch.zeros(C, dtype=torch.float64)
    A1 = torch.zeros(C, 3, dtype=torch.float64)
    A2 = torch.zeros(C, 3, 3, dtype=torch.float64)
    W = known.mixtures.double().view(3, C, N, len(ELEMENTS))
    for j in range(len(z)):
        between = places[j] - places[i]
        r = float(between.norm())
        if j == i or r >= CUTOFF:
            continue
        u = between / r
        traceless = torch.outer(u, u) - torch.eye(3) / 3
        for nu in range(N):
            wave = math.sqrt(2 / CUTOFF) * math.sin((nu + 1) * math.pi * r / CUTOFF) / r
            g = wave * (1 - r**2 / CUTOFF**2) ** 3
            w = W[:, :, nu, ELEMENTS.index(z[j])]
            A0 += w[0] * g
            A1 += w[1, :, None] * g * u
            A2 += w[2, :, None, None] * g * traceless
    vv, TT = A1.square().sum(1), A2.square().sum((1, 2))
    turned = torch.einsum("ck,ckl,cl->c", A1, A2, A1)
    det = torch.linalg.det(A2)
    return torch.cat([A0, A0**2, A0**3, vv, TT, turned, det, A0 * vv, A0 * TT])


def test_products_are_those_of_their_equations() -> None:
    known = drawn()
    for molecule in wobbly(4, seed=5).molecules:
        found = known(molecule)
        for i in range(len(molecule.numbers)):
            expected = word_for_word(known, molecule.numbers.tolist(), molecule.positions, i)
            torch.testing.assert_close(found[i], expected, rtol=0, atol=1e-9)


def test_products_of_electrons_follow_those_of_neighbours() -> None:
    molecules = wobbly(8, seed=3).molecules
    plain = drawn()
    known = plain.with_electrons(molecules, seed=2)
    assert known.electronic is not None
    p, there = plain(molecules), known(molecules)
    torch.testing.assert_close(there[:, : 9 * C], p, rtol=0, atol=1e-12)
    own = electrons(molecules)
    z = torch.zeros_like(own)
    for element in ELEMENTS:
        of = molecules.numbers == element
        z[of] = (own[of] - own[of].mean(0)) / (
            own[of].std(0, correction=0) + density_products.LEAST
        )
    z = z.clamp(-density_products.FAR, density_products.FAR)
    u = torch.cat([z, torch.ones(len(z), 1)], 1) @ known.electronic.double().T
    a, vv, TT = p[:, :C], p[:, 3 * C : 4 * C], p[:, 4 * C : 5 * C]
    expected = torch.cat([z, u, u**2, u**3, u * a, u * vv, u * TT], 1)
    # GFN2-xTB's numbers are as good as its convergence
    torch.testing.assert_close(there[:, 9 * C :], expected, rtol=0, atol=1e-5)
    assert there.shape[1] == known.size


@pytest.mark.parametrize("mirrored", [False, True])
def test_products_do_not_turn_and_forces_do(mirrored: bool) -> None:
    model, molecules = fitted(), wobbly(5, seed=2).molecules
    turn = torch.from_numpy(Rotation.random(random_state=3).as_matrix())
    turn = -turn if mirrored else turn
    there = molecules.moved(molecules.positions @ turn.T)
    known = drawn()
    torch.testing.assert_close(known(there), known(molecules), rtol=0, atol=1e-10)
    pulled, turned = model.forces(molecules), model.forces(there)
    torch.testing.assert_close(turned, pulled @ turn.T, rtol=0, atol=1e-7)
    assert (turned - pulled).abs().max() > 0.1  # the control: they are not the same


def test_a_density_that_is_no_whole_vector_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: with one component of A¹ left out, products turn."""
    whole = density_products.turned_products

    def spoilt(v: Tensor, t: Tensor) -> list[Tensor]:
        return whole(v * torch.tensor([1.0, 1.0, 0.0]).view(1, 3, 1, 1), t)

    monkeypatch.setattr(density_products, "turned_products", spoilt)
    known, molecules = drawn(), wobbly(5, seed=2).molecules
    turn = torch.from_numpy(Rotation.random(random_state=3).as_matrix())
    there = molecules.moved(molecules.positions @ turn.T)
    assert (known(there) - known(molecules)).abs().max() > 1e-3


def test_slopes_are_exact() -> None:
    model, molecule = fitted(), wobbly(1, seed=3).molecules
    places = molecule.positions.clone().requires_grad_()
    assert gradcheck(lambda x: model.energies(molecule.moved(x)), (places,), eps=1e-5, atol=1e-4)


def test_two_far_molecules_add_up_and_near_ones_do_not() -> None:
    model, (a, b) = fitted(), (wobbly(2, seed=6).molecules[k] for k in range(2))

    def pair(apart: float) -> Molecules:
        shifted = b.positions + torch.tensor([apart, 0.0, 0.0])
        return Molecules.one(
            torch.cat([a.numbers, b.numbers]), torch.cat([a.positions, shifted]), name="pair"
        )

    lone = model.energies(a) + model.energies(b)
    assert (model.energies(pair(30.0)) - lone).abs() < 1e-9
    assert (model.energies(pair(2.0)) - lone).abs() > 1e-3


def test_the_energies_of_atoms_add_up() -> None:
    model, molecules = fitted(), wobbly(7, seed=2).molecules
    sums = molecules.sum_atoms(model.atomic_energies(molecules))
    torch.testing.assert_close(sums, model.energies(molecules), rtol=0, atol=1e-9)
    assert model.atomic_energies(molecules[:0]).shape == (0,)


# --- the fit ----------------------------------------------------------------------------------


def test_both_ways_to_solve_give_the_ridge(monkeypatch: pytest.MonkeyPatch) -> None:
    """60 equations for 4·(9·1 + 1) weights, against one dense solution."""
    monkeypatch.setattr(density_ridge, "BLOCK", 7)  # blocks that do not divide them
    data, lam = wobbly(60, seed=1), 0.5
    model = DensityRidge(1, regularization=lam).fit(data, data[:0])
    X = torch.cat(list(model._rows(data.molecules)))
    assert X.shape == (60, 40)
    expected = torch.linalg.solve(X.T @ X + lam * torch.eye(40), X.T @ data.energies)
    equations = list(model._equations(data))
    for solve in (density_ridge._primal, density_ridge._dual):
        found = solve(iter(equations), (60, 40), [lam])[lam][:, 0]
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(model.energies(data.molecules), X @ expected, rtol=0, atol=1e-6)
    assert X[:, 9].tolist() == (FREE * (data.molecules.composition([1])[:, 0])).tolist()


def test_of_several_regularizations_the_best_on_validation_data_is_taken() -> None:
    data, valid = wobbly(40, seed=1), wobbly(20, seed=2)
    values = [1e-3, 1e6]
    model = DensityRidge(20, regularization=values).fit(data, valid)
    errors = [
        float((m.energies(valid.molecules) - valid.energies).abs().mean())
        for m in (DensityRidge(20, regularization=value).fit(data, valid) for value in values)
    ]
    assert errors[0] < 0.1 * errors[1]
    assert model.regularization == 1e-3
    assert model.chosen == {"regularization": 1e-3}
    with pytest.raises(ConfigError, match="validation part"):
        DensityRidge(20, regularization=values).fit(data, data[:0])


def test_more_molecules_make_it_better() -> None:
    asked = wobbly(30, seed=7)

    def error(count: int) -> float:
        found = fitted(count).energies(asked.molecules)
        return float((found - asked.energies).abs().mean())

    assert error(200) < 0.5 * error(20)


def test_a_wrong_label_that_says_so_does_no_harm() -> None:
    data, asked = wobbly(40, seed=1), wobbly(9, seed=2).molecules
    bad = torch.arange(40) % 5 == 0
    off = data.minus(-30.0 * bad)

    def found(unsure: float) -> Tensor:
        values = torch.where(bad, unsure, 0.0).double()
        told = off.with_column(f"{off.target}_uncertainty", Column(values, "property"))
        model = DensityRidge(20, regularization=1e-3, label_noise=0.1).fit(told, told[:0])
        return model.energies(asked)

    true = fitted(40).energies(asked)
    assert (found(0.0) - true).abs().max() > 1.0
    assert (found(1e5) - true).abs().max() < 0.1 * (found(0.0) - true).abs().max()


def test_an_element_with_one_atom_in_the_data_is_learned() -> None:
    """Its products have no spread of their own."""
    data = wobbly(21, seed=1)
    one = data[torch.cat([torch.nonzero(torch.arange(21) % 4 != 1).flatten(), torch.tensor([1])])]
    assert int((one.molecules.numbers == 7).sum()) == 1
    model = DensityRidge(20, regularization=1e-6).fit(one, one[:0])
    assert model.energies(wobbly(20, seed=2).molecules).isfinite().all()
    assert (model.energies(one.molecules) - one.energies).abs().max() < 0.1


def test_what_it_cannot_answer_it_refuses() -> None:
    with pytest.raises(InputError, match="not fitted yet"):
        DensityRidge().energies(wobbly(1).molecules)
    with pytest.raises(InputError, match="S: not in the training data"):
        fitted().energies(Molecules.one([16, 1], [[0, 0, 0], [0, 0, 1.3]]))
    for name, value in (("densities", 0), ("cutoff", 0.0), ("regularization", -1.0)):
        with pytest.raises(ConfigError, match=name):
            DensityRidge(**{name: value})  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="label_noise"):
        DensityRidge(label_noise=-1.0)


def test_equations_that_rounding_spoils_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several λ those at which there is a solution are looked at."""
    whole = low_rank.cholesky
    monkeypatch.setattr(
        low_rank, "cholesky", lambda m, added: None if added < 1e-3 else whole(m, added)
    )
    data = wobbly(20, seed=1)
    assert DensityRidge(5, regularization=[1e-6, 1e-2]).fit(data, data).regularization == 1e-2
    with pytest.raises(ConfigError, match="density_ridge: .* at regularization 1e-06; raise it"):
        DensityRidge(5, regularization=1e-6).fit(data, data[:0])
