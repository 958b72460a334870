"""One signal on molecules whose errors are known: everything that compares it with others."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from onekcal.trust.bins import Quantiles, crossed, quantiles
from onekcal.trust.ranking import Floats, auroc, caught, ranks, risk, spearman

LARGE = 1.0
"""kcal/mol; an error above it is a large one."""
PARTS = 5
"""Bins of a signal in which the coverage is looked at."""
POINTS = 60
"""Points of a curve that is drawn."""


@dataclass(frozen=True)
class Judged:
    """A signal on M molecules.

    Parameters
    ----------
    spearman
        Correlation of ranks with |error|.
    auroc
        Chance to tell an error above `LARGE` from one below it; not a number without both.
    caught
        Share of the errors above `LARGE` among the most doubtful tenth.
    area
        Area under the curve of risk, in the unit of the errors.
    useful
        How much of the way from no order (0) to a perfect order (1) the area goes.
    coverage, width
        Share of molecules within the interval that follows the signal, and its mean half width, in
        the unit of the errors; infinite where there are too few molecules.
    parts
        (PARTS,) the same share in bins of the signal, the least doubtful first.
    plain
        (PARTS,) the share within an interval of one width for all, in the same bins.
    plain_width
        That width.
    figure
        Quantiles of the error in bins of the signal.
    curve
        (points, 2) the share of molecules that is answered, and their mean error.
    """

    spearman: float
    auroc: float
    caught: float
    area: float
    useful: float
    coverage: float
    width: float
    parts: list[float]
    plain: list[float]
    plain_width: float
    figure: Quantiles
    curve: list[tuple[float, float]]


def judge(signal: Floats, error: Floats, coverage: float = 0.9, large: float = LARGE) -> Judged:
    """Judge a signal by errors that are known.

    Parameters
    ----------
    signal
        (M,) in any unit.
    error
        (M,) predicted − reference; finite.
    coverage
        The share of molecules that intervals are to cover.
    large
        An error above it is a large one, in the unit of the errors.

    Returns
    -------
    Judged
        Its figures.
    """
    size = np.abs(error)
    follows, same = crossed(signal, size, coverage)
    wrong, left, best = size > large, risk(signal, size), risk(size, size)
    gain = float(size.mean() - best.mean())
    order = np.array_split(np.argsort(ranks(signal), kind="stable"), PARTS)
    return Judged(
        spearman=spearman(signal, size),
        auroc=auroc(signal, wrong),
        caught=caught(signal, wrong),
        area=float(left.mean()),
        useful=float(size.mean() - left.mean()) / gain if gain > 0 else math.nan,
        coverage=float((follows >= size).mean()),
        width=float(follows.mean()),
        parts=[float((follows >= size)[own].mean()) for own in order if len(own)],
        plain=[float((same >= size)[own].mean()) for own in order if len(own)],
        plain_width=float(same.mean()),
        figure=quantiles(signal, size),
        curve=curve(left),
    )


def curve(left: Floats) -> list[tuple[float, float]]:
    """Choose the points of a curve of risk that are drawn.

    Parameters
    ----------
    left
        (M,) what `risk` returned.

    Returns
    -------
    list
        The share of molecules that is answered, and their mean error; from ten molecules on.
    """
    counts = np.unique(np.linspace(min(len(left), 10), len(left), POINTS).astype(int))
    return [(float(n / len(left)), float(left[n - 1])) for n in counts if n]
