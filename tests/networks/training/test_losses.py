"""Losses against values computed by hand, and parts of a batch against the whole."""

from __future__ import annotations

import pytest
import torch

from onekcal.errors import ConfigError
from onekcal.networks.training.error_sums import errors, sums
from onekcal.networks.training.losses import loss
from onekcal.networks.training.settings import Settings

WRONG = torch.tensor([3.0, -4.0])  # MAE 3.5, MSE 12.5
OFF = torch.tensor([[1.0, -2.0, 2.0], [0.0, 0.0, 0.0], [0.0, 3.0, 0.0]])  # |F|² 9, 0, 9; Σ|F| 8


@pytest.mark.parametrize(
    ("kind", "energies", "forces"),
    [
        ("mae", 3.5, 8 / 9),
        ("rmse", 12.5**0.5, 2**0.5),
        ("mae+rmse", 3.5 + 12.5**0.5, 8 / 9 + 2**0.5),
        ("mse", 12.5, 6.0),
    ],
)
def test_each_loss_is_what_the_formula_gives(kind: str, energies: float, forces: float) -> None:
    only = Settings.of({"loss": kind})
    assert float(loss(sums(WRONG), only)) == pytest.approx(energies, rel=1e-12)
    both = Settings.of({"loss": kind, "energy_weight": 0.01, "force_weight": 2.0})
    expected = 0.01 * energies + 2.0 * forces
    assert float(loss(sums(WRONG, OFF, 3.0), both)) == pytest.approx(expected, rel=1e-12)


def test_a_regulariser_is_added_as_it_is() -> None:
    assert float(loss(sums(WRONG, extra=0.25), Settings.of({"loss": "mae"}))) == pytest.approx(3.75)


def test_parts_added_before_the_root_give_the_loss_of_the_whole() -> None:
    """With the control: the mean of the parts' own losses is another number."""
    settings = Settings.of({"loss": "rmse"})
    parts = [sums(WRONG[:1]), sums(WRONG[1:])]
    assert float(loss(sum(parts), settings)) == pytest.approx(
        float(loss(sums(WRONG), settings)), rel=1e-14
    )
    assert abs(sum(float(loss(part, settings)) for part in parts) / 2 - 12.5**0.5) > 0.03


def test_gradient_is_finite_where_nothing_is_wrong() -> None:
    wrong = torch.zeros(3, requires_grad=True)
    loss(sums(wrong), Settings.of({"loss": "mae+rmse"})).backward()
    assert torch.isfinite(wrong.grad).all()


def test_a_batch_without_a_known_force_has_a_loss_of_energies_only() -> None:
    settings = Settings.of({"loss": "mse", "energy_weight": 1.0, "force_weight": 1.0})
    assert float(loss(sums(WRONG, torch.zeros(2, 3), 0.0), settings)) == pytest.approx(12.5)


def test_errors_come_back_in_units() -> None:
    found = errors(sums(WRONG, OFF, 3.0), 10.0)
    assert found["mae"] == pytest.approx(35.0)
    assert found["force_rmse"] == pytest.approx(10 * 2**0.5)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"epoch": 3}, "fit takes no 'epoch'; did you mean 'epochs'"),
        ({"recipe": "oncycle"}, "no recipe 'oncycle'; did you mean 'onecycle'"),
        ({"rate": -1.0}, "fit.rate: .*greater than 0, got -1.0"),
        ({"loss": "huber"}, "fit.loss: .*got 'huber'"),
        ({"energy_weight": 0.0}, "nothing would be learned"),
        ({"compile": True, "force_weight": 1.0}, "cannot differentiate twice"),
        ({"schedule": "linear"}, "fit.schedule"),
    ],
)
def test_settings_that_cannot_be_are_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Settings.of(given)


def test_keys_beside_a_recipe_change_it() -> None:
    settings = Settings.of({"recipe": "plateau", "rate": 0.5})
    assert (settings.schedule, settings.rate, settings.epochs) == ("plateau", 0.5, 2000)
