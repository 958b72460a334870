"""Intervals that follow a signal hold what they promise, whatever the signal is."""

from __future__ import annotations

import math

import numpy as np
import pytest

from onekcal.trust.bins import ENOUGH, MOST, QUANTILES, ByBins, crossed, quantiles

MOLECULES = 4000
DRAW = np.random.default_rng(0)
SIGNAL = DRAW.uniform(0.1, 10.0, MOLECULES)
SIZE = np.abs(SIGNAL * DRAW.normal(size=MOLECULES))  # the error is as large as the signal says
NOISE = DRAW.normal(size=MOLECULES)
CHANCE = 4 * math.sqrt(0.9 * 0.1 / MOLECULES) + 1 / ENOUGH
"""Four standard deviations of a share, and what a finite bin may promise too much."""


def test_bins_are_equally_full_and_rise_with_a_good_signal() -> None:
    found = quantiles(SIGNAL, SIZE)
    assert found.size.shape == (MOST, len(QUANTILES))
    assert (np.diff(found.signal) > 0).all()
    assert (np.diff(found.size) >= 0).all()  # higher quantiles are larger
    assert found.size[-1, 2] > 5 * found.size[0, 2]
    flat = quantiles(NOISE, SIZE).size[:, 2]
    assert flat.max() < 2 * flat.min()


def test_equal_signals_are_in_one_bin() -> None:
    counted = np.round(SIGNAL)  # eleven values
    found = quantiles(counted, SIZE)
    assert 5 < len(found.signal) < 12
    assert (np.diff(found.signal) > 0).all()
    assert len(quantiles(np.zeros(MOLECULES), SIZE).signal) == 1


def test_few_molecules_have_one_bin() -> None:
    assert len(quantiles(SIGNAL[:30], SIZE[:30]).signal) == 1


@pytest.mark.parametrize("signal", [SIGNAL, NOISE, -SIGNAL, np.zeros(MOLECULES)])
def test_intervals_hold_what_they_promise(signal: np.ndarray) -> None:
    for half in crossed(signal, SIZE):
        assert abs((half >= SIZE).mean() - 0.9) < CHANCE


def test_a_good_signal_makes_intervals_narrower_and_even() -> None:
    follows, same = crossed(SIGNAL, SIZE)
    assert follows.mean() < 0.9 * same.mean()
    doubtful = np.quantile(SIGNAL, 0.8) < SIGNAL
    assert (same >= SIZE)[doubtful].mean() < 0.8  # one width for all fails where errors are large
    assert abs((follows >= SIZE)[doubtful].mean() - 0.9) < 3 * CHANCE
    useless, _ = crossed(NOISE, SIZE)
    assert useless.mean() > 0.95 * same.mean()


def test_beyond_all_calibrated_molecules_the_interval_grows_with_the_signal() -> None:
    one = ByBins.calibrated(SIGNAL, SIZE)
    assert one.radius(np.array([-1.0, 0.0])) == pytest.approx(one.half[0])
    beyond = one.radius(one.largest * np.array([1.0, 3.0, math.inf]))
    assert beyond == pytest.approx(one.half[-1] * np.array([1.0, 3.0, math.inf]))
    assert one.radius(np.array([math.nan])) == math.inf
    # a signal without a zero, such as a reversed one, has no scale to grow by
    reversed_one = ByBins.calibrated(-SIGNAL, SIZE)
    assert reversed_one.radius(np.array([5.0])) == pytest.approx(reversed_one.half[-1])


def test_too_few_molecules_promise_nothing() -> None:
    assert np.isinf(ByBins.calibrated(SIGNAL[:5], SIZE[:5]).half).all()


def test_uniform_errors_have_the_quantiles_of_a_uniform_distribution() -> None:
    draw = np.random.default_rng(3)
    signal = draw.uniform(1.0, 2.0, 50_000)
    found = quantiles(signal, signal * draw.uniform(size=len(signal)))
    # 2,500 molecules a bin: a quantile is sure to two hundredths of the width
    assert found.size == pytest.approx(found.signal[:, None] * np.array(QUANTILES), rel=0.1)
