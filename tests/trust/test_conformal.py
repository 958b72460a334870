"""Conformal intervals: the rank by hand, and the coverage they promise."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression

from onekcal.errors import InputError
from onekcal.trust.conformal import Conformal, coverage
from onekcal.trust.metrics import metrics


def test_radius_is_the_rank_worked_out_by_hand() -> None:
    residuals = torch.tensor([-9.0, 1.0, -2.0, 3.0, -4.0, 5.0, 6.0, -7.0, 8.0])
    assert Conformal.calibrated(residuals).radius(0.9) == 9.0  # ⌈10 · 0.9⌉ = 9th of 9
    assert Conformal.calibrated(residuals).radius(0.5) == 5.0  # ⌈10 · 0.5⌉ = 5th


@pytest.mark.parametrize("nominal", [0.5, 0.9, 0.95])
def test_radius_is_that_of_mapie(nominal: float) -> None:
    regression = pytest.importorskip("mapie.regression")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(150, 2))
    y = x @ [1.0, 2.0] + rng.normal(size=150)
    model = LinearRegression().fit(x[:50], y[:50])
    theirs = regression.SplitConformalRegressor(
        model, confidence_level=nominal, prefit=True
    ).conformalize(x[50:], y[50:])
    predicted, ends = theirs.predict_interval(x[:1])
    ours = Conformal.calibrated(torch.from_numpy(y[50:] - model.predict(x[50:])))
    assert ours.radius(nominal) == pytest.approx(float(ends[0, 1, 0] - predicted[0]), rel=1e-12)


def test_too_few_residuals_promise_nothing() -> None:
    assert math.isinf(Conformal.calibrated(torch.ones(8)).radius(0.9))


def test_a_coverage_outside_0_and_1_is_refused() -> None:
    with pytest.raises(InputError, match=r"coverage.*between 0 and 1"):
        Conformal.calibrated(torch.ones(20)).radius(90)


def test_intervals_cover_what_they_promise_and_too_short_ones_do_not() -> None:
    """Mean coverage over 400 draws of 200 calibration points is 181/201 = 0.9005, standard error
    0.001.
    """
    draw = torch.Generator().manual_seed(0)
    inside, short = [], []
    for _ in range(400):
        residuals = torch.randn(1200, generator=draw)
        q = Conformal.calibrated(residuals[:200])
        new = residuals[200:]
        inside.append(coverage(new, *q.interval(torch.zeros_like(new), 0.9)))
        half = 0.8 * q.radius(0.9)
        short.append(coverage(new, torch.full_like(new, -half), torch.full_like(new, half)))
    assert abs(sum(inside) / 400 - 181 / 201) < 0.005
    assert sum(short) / 400 < 0.85


def test_where_errors_grow_with_the_spread_every_spread_is_covered_and_by_one_width_it_is_not() -> (
    None
):
    """20,000 errors of 1 + d kcal/mol, d = 0 and 4: the share covered has a standard error of
    0.003 in each half.
    """
    draw = torch.Generator().manual_seed(0)
    rivalry = torch.tensor([0.0, 4.0]).repeat(20_000)
    residuals = (1 + rivalry) * torch.randn(len(rivalry), generator=draw)
    known, new = slice(None, 20_000), slice(20_000, None)
    follows, constant = (
        Conformal.calibrated(residuals[known], rivalry[known]),
        Conformal.calibrated(residuals[known]),
    )
    nothing = torch.zeros_like(residuals[new])
    (low, high), (lower, upper) = (
        follows.interval(nothing, 0.9, rivalry[new]),
        constant.interval(nothing, 0.9, rivalry[new]),
    )
    for d in (0.0, 4.0):
        which = rivalry[new] == d
        assert coverage(residuals[new][which], low[which], high[which]) == pytest.approx(
            0.9, abs=0.015
        )
        assert float(high[which][0]) == pytest.approx(follows.radius(0.9, d))
        assert (
            abs(coverage(residuals[new][which], lower[which], upper[which]) - 0.9) > 0.08
        )  # the control
    assert follows.radius(0.9, 4.0) == 5 * follows.radius(0.9)
    assert constant.radius(0.9, 4.0) == constant.radius(0.9)


@pytest.mark.parametrize("rivalry", [-0.1, math.nan, math.inf])
def test_a_spread_that_is_none_is_refused(rivalry: float) -> None:
    with pytest.raises(InputError, match="rivalry"):
        Conformal.calibrated(torch.ones(2), torch.tensor([0.0, rivalry]))


def test_metrics_by_hand() -> None:
    found = metrics(torch.tensor([0.0, 0.0, 0.0, 0.0]), torch.tensor([0.5, -0.5, 2.0, -3.0]))
    assert found["mae"] == 1.5
    assert found["rmse"] == pytest.approx(math.sqrt(13.5 / 4))
    assert found["median"] == 1.25  # 0.5, 0.5, 2, 3
    assert found["above_1"] == 0.5
    assert found["bias"] == -0.25


def test_a_failed_prediction_is_never_averaged_away() -> None:
    found = metrics(torch.zeros(3), torch.tensor([0.0, math.nan, 0.0]))
    assert found["failed"] == 1
    assert math.isinf(found["mae"])
