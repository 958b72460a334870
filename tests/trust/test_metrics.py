"""Metrics whose references are not zero (mutants survived the tests that had only zeros)."""

from __future__ import annotations

import math

import pytest
import torch

from onekcal.trust.metrics import metrics


def test_errors_are_predicted_minus_reference() -> None:
    found = metrics(torch.tensor([10.0, -20.0]), torch.tensor([10.5, -22.0]))
    assert found["mae"] == pytest.approx(1.25)
    assert found["bias"] == pytest.approx(-0.75)
    assert found["max"] == pytest.approx(2.0)
    assert found["above_1"] == pytest.approx(0.5)


def test_one_molecule_has_metrics_and_none_has_not() -> None:
    one = metrics(torch.tensor([3.0]), torch.tensor([2.0]))
    assert (one["count"], one["failed"], one["mae"], one["median"]) == (1, 0, 1.0, 1.0)
    none = metrics(torch.zeros(0), torch.zeros(0))
    assert (none["count"], none["failed"]) == (0, 0)
    assert math.isnan(none["mae"])


@pytest.mark.parametrize(("error", "share"), [(0.999, 0.0), (1.0, 0.0), (1.005, 1.0)])
def test_one_kcal_is_not_above_one_kcal(error: float, share: float) -> None:
    reference = torch.tensor([0.0], dtype=torch.float64)
    assert metrics(reference, reference + error)["above_1"] == share
