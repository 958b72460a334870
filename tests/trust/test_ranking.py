"""Figures that say how well a signal finds large errors: a perfect order, its reverse, and none."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from onekcal.trust.ranking import auroc, caught, risk, spearman

SIZE = np.abs(np.random.default_rng(1).normal(size=400))
NOISE = np.random.default_rng(2).normal(size=400)
WRONG = SIZE > 1.0


def test_a_perfect_signal_has_the_best_figures_and_its_reverse_the_worst() -> None:
    assert spearman(SIZE**3, SIZE) == pytest.approx(1.0)
    assert spearman(-SIZE, SIZE) == pytest.approx(-1.0)
    assert (auroc(SIZE, WRONG), auroc(-SIZE, WRONG)) == (1.0, 0.0)
    oracle, reverse = risk(SIZE, SIZE), risk(-SIZE, SIZE)
    assert oracle.mean() < risk(NOISE, SIZE).mean() < reverse.mean()
    assert [oracle[-1], reverse[-1]] == pytest.approx([SIZE.mean()] * 2)
    assert (np.diff(oracle) >= 0).all()


def test_a_signal_that_knows_nothing_has_the_figures_of_chance() -> None:
    # four standard deviations: 1/√M, and √((bad + good + 1) / 12 bad good)
    bad = int(WRONG.sum())
    good = len(WRONG) - bad
    assert abs(spearman(NOISE, SIZE)) < 4 / math.sqrt(len(SIZE))
    assert abs(auroc(NOISE, WRONG) - 0.5) < 4 * math.sqrt((bad + good + 1) / (12 * bad * good))


def test_the_auroc_is_that_of_scikit_learn_also_with_equal_signals() -> None:
    for signal in (SIZE + NOISE, np.round(SIZE + NOISE)):
        assert auroc(signal, WRONG) == pytest.approx(roc_auc_score(WRONG, signal))


def test_a_tenth_of_the_molecules_holds_a_third_of_the_large_errors() -> None:
    wrong = np.zeros(100, bool)
    wrong[70:] = True  # 30 large errors; the 10 most doubtful are among them
    signal = np.arange(100.0)
    assert caught(signal, wrong) == pytest.approx(10 / 30)
    assert caught(-signal, wrong) == 0.0
    assert caught(np.zeros(100), wrong) == pytest.approx(0.1)


def test_the_order_of_equal_signals_does_not_count() -> None:
    rows = np.random.default_rng(3).permutation(400)
    signal = np.round(SIZE).astype(np.float64)
    assert risk(signal, SIZE) == pytest.approx(risk(signal[rows], SIZE[rows]))
    assert caught(signal, WRONG) == pytest.approx(caught(signal[rows], WRONG[rows]))


def test_what_is_not_a_number_is_doubted_most() -> None:
    signal = SIZE.copy()
    signal[SIZE.argmax()] = math.nan
    assert spearman(signal, SIZE) == pytest.approx(1.0)


def test_without_large_errors_there_is_nothing_to_find() -> None:
    none = np.zeros(400, bool)
    assert all(map(math.isnan, (auroc(SIZE, none), caught(SIZE, none), auroc(SIZE, ~none))))
    assert math.isnan(spearman(np.ones(400), SIZE))
    assert math.isnan(spearman(SIZE[:1], SIZE[:1]))
