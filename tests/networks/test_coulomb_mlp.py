"""The perceptron on Coulomb matrices.

Its equations word for word, its noise, and what it refuses.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from onekcal.data.dataset import Column, Dataset
from onekcal.errors import ConfigError, InputError
from onekcal.features.coulomb import coulomb_matrix, packed, sorted_by_norm
from onekcal.molecules import Molecules
from onekcal.networks.coulomb_mlp import FEATURES, CoulombMLP, CoulombMLPNetwork
from onekcal.networks.network import Batch
from onekcal.networks.training.session import Progress, session
from onekcal.units import BOHR
from support.molecules import wobbly

SHORT = {"recipe": "constant", "epochs": 2, "batch": 8, "rate": 1e-2}


def fitted(features: str = "random", data: Dataset | None = None, **settings: Any) -> CoulombMLP:
    data = wobbly(24, seed=1) if data is None else data
    settings = {"hidden": (12, 6), "dtype": "float64", "fit": SHORT, **settings}
    return CoulombMLP(features, **settings).fit(data, data[:0])


def batch(model: CoulombMLP, molecules: Molecules) -> Batch:
    return next(iter(model._batches(molecules)))


def net(model: CoulombMLP) -> CoulombMLPNetwork:
    assert isinstance(model.networks[0], CoulombMLPNetwork)
    return model.networks[0].eval()


# --- the equations ----------------------------------------------------------------------------


def entries_by_the_letter(
    molecule: Molecules, features: str, room: int, noise: np.ndarray
) -> np.ndarray:
    """Entry by entry from the definition of the matrix.

    `noise` belongs to places in the noiseless order.
    """
    count = len(molecule.numbers)
    matrix = np.zeros((room, room))
    for i in range(count):
        for j in range(count):
            z, w = int(molecule.numbers[i]), int(molecule.numbers[j])
            r = float((molecule.positions[i] - molecule.positions[j]).norm()) / BOHR
            matrix[i, j] = 0.5 * z**2.4 if i == j else z * w / r
    if features == "eigenvalues":
        return np.sort(np.abs(np.linalg.eigvalsh(matrix)))[::-1]
    order = np.argsort(-np.linalg.norm(matrix, axis=1), kind="stable")
    if features == "random":
        order = order[np.argsort(-(np.linalg.norm(matrix, axis=1)[order] + noise), kind="stable")]
    return np.array([matrix[order[i], order[j]] for i in range(room) for j in range(i + 1)])


def by_the_letter(model: CoulombMLP, molecule: Molecules) -> float:
    weights, answers = {name: t.numpy() for name, t in net(model).state_dict().items()}, []
    for draw in weights["draws"] if model.features == "random" else weights["draws"][:1]:
        entries = entries_by_the_letter(molecule, model.features, model.room, model.noise * draw)
        if model.theta:
            entries = np.array(
                [
                    np.tanh((x - k * model.theta) / model.theta)
                    for x, steps in zip(entries, weights["steps"])
                    for k in range(steps)
                ]
            )
        x = (entries - weights["mean"]) / weights["deviation"]
        for layer in (0, 1):
            x = 1 / (
                1
                + np.exp(-(weights[f"hidden.{layer}.weight"] @ x + weights[f"hidden.{layer}.bias"]))
            )
        answers.append(float((weights["output.weight"] @ x + weights["output.bias"])[0]))
    return model.shift + model.scale * float(np.mean(answers))


@pytest.mark.parametrize(
    ("features", "theta"),
    [("eigenvalues", None), ("sorted", None), ("random", None), ("random", 0.7), ("sorted", 2.0)],
)
def test_energies_are_those_of_the_equations(features: str, theta: float | None) -> None:
    model, asked = fitted(features, theta=theta), wobbly(4, seed=5).molecules
    expected = torch.tensor(
        [by_the_letter(model, molecule) for molecule in asked], dtype=torch.float64
    )
    assert torch.allclose(model.energies(asked), expected, atol=1e-8, rtol=0)


def test_random_matrices_alone_are_binarised_where_nothing_is_said() -> None:
    assert [fitted(features).theta for features in FEATURES] == [1.0, 0.0, 0.0]


def test_inputs_are_standardised_on_the_training_molecules() -> None:
    """Sorted ones, which are the same at every look.

    Those with the least deviation have less than 1.
    """
    model, data = fitted("sorted"), wobbly(24, seed=1)
    inputs = net(model)
    x = (packed(sorted_by_norm(coulomb_matrix(data.molecules))) - inputs.mean) / inputs.deviation
    assert float(x.mean(0).abs().max()) < 1e-9
    spread = x.std(0, correction=0)
    free = inputs.deviation > 1.001e-3
    assert free.any()
    assert torch.allclose(spread[free], torch.ones(int(free.sum()), dtype=torch.float64), atol=1e-6)


def test_every_entry_has_steps_up_to_its_own_largest_value() -> None:
    """Water alone: oxygen's ½ 8^2.4 = 73.5 has steps 0 … 73, hydrogen's ½ has one.

    A half step doubles them.
    """
    data = wobbly(24, seed=1)[[0, 4, 8, 12, 16, 20]]
    steps = fitted("sorted", data, theta=1.0).steps
    assert (int(steps[0]), int(steps[2]), len(steps)) == (74, 1, 6)
    assert int(fitted("sorted", data, theta=0.5).steps[0]) == 148


def test_qm7_has_about_two_thousand_inputs(real_data: Path) -> None:
    """The study's number for a step of 1; one common maximum would make 107,000."""
    with np.load(real_data / "qm7.npz") as file:
        numbers, positions = file["Z"], file["R"]
    molecules = Molecules.padded(numbers, positions)
    model = CoulombMLP(size=23)
    model.room = 23
    assert 1700 < int(model._steps(molecules).sum()) < 2100
    assert net_of(model, 2000).hidden[0].out_features == 400


def net_of(model: CoulombMLP, inputs: int) -> CoulombMLPNetwork:
    model.room, model.steps = 1, torch.tensor([inputs])
    return model.network((1, 6))


def test_layers_have_400_and_100_units() -> None:
    weights = sum(p.numel() for p in net_of(CoulombMLP(), 1821).parameters())
    assert weights == (1821 * 400 + 400) + (400 * 100 + 100) + (100 + 1)


# --- the noise --------------------------------------------------------------------------------


def test_training_sees_another_ordering_every_time_and_asking_the_same() -> None:
    model = fitted()
    some = batch(model, wobbly(12, seed=5).molecules)
    inside = net(model).train()
    looks = [inside.entries(some) for _ in range(2)]
    assert (looks[0] != looks[1]).any(
        1
    ).float().mean() > 0.5  # molecules, of which some keep their order by chance
    inside.eval()
    assert torch.equal(inside.entries(some), inside.entries(some))
    still = net(fitted(noise=0.0)).train()  # the control
    assert torch.equal(still.entries(some), still.entries(some))


def test_orderings_of_molecules_in_a_batch_differ() -> None:
    """A draw for each: sixteen times the same methane does not come out in one order."""
    model = fitted()
    methane = wobbly(4).molecules[2]
    inside = net(model).train()
    seen = inside.entries(batch(model, Molecules.concatenate([methane] * 16)))
    assert len({tuple(row.tolist()) for row in seen}) > 4


def test_noise_rearranges_and_changes_nothing_else() -> None:
    model = fitted()
    molecules = wobbly(8, seed=5).molecules
    looks = net(model).train().entries(batch(model, molecules))
    order = model._order(molecules)
    still = packed(coulomb_matrix(molecules, model.room))
    assert torch.allclose(looks[order].sort(1).values, still.sort(1).values, atol=1e-12)


def test_an_answer_is_the_mean_over_orderings() -> None:
    model, asked = fitted(orderings=6), wobbly(8, seed=5).molecules
    draws, alone = net(model).draws, []
    for draw in draws:
        model.networks[0].draws = draw[None]
        alone.append(model.energies(asked))
    model.networks[0].draws = draws
    assert torch.allclose(model.energies(asked), torch.stack(alone).mean(0), atol=1e-9)
    assert torch.stack(alone).std(0).max() > 1e-3  # the control: orderings do not agree


class StopError(Exception):
    pass


def test_a_resumed_training_draws_the_noise_it_would_have_drawn(tmp_path: Path) -> None:
    data, whole, broken = wobbly(24, seed=1), tmp_path / "whole", tmp_path / "broken"
    whole.mkdir()
    broken.mkdir()
    settings: dict[str, Any] = {"fit": {**SHORT, "epochs": 6, "checkpoint": 0.0}}
    with session(whole):
        straight = fitted(data=data, **settings)

    def stop(at: Progress) -> None:
        if at.epoch >= 4:
            raise StopError

    with session(broken, watch=stop), pytest.raises(StopError):
        fitted(data=data, **settings)
    with session(broken, resume=True) as inside:
        told: list[str] = []
        inside.say = told.append
        resumed = fitted(data=data, **settings)
    assert "going on after epoch 3 of 6" in told[0]
    assert torch.equal(straight.energies(data.molecules), resumed.energies(data.molecules))
    assert (whole / "epochs.csv").read_text() == (broken / "epochs.csv").read_text()
    other = fitted(data=data, seed=1, **settings)  # the control
    assert not torch.equal(straight.energies(data.molecules), other.energies(data.molecules))


# --- training ---------------------------------------------------------------------------------


@pytest.mark.parametrize("features", FEATURES)
def test_geometry_is_learned_not_only_what_a_molecule_is_made_of(features: str) -> None:
    """Bent waters, 80 to learn from.

    An error of a fifth of the control, which answers with their mean energy.
    """
    data, unseen = (
        wobbly(320, seed=1)[list(range(0, 320, 4))],
        wobbly(64, seed=2)[list(range(0, 64, 4))],
    )
    model = fitted(features, data, hidden=(20, 10), fit={"epochs": 30, "batch": 8, "rate": 2e-2})
    wrong = (model.energies(unseen.molecules) - unseen.energies).abs().mean()
    assert wrong < 0.2 * (data.energies.mean() - unseen.energies).abs().mean()


def test_recipe_of_the_study_is_judged_by_the_training_loss_where_nothing_is_held_out() -> None:
    model = fitted(fit={"recipe": "paper", "epochs": 3})
    assert (model.training.loss, model.training.optimizer, model.training.schedule) == (
        "mae",
        "adam",
        "plateau",
    )
    assert model.training.judged_by == "loss"
    assert CoulombMLP().training.recipe == "onecycle"  # the default, for a validation part


def test_forces_of_eigenvalues_are_minus_the_gradient() -> None:
    """Where no two are equal: methanol out of shape. 1e-5: of central differences."""
    model, molecule = fitted("eigenvalues"), wobbly(4, seed=6).molecules[3]
    analytic, step = model.forces(molecule), 1e-4
    for atom, axis in ((0, 0), (1, 2), (5, 1)):
        moved = torch.zeros_like(molecule.positions)
        moved[atom, axis] = step
        up, down = (
            model.energies(molecule.moved(molecule.positions + sign * moved)) for sign in (1, -1)
        )
        assert float(analytic[atom, axis]) == pytest.approx(
            -float(up - down) / (2 * step), rel=1e-5, abs=1e-5
        )


# --- what it is asked -------------------------------------------------------------------------


@pytest.mark.parametrize("features", FEATURES)
def test_one_two_and_three_atoms_on_a_line_have_an_energy(features: str) -> None:
    model = fitted(features)
    lines = [
        Molecules.one(["C"], [[0, 0, 0]]),
        Molecules.one(["H", "H"], [[0, 0, 0], [0, 0, 0.74]]),
        Molecules.one(["O", "C", "O"], [[0, 0, -1.16], [0, 0, 0], [0, 0, 1.16]]),
    ]
    assert torch.isfinite(model.energies(Molecules.concatenate(lines))).all()


def chain_of(atoms: int) -> Molecules:
    return Molecules.one(
        ["C"] * atoms, [[1.5 * k, 0.0, 0.0] for k in range(atoms)], name="carbon chain"
    )


def labelled(molecules: Molecules) -> Dataset:
    return Dataset(
        molecules, {"pairs": Column(torch.zeros(len(molecules), dtype=torch.float64))}, "pairs"
    )


def test_a_molecule_larger_than_the_matrix_is_refused_with_both_sizes() -> None:
    with pytest.raises(
        InputError,
        match=r"'carbon chain'\) has 7 atoms, but the matrix of this network holds 6 .*size: 7",
    ):
        fitted().energies(chain_of(7))
    roomy = fitted(size=9)
    assert torch.isfinite(roomy.energies(chain_of(7))).all()
    with pytest.raises(InputError, match="holds 9"):
        roomy.energies(chain_of(10))


def test_training_and_validation_parts_must_fit_the_matrix_too() -> None:
    data = wobbly(8)
    with pytest.raises(InputError, match="has 6 atoms, but the matrix of this network holds 5"):
        CoulombMLP(size=5, fit=SHORT).fit(data, data[:0])
    with pytest.raises(InputError, match="has 7 atoms, but the matrix of this network holds 6"):
        CoulombMLP(fit=SHORT).fit(data, labelled(chain_of(7)))


def test_atoms_on_one_point_are_refused_by_name() -> None:
    twice = Molecules.one(["C", "H"], [[0, 0, 0], [0, 0, 0]], name="folded")
    with pytest.raises(InputError, match=r"'folded'\): atoms 1 and 2 are 0\.000 Å apart"):
        fitted().energies(twice)
    with pytest.raises(InputError, match="'folded'"):
        CoulombMLP(fit=SHORT).fit(labelled(twice), wobbly(4)[:0])


def test_an_element_that_was_never_seen_is_refused() -> None:
    with pytest.raises(InputError, match="knows no F"):
        fitted().energies(Molecules.one(["H", "F"], [[0, 0, 0], [0, 0, 0.92]]))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"features": "radnom"}, "random"),
        ({"size": 0}, "`size` must be at least 1, got 0"),
        ({"theta": -1.0}, "`theta` must be at least 0"),
        ({"noise": -0.5}, "`noise` must be at least 0"),
        ({"orderings": 0}, "`orderings` must be at least 1, got 0"),
        ({"hidden": []}, "`hidden` must be at least 1"),
        ({"hidden": [400, 0]}, "`hidden` must be at least 1, got 0"),
    ],
)
def test_what_cannot_be_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        CoulombMLP(**settings)


def test_nothing_is_asked_of_an_untrained_network_nor_of_no_molecules() -> None:
    with pytest.raises(InputError, match="not trained yet"):
        CoulombMLP().energies(chain_of(2))
    assert fitted().energies(wobbly(4)[:0].molecules).shape == (0,)


def test_a_stored_network_keeps_its_room_and_its_draws() -> None:
    model, asked = fitted(size=8, seed=3), wobbly(8, seed=4).molecules
    loaded = CoulombMLP(hidden=(12, 6), dtype="float64", size=8).load_state(model.state())
    assert torch.equal(loaded.energies(asked), model.energies(asked))
    assert loaded.room == 8
