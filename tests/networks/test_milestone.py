"""The milestone report's baseline.

Its architecture, its three losses, and the symmetries it lacks.
"""

from __future__ import annotations

import pytest
import torch
from scipy.spatial.transform import Rotation

from onekcal.data.dataset import Dataset
from onekcal.errors import ConfigError
from onekcal.molecules import Molecules
from onekcal.networks.milestone import Milestone, MilestoneNetwork
from support.molecules import wobbly

LONG = {"epochs": 30, "rate": 1e-2, "batch": 8}


def fitted(recipe: str = "paper", **fit: object) -> tuple[Milestone, Dataset]:
    data = wobbly(48, seed=1)
    return Milestone(fit={"recipe": recipe, **fit}).fit(data, data[:0]), wobbly(16, seed=2)


def test_layers_are_those_of_the_report() -> None:
    """8 a charge; 3 → 16 → 16; 24 → 1."""
    net = MilestoneNetwork((1, 6, 8))
    assert sum(p.numel() for p in net.parameters()) == 3 * 8 + (3 * 16 + 16) + (16 * 16 + 16) + (
        24 + 1
    )


def test_weights_begin_gaussian_where_a_deviation_is_given() -> None:
    """256 weights of the second layer: their deviation is 1 within 20 %, four times its error."""
    torch.manual_seed(0)
    gaussian, uniform = (
        MilestoneNetwork((1, 6), deviation).space2.weight.detach() for deviation in (1.0, None)
    )
    assert float(gaussian.std()) == pytest.approx(1.0, rel=0.2)
    assert float(gaussian.abs().max()) > 2.0
    assert float(uniform.abs().max()) <= 0.25  # 1 / √16
    with pytest.raises(ConfigError, match="milestone: `deviation` must be positive, got -1"):
        Milestone(deviation=-1.0)


def test_energy_is_a_sum_over_atoms_alone() -> None:
    model, asked = fitted()
    one = asked.molecules[3]
    apart = [Molecules.one([int(z)], r[None].numpy()) for z, r in zip(one.numbers, one.positions)]
    atoms = model.energies(Molecules.concatenate(apart))
    assert float(model.energies(one)) == pytest.approx(float(atoms.sum()), rel=1e-5)


def test_energy_moves_and_turns_with_the_molecule_as_declared() -> None:
    """It is not invariant: were it, the declaration would be wrong."""
    model, asked = fitted(standardize=True, **LONG)
    still = asked.molecules
    turn = torch.from_numpy(Rotation.from_euler("xyz", [0.3, 1.1, -0.8]).as_matrix())
    for moved in (still.positions + torch.tensor([3.1, -2.2, 0.7]), still.positions @ turn.T):
        assert (model.energies(still.moved(moved)) - model.energies(still)).abs().max() > 0.1


def test_energy_does_not_depend_on_the_order_of_atoms() -> None:
    model, asked = fitted()
    backwards = Molecules.concatenate(
        [
            Molecules.one(m.numbers.flip(0).tolist(), m.positions.flip(0).numpy())
            for m in asked.molecules
        ]
    )
    assert torch.allclose(model.energies(backwards), model.energies(asked.molecules), rtol=1e-5)
    # the control: each molecule in the place of another of its kind, four rows further
    places = [asked.molecules[(row + 4) % len(asked)].positions for row in range(len(asked))]
    swapped = asked.molecules.moved(torch.cat(places))
    assert not torch.allclose(model.energies(swapped), model.energies(asked.molecules), rtol=1e-4)


def test_forces_do_not_sum_to_zero() -> None:
    model, asked = fitted("force", **LONG)
    assert asked.molecules.sum_atoms(model.forces(asked.molecules)).abs().max() > 0.1
    assert asked.forces is not None
    assert asked.molecules.sum_atoms(asked.forces).abs().max() < 1e-9  # the control: true forces do


def test_one_epoch_is_the_default_and_energies_are_taken_as_they_come() -> None:
    model, _ = fitted()
    assert model.summary["epochs"] == 1
    assert (model.shift, model.scale) == (0.0, 1.0)
    assert model.training.batch == 32


def test_normalised_energies_are_learned_far_better_than_raw_ones() -> None:
    """The report's section 3.1.1, at the same number of steps."""
    errors = {}
    for standardize in (False, True):
        model, asked = fitted(standardize=standardize, rate=1e-3, epochs=20, batch=8)
        errors[standardize] = float((model.energies(asked.molecules) - asked.energies).abs().mean())
    assert errors[True] < 0.6 * errors[False]


@pytest.mark.parametrize("recipe", ["force", "energy+force"])
def test_losses_with_forces_lower_the_error_of_forces(recipe: str) -> None:
    """Little: the map of a place cannot know its surroundings."""
    model, asked = fitted(recipe, **LONG)
    assert asked.forces is not None
    wrong = (model.forces(asked.molecules) - asked.forces).abs().mean()
    assert wrong < asked.forces.abs().mean()
