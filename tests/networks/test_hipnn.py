"""HIP-NN against its equations, its table II, and what physics asks of it."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from onekcal.data.dataset import Dataset
from onekcal.datasets import store
from onekcal.datasets.card import Stored
from onekcal.errors import ConfigError
from onekcal.models.artefact import Artefact
from onekcal.molecules import Molecules
from onekcal.networks.hipnn import (
    HipNN,
    HipNNNetwork,
    non_hierarchicality,
)
from onekcal.networks.network import Batch
from onekcal.networks.sensitivities import Sensitivities, sensitivities
from onekcal.prediction.prediction import answer
from onekcal.prediction.questions import Question
from onekcal.runs.experiment import parse
from onekcal.runs.run import run
from onekcal.units import BOHR
from support.molecules import wobbly

ORGANIC = (1, 6, 7, 8, 9)
ROUNDING = 1e-10
"""kcal/mol; float64 sums of ~100 kcal/mol."""


def net(elements: tuple[int, ...] = (1, 6, 7, 8), seed: int = 0, **settings: Any) -> HipNNNetwork:
    """A float64 network at the scale of the toy energies, no parameter at its initial value."""
    torch.manual_seed(seed)
    made = HipNNNetwork(
        elements, **{"features": 6, "sensitivities": 5, "onsite": 1} | settings
    ).double()
    made.begin(wobbly(24))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return made


def batch_of(molecules: Molecules, elements: tuple[int, ...] = (1, 6, 7, 8)) -> Batch:
    numbers, positions = molecules.pad()
    species = torch.zeros_like(numbers)
    for index, charge in enumerate(elements):
        species[numbers == charge] = index
    return Batch(species, positions, numbers > 0)


def energies(network: HipNNNetwork, molecules: Molecules) -> Tensor:
    return network(batch_of(molecules, network.elements)).energies


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


# --- symmetries -------------------------------------------------------------------------------

TURN = torch.from_numpy(Rotation.from_euler("xyz", [0.3, 1.1, -0.8]).as_matrix())


def test_energy_neither_moves_nor_turns_nor_mirrors_with_the_molecule() -> None:
    network = net()
    still = wobbly(4).molecules
    there = energies(network, still)
    for moved in (
        still.positions + torch.tensor([3.1, -2.2, 0.7]),
        still.positions @ TURN.T,
        -still.positions,
    ):
        assert torch.allclose(energies(network, still.moved(moved)), there, atol=ROUNDING, rtol=0)
    stretched = still.moved(
        still.positions * torch.tensor([1.01, 1.0, 1.0])
    )  # the control: not a rigid motion
    assert not torch.allclose(energies(network, stretched), there, atol=1e-3, rtol=0)


def test_energy_does_not_depend_on_the_order_of_atoms() -> None:
    network = net()
    molecule = wobbly(4).molecules[3]
    order = torch.tensor([4, 0, 2, 5, 1, 3])
    same = Molecules.one(molecule.numbers[order].tolist(), molecule.positions[order])
    assert torch.allclose(
        energies(network, same), energies(network, molecule), atol=ROUNDING, rtol=0
    )
    other = Molecules.one(
        molecule.numbers.tolist(), molecule.positions[order]
    )  # the control: charges stay behind
    assert not torch.allclose(
        energies(network, other), energies(network, molecule), atol=1e-3, rtol=0
    )


def test_padding_is_not_seen() -> None:
    network = net()
    molecules = wobbly(4).molecules
    together = energies(network, molecules)
    alone = torch.cat([energies(network, molecule) for molecule in molecules])
    assert torch.allclose(together, alone, atol=ROUNDING, rtol=0)


@pytest.mark.parametrize("apart", [20.0, 100.0])
def test_two_molecules_that_do_not_meet_add_up(apart: float) -> None:
    network = net()
    one, two = wobbly(4).molecules[0], wobbly(4).molecules[2]
    both = Molecules.one(
        [*one.numbers.tolist(), *two.numbers.tolist()],
        torch.cat([one.positions, two.positions + torch.tensor([apart, 0.0, 0.0])]),
    )
    expected = energies(network, one) + energies(network, two)
    assert torch.allclose(energies(network, both), expected, atol=ROUNDING, rtol=0)
    near = both.moved(
        torch.cat([one.positions, two.positions + torch.tensor([4.0, 0.0, 0.0])])
    )  # the control
    assert not torch.allclose(energies(network, near), expected, atol=1e-3, rtol=0)


def test_energy_and_force_fade_out_at_the_cut_off() -> None:
    network = net(r_high=6.0, r_cut=6.0)
    edge = 6.0 * BOHR

    def pull(distance: float) -> tuple[float, float]:
        x = torch.tensor(distance, dtype=torch.float64, requires_grad=True)
        there = torch.stack([torch.zeros(3, dtype=torch.float64), torch.stack([x, x * 0, x * 0])])
        energy = network(
            Batch(torch.tensor([[1, 3]]), there[None], torch.tensor([[True, True]]))
        ).energies[0]
        return energy.item(), float(torch.autograd.grad(energy, x)[0])

    inside, within, beyond = pull(edge - 0.3), pull(edge - 1e-5), pull(edge + 1e-5)
    assert beyond[1] == 0.0
    # φ vanishes as the square of the distance to the cut-off: energies meet to ~1e-10, slopes to
    # ~1e-5 of their size
    assert within[0] == pytest.approx(beyond[0], abs=1e-6)
    assert abs(within[1]) < 1e-3 * abs(inside[1])
    assert abs(inside[1]) > 1e-3


# --- learning ---------------------------------------------------------------------------------

QUICK = {"recipe": "fast", "epochs": 25, "batch": 8, "rate": 5e-3}


def test_it_learns_and_tells_its_orders() -> None:
    data = wobbly(64, seed=1)
    model = HipNN(features=8, onsite=1, fit=QUICK).fit(data[:48], data[48:])
    told = model.terms(data.molecules)
    wrong = (
        (told["orders"].cumsum(1) - data.energies[:, None])[48:].abs().mean(0)
    )  # truncated at order 0, 1, 2
    assert wrong[2] < 0.5 * wrong[0]
    assert torch.allclose(
        told["orders"].sum(1), model.energies(data.molecules), atol=1e-3
    )  # single precision
    assert told["R"].shape == (64,)
    assert float(told["R"].min()) >= 0


def test_it_learns_forces() -> None:
    data = wobbly(32, seed=1)
    settings = {"features": 8, "onsite": 1, "fit": QUICK | {"force_weight": 1.0}}
    off = [
        (
            HipNN(**(settings | {"fit": settings["fit"] | {"epochs": epochs}}))
            .fit(data[:24], data[24:])  # type: ignore
            .forces(data[24:].molecules)
            - data[24:].forces
        )
        .abs()
        .mean()
        for epochs in (1, 25)
    ]
    assert off[1] < 0.5 * off[0]


def test_total_energies_far_from_zero_are_learned_as_well() -> None:
    """Trajectories come with totals of −100,000 kcal/mol.

    Single precision must not eat the differences.
    """
    data = wobbly(48, seed=1)
    data = data[[m for m in range(48) if m % 4 == 3]]
    shifted = Dataset(
        data.molecules,
        {"pairs": replace(data.columns["pairs"], values=data.energies - 97_000.0)},
        "pairs",
    )
    near, far = (
        HipNN(features=8, onsite=0, fit=QUICK | {"epochs": 60})
        .fit(some, some[:0])
        .energies(data.molecules)
        for some in (data, shifted)
    )
    spread = float((data.energies - data.energies.mean()).abs().mean())
    assert float((near - data.energies).abs().mean()) < 0.2 * spread
    assert float((far - shifted.energies).abs().mean()) < 0.2 * spread


def test_a_run_and_predict_tell_r_and_the_orders(tmp_path: Path) -> None:
    store.save(tmp_path / "wobbly.h5", Stored(wobbly(24)))
    done = run(
        parse(
            {
                "data": {
                    "set": str(tmp_path / "wobbly.h5"),
                    "target": "pairs",
                    "train": 12,
                    "valid": 4,
                    "test": 2,
                },
                "stages": [{"hipnn": {"features": 5, "fit": {"recipe": "fast", "epochs": 2}}}],
            }
        ),
        tmp_path / "run",
    )
    with (done.folder / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        assert float(row["orders_0"]) + float(row["orders_1"]) + float(
            row["orders_2"]
        ) == pytest.approx(float(row["predicted"]), abs=1e-3)
    artefact = Artefact.load(done.folder / "model.safetensors")
    told = artefact.model.terms(done.test.molecules)
    assert told["R"].tolist() == pytest.approx([float(row["R"]) for row in rows], abs=1e-4)
    found = answer(Question(source="water", molecule=done.test.molecules[0]), artefact)
    assert found.to_dict()["model"]["R"] == pytest.approx(told["R"][:1].tolist())
