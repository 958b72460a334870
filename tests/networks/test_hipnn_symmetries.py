"""HIP-NN: symmetries, and what it learns."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from scipy.spatial.transform import Rotation

from onekcal.data.dataset import Dataset
from onekcal.datasets import store
from onekcal.datasets.card import Stored
from onekcal.models.artefact import Artefact
from onekcal.molecules import Molecules
from onekcal.networks.hipnn import (
    HipNN,
)
from onekcal.networks.network import Batch
from onekcal.prediction.prediction import answer
from onekcal.prediction.questions import Question
from onekcal.runs.experiment import parse
from onekcal.runs.run import run
from onekcal.units import BOHR
from support.hipnn import ROUNDING, energies, net
from support.molecules import wobbly

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
