"""Scores of a calibration come from widths that were fitted without them (mutants survived)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from onekcal.errors import InputError
from onekcal.trust import conformal
from onekcal.trust.conformal import Conformal
from onekcal.trust.traits import Traits


def test_no_molecule_is_in_the_fit_of_its_own_width(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = torch.arange(1.0, 41.0, dtype=torch.float64)  # a molecule is known by its residual
    fits: list[set[float]] = []

    def fitted(residuals: torch.Tensor, traits: Any) -> Any:
        assert len(residuals) == len(traits.table)
        fits.append(set(residuals.tolist()))
        return SimpleNamespace(of=lambda own: torch.full((len(own.table),), float(len(fits))))

    monkeypatch.setattr(conformal.Widths, "fitted", fitted)
    scores = conformal._left_out(numbers, Traits(("size",), numbers[:, None]))
    fold = (numbers / scores).round().long()  # the number of the fit that gave the width
    assert sorted(set(fold.tolist())) == list(range(1, conformal.PARTS + 1))
    for number, own in zip(numbers.tolist(), fold.tolist()):
        assert number not in fits[own - 1]
        assert len(fits[own - 1]) == 40 - 40 // conformal.PARTS


@pytest.mark.parametrize("coverage", [-0.5, 0.0, 1.0, 1.5])
def test_the_ends_of_the_coverage_are_outside(coverage: float) -> None:
    with pytest.raises(InputError, match=r"coverage.*between 0 and 1"):
        Conformal.calibrated(torch.ones(20)).radius(coverage)
