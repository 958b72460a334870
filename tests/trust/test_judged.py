"""Signals side by side: the true error is the best of all, its reverse the worst."""

from __future__ import annotations

import math

import numpy as np
import pytest

from onekcal.trust.judged import PARTS, judge

DRAW = np.random.default_rng(5)
TRUE = DRAW.uniform(0.1, 2.0, 2000)
ERROR = TRUE * DRAW.normal(size=2000)


def test_the_error_itself_is_the_best_signal() -> None:
    best, good, none, worst = (
        judge(signal, ERROR)
        for signal in (np.abs(ERROR), TRUE, DRAW.normal(size=2000), -abs(ERROR))
    )
    for name in ("spearman", "auroc", "caught", "useful"):
        figures = [getattr(one, name) for one in (best, good, none, worst)]
        assert figures == sorted(figures, reverse=True), name
    assert (best.useful, best.auroc) == pytest.approx((1.0, 1.0))
    assert abs(none.useful) < 0.15
    assert worst.useful < -0.5
    assert best.width < good.width < none.width < 1.1 * none.plain_width


def test_an_interval_that_follows_the_signal_is_even_where_one_width_is_not() -> None:
    found = judge(TRUE, ERROR)
    assert len(found.parts) == len(found.plain) == PARTS
    # 400 molecules a part: four standard deviations are 0.06
    assert all(abs(share - 0.9) < 0.08 for share in found.parts)
    assert found.plain[0] - found.plain[-1] > 0.15
    assert found.coverage == pytest.approx(np.mean(found.parts))


def test_errors_that_are_all_small_leave_what_cannot_be_told_empty() -> None:
    found = judge(TRUE, ERROR * 1e-3)
    assert math.isnan(found.auroc)
    assert math.isnan(found.caught)
    assert found.spearman == pytest.approx(judge(TRUE, ERROR).spearman)


def test_ten_molecules_have_figures_but_no_interval() -> None:
    found = judge(TRUE[:10], ERROR[:10])
    assert found.width == math.inf
    assert found.curve[-1] == (1.0, pytest.approx(np.abs(ERROR[:10]).mean()))
