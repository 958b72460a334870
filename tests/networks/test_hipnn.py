"""HIP-NN against its equations, its table II, and what physics asks of it."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from onekcal.errors import ConfigError
from onekcal.molecules import Molecules
from onekcal.networks.hipnn import (
    HipNN,
    HipNNNetwork,
    non_hierarchicality,
)
from onekcal.networks.sensitivities import Sensitivities, sensitivities
from onekcal.units import BOHR
from support.hipnn import ORGANIC, ROUNDING, batch_of, net
from support.molecules import wobbly

# --- to the letter ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("features", "printed", "exact"),
    [
        (5, "1.6", 1572),
        (10, "4.9", 4862),
        (20, "17", 16642),
        (40, "61", 61202),
        (60, "134", 133762),
        (80, "234", 234322),
    ],
)
def test_parameter_counts_are_those_of_table_2(features: int, printed: str, exact: int) -> None:
    network = HipNNNetwork(ORGANIC, features=features)
    count = sum(parameter.numel() for parameter in network.parameters())
    assert count == exact
    digits = 1 if "." in printed else 0
    assert f"{count / 1000:.{digits}f}" == printed


def literal(
    network: HipNNNetwork, numbers: list[int], positions: Tensor
) -> tuple[float, list[float], float]:
    """Energy, orders and R of one molecule by eqs. (1)–(11) and (18), atom by atom."""

    def linear(layer: Any, x: list[float]) -> list[float]:
        bias = layer.bias.tolist() if layer.bias is not None else [0.0] * len(layer.weight)
        return [
            sum(w * v for w, v in zip(row, x)) + b for row, b in zip(layer.weight.tolist(), bias)
        ]

    def softplus(x: list[float]) -> list[float]:
        return [math.log(1 + math.exp(v)) for v in x]

    def residual(layer: Any, activated: list[float], x: list[float]) -> list[float]:
        kept = x if layer.shortcut is None else linear(layer.shortcut, x)
        return [a + b for a, b in zip(linear(layer.outer, activated), kept)]

    def sensitivity(r: float, mu: float, sigma: float) -> float:
        cut = math.cos(math.pi / 2 * r / network.r_cut) ** 2 if r <= network.r_cut else 0.0
        return math.exp(-((1 / r - 1 / mu) ** 2) / (2 * sigma**-2)) * cut

    atoms = range(len(numbers))
    z = [[1.0 if element == number else 0.0 for element in network.elements] for number in numbers]
    local = [[network.zeroth.tolist()[network.elements.index(number)] for number in numbers]]
    for n, (interaction, onsite) in enumerate(zip(network.interactions, network.onsite), start=1):
        V, mu, sigma = (getattr(interaction, name).tolist() for name in ("V", "mu", "sigma"))
        new = []
        for i in atoms:
            inner = linear(interaction.inner, z[i])
            for j in atoms:
                if i == j:
                    continue
                r = float((positions[i] - positions[j]).norm() / BOHR)
                for b, feature in enumerate(z[j]):
                    for nu, row in enumerate(V[b]):
                        s = sensitivity(r, mu[nu], sigma[nu])
                        inner = [x + row[a] * s * feature for a, x in enumerate(inner)]
            new.append(residual(interaction.residual, softplus(inner), z[i]))
        for layer in onsite:
            new = [residual(layer.residual, softplus(linear(layer.inner, x)), x) for x in new]
        z = new
        head = network.heads[str(n)]
        w = (network.sigma_E * head.weight[0]).tolist()
        local.append([sum(a * b for a, b in zip(w, z[i])) + head.bias.item() for i in atoms])
    R = sum(
        local[n][i] ** 2 / (local[n][i] ** 2 + local[n - 1][i] ** 2)
        for n in range(1, len(local))
        for i in atoms
    )
    orders = [sum(order) for order in local]
    return sum(orders), orders, R


@pytest.mark.parametrize(
    "features", [3, 4, 6]
)  # fewer than, as many as, and more than the elements
def test_energy_orders_and_r_follow_the_equations(features: int) -> None:
    network = net(features=features)
    molecules = wobbly(4).molecules
    out = network(batch_of(molecules))
    assert out.terms is not None
    assert out.penalty is not None
    R = []
    for m, molecule in enumerate(molecules):
        energy, orders, r = literal(network, molecule.numbers.tolist(), molecule.positions)
        assert out.energies[m].item() == pytest.approx(energy, abs=ROUNDING)
        assert out.terms["orders"][m].tolist() == pytest.approx(orders, abs=ROUNDING)
        assert float(out.terms["R"][m]) == pytest.approx(r, abs=1e-9)  # FLOOR
        R.append(r)
    assert out.penalty.item() == pytest.approx(1e-2 * sum(R) / len(R), abs=1e-9)


def test_r_by_hand() -> None:
    orders = torch.tensor(
        [[[3.0, 4.0], [1.0, 0.0], [0.0, 0.0]], [[-2.0, 1.0], [5.0, 5.0], [0.0, 2.0]]]
    )
    # 16/25 + 0, an atom that is not there; 1/5 + 1/2 + 1
    assert torch.allclose(non_hierarchicality(orders), torch.tensor([0.64, 1.7]))


def test_zeroth_order_is_the_least_squares_fit_of_composition() -> None:
    data = wobbly(40, seed=3)
    network = HipNNNetwork((1, 6, 7, 8)).double()
    network.begin(data)
    counts = data.molecules.composition([1, 6, 7, 8])
    residual = data.energies - counts @ network.zeroth
    assert torch.allclose(
        counts.T @ residual, torch.zeros(4, dtype=torch.float64), atol=1e-8
    )  # normal equations
    assert float(network.sigma_E) == pytest.approx(
        float((data.energies - data.energies.mean()).square().mean().sqrt())
    )
    assert not any(parameter is network.zeroth for parameter in network.parameters())


def test_one_composition_and_one_energy_still_have_a_zeroth_order() -> None:
    data = wobbly(4)[[0]]
    network = HipNNNetwork((1, 8)).double()
    network.begin(data)
    assert float(2 * network.zeroth[0] + network.zeroth[1]) == pytest.approx(float(data.energies))
    assert float(network.sigma_E) == 1.0


def test_initial_values_are_the_papers() -> None:
    network = HipNNNetwork(ORGANIC, features=80)
    for layer in network.interactions:
        inverse = layer.mu.reciprocal()
        assert torch.allclose(inverse.diff(), torch.full((19,), (1 / 10 - 1 / 1.7) / 19), rtol=1e-3)
        assert torch.allclose(inverse[[0, -1]], torch.tensor([1 / 1.7, 1 / 10]))
        assert torch.allclose(layer.sigma, torch.tensor(68.0))
    glorot = math.sqrt(6 / 81)
    for n, scale in (("1", 1e-2), ("2", 1e-4)):  # w/σ_E
        head = network.heads[n]
        assert 0.8 * glorot * scale < head.weight.abs().max().item() <= glorot * scale
        assert head.bias.item() == 0.0


def test_l2_takes_in_the_matrices_and_neither_biases_nor_distances() -> None:
    network = HipNNNetwork(ORGANIC, features=8)
    held = {id(parameter) for parameter in network.decayed()}
    names = {name.rsplit(".", 1)[-1] for name, p in network.named_parameters() if id(p) in held}
    left = {name.rsplit(".", 1)[-1] for name, p in network.named_parameters() if id(p) not in held}
    assert names == {"weight", "V"}
    assert left == {"bias", "mu", "sigma"}


def test_without_hierarchy_there_is_one_order_and_no_penalty() -> None:
    network = net(hierarchy=False)
    data = wobbly(4)
    out = network(batch_of(data.molecules))
    assert out.penalty is None
    assert out.terms is None
    assert list(network.heads) == ["2"]
    assert float(network.zeroth.abs().max()) == 0.0


def test_the_paper_recipe_is_the_papers_protocol() -> None:
    told = HipNN(fit={"recipe": "paper"}).training
    assert (told.optimizer, told.betas, told.rate, told.batch, told.epochs) == (
        "adam",
        (0.9, 0.999),
        1e-3,
        30,
        2000,
    )
    assert (told.schedule, told.hold, told.patience, told.decay) == ("plateau", 100, 50, 0.5)
    assert (told.loss, told.l2, told.judged_by, told.ensemble) == ("mae+rmse", 1e-6, "mae", 1)


@pytest.mark.parametrize(
    "wrong",
    [{"features": 0}, {"r_low": 12.0}, {"r_cut": 5.0}, {"onsite": -1}, {"hierarchy_weight": -1.0}],
)
def test_impossible_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        HipNN(**wrong)


# --- derivatives ------------------------------------------------------------------------------


def test_written_slopes_of_the_sensitivities_are_right() -> None:
    torch.manual_seed(0)
    inverse = 1 / (2 + 5 * torch.rand(2, 3, 3, dtype=torch.float64))
    phi = torch.rand_like(inverse)
    peaks = torch.tensor([0.15, 0.3, 0.5], dtype=torch.float64, requires_grad=True)
    sigma = torch.tensor([8.0, 10.0, 12.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda p, s: Sensitivities.apply(inverse, phi, p, s), (peaks, sigma)
    )


def test_both_ways_to_the_sensitivities_agree() -> None:
    """With a gradient of the distances, for forces, and without."""
    torch.manual_seed(0)
    inverse = 1 / (1.4 + 13 * torch.rand(50, dtype=torch.float64))
    phi = torch.rand_like(inverse)
    found = []
    for wanted in (False, True):
        mu = torch.linspace(1.7, 10, 20, dtype=torch.float64, requires_grad=True)
        sigma = torch.full_like(mu, 68.0, requires_grad=True)
        s = sensitivities(inverse.requires_grad_(wanted), phi, mu, sigma)
        found.append((s.detach(), *torch.autograd.grad((s * torch.arange(20)).sum(), (mu, sigma))))
    for one, other in zip(*found):
        assert torch.allclose(one, other, rtol=1e-10, atol=1e-14)


def test_forces_are_the_slope_of_the_energy() -> None:
    network = net()
    molecules = wobbly(4).molecules
    batch = batch_of(molecules)
    positions = batch.positions.requires_grad_(True)
    slope = torch.autograd.grad(network(batch).energies.sum(), positions)[0]
    step = 1e-4  # Å; central differences leave ~1e-6 kcal/mol/Å
    for m, atom, axis in [(0, 0, 2), (1, 1, 0), (3, 5, 1)]:
        moved = torch.zeros_like(positions)
        moved[m, atom, axis] = step
        up, down = (
            network(batch._replace(positions=(positions + sign * moved).detach())).energies[m]
            for sign in (1, -1)
        )
        assert float(slope[m, atom, axis]) == pytest.approx(
            (up - down).item() / (2 * step), abs=1e-5
        )
    assert float(slope.abs().max()) > 0.1


LONELY = {
    "one atom": Molecules.one(["C"], [[0.0, 0.0, 0.0]]),
    "two atoms beyond the cut-off": Molecules.one(["C", "O"], [[0.0, 0.0, 0.0], [30.0, 0.0, 0.0]]),
    "an atom at the cut-off": Molecules.one(["C", "O"], [[0.0, 0.0, 0.0], [15.0 * BOHR, 0.0, 0.0]]),
    "one atom beside a molecule": Molecules.concatenate(
        [Molecules.one(["H"], [[0.0, 0.0, 0.0]]), wobbly(4).molecules[3]]
    ),
}


@pytest.mark.parametrize("molecules", LONELY.values(), ids=LONELY.keys())
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_nothing_lonely_makes_anything_infinite(molecules: Molecules, dtype: torch.dtype) -> None:
    network = net().to(dtype)
    batch = batch_of(molecules)
    positions = batch.positions.to(dtype).requires_grad_(True)
    out = network(batch._replace(positions=positions))
    pull = torch.autograd.grad(out.energies.sum(), positions, create_graph=True)[0]
    (out.energies.sum() + out.penalty + pull.square().sum()).backward()
    assert torch.isfinite(out.energies).all()
    assert torch.isfinite(pull).all()
    for name, parameter in network.named_parameters():
        assert parameter.grad is None or torch.isfinite(parameter.grad).all(), name
    assert float(pull[0].detach().abs().max()) < 1e-6  # nothing pulls on the first of them
