"""How well a signal of doubt finds large errors.

A signal s is any number of a molecule that should grow with its error |r|. Nothing else is assumed:
its unit does not matter, and every figure here depends on the order of the molecules alone.

    Spearman      the correlation of the ranks of s and |r|: 1 is a perfect order, 0 no order
    AUROC         the chance that of two molecules, one with a large error and one without, the
                  first has the larger s: 1 is perfect, 0.5 no order
    risk          the mean |r| of the molecules that are left where the most doubtful ones are
                  refused, by the share that is left (El-Yaniv, Wiener, J. Mach. Learn. Res. 11,
                  1605, 2010); its area is the mean over all shares
    caught        the share of the large errors that are refused with the most doubtful tenth

Molecules with equal s count with the mean of their possible places. A signal that is not a number
doubts most.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]

REFUSED = 0.1
"""The share of the molecules that is refused where nothing else is said."""


def ranks(signal: Floats) -> Floats:
    """Rank molecules by a signal.

    Parameters
    ----------
    signal
        (M,) in any unit.

    Returns
    -------
    array
        (M,) from 1, the least doubtful; equal signals share the mean of their ranks.
    """
    return rankdata(np.nan_to_num(signal, nan=np.inf, posinf=np.inf))


def spearman(signal: Floats, size: Floats) -> float:
    """Compute the correlation of ranks.

    Parameters
    ----------
    signal, size
        (M,) signal and |error|.

    Returns
    -------
    float
        Between −1 and 1; not a number where all signals, or all errors, are equal.
    """
    a, b = ranks(signal), ranks(size)
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return math.nan
    return float(np.corrcoef(a, b)[0, 1])


def auroc(signal: Floats, wrong: Booleans) -> float:
    """Compute the area under the curve of true against false alarms.

    Parameters
    ----------
    signal
        (M,).
    wrong
        (M,) whether the error is a large one.

    Returns
    -------
    float
        Between 0 and 1; not a number where all errors are large, or none.
    """
    bad = int(wrong.sum())
    good = len(wrong) - bad
    if not bad or not good:
        return math.nan
    return float((ranks(signal)[wrong].sum() - bad * (bad + 1) / 2) / (bad * good))


def risk(signal: Floats, size: Floats) -> Floats:
    """Compute the mean error of the least doubtful molecules.

    Parameters
    ----------
    signal, size
        (M,) signal and |error|.

    Returns
    -------
    array
        (M,) the mean |error| of the first 1, 2, … M molecules by their signal, in the unit of
        `size`.
    """
    order = np.argsort(ranks(signal), kind="stable")
    sorted_ranks = ranks(signal)[order]
    # equal signals: each of them has their mean error, so that the order of the file does not count
    starts = np.flatnonzero(np.diff(sorted_ranks, prepend=-1.0))
    counts = np.diff(np.append(starts, len(order)))
    means = np.add.reduceat(size[order], starts) / counts if len(order) else size
    return np.cumsum(np.repeat(means, counts)) / np.arange(1, len(order) + 1)


def caught(signal: Floats, wrong: Booleans, refused: float = REFUSED) -> float:
    """Compute the share of the large errors that are refused with the most doubtful molecules.

    Parameters
    ----------
    signal
        (M,).
    wrong
        (M,) whether the error is a large one.
    refused
        The share of the molecules that is refused.

    Returns
    -------
    float
        Between 0 and 1; not a number where no error is large.
    """
    bad = int(wrong.sum())
    if not bad:
        return math.nan
    answered = len(wrong) - round(refused * len(wrong))
    left = risk(signal, wrong.astype(np.float64))[answered - 1] * answered if answered else 0.0
    return float(1.0 - left / bad)
