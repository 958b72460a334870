"""Errors in bins of a signal, and intervals that follow it.

    P(|Ê − E| < Q(p, s) | s) = p                                                           (19)

Lubbers, Smith, Barros, J. Chem. Phys. 148, 241715 (2018), figure 3, there for the
non-hierarchicality R; here for any signal s. All bins hold the same number of molecules (nearly,
where signals are equal) and at least `FEWEST`, so that every point of a curve is equally certain.
The bins of the paper have the same width.

The same bins give an interval: molecules of one bin get the conformal half width of that bin (a
Mondrian conformal predictor: Vovk, Gammerman, Shafer, Algorithmic Learning in a Random World,
2005, 4.5). It is as wide as the errors of molecules that are doubted as much. Whatever the signal,
the interval holds what it promises; a good signal makes it narrower on average. Beyond the largest
signal that was calibrated nothing is promised; there the interval grows with the signal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from onekcal.trust.conformal import Conformal
from onekcal.trust.ranking import Floats, ranks

QUANTILES = (0.5, 0.75, 0.9, 0.99)
FEWEST, MOST = 25, 20
"""The fewest molecules in a bin, and the most bins."""
ENOUGH, INTERVALS = 100, 10
"""The fewest molecules of a bin with an interval of its own, and the most such bins.

The half width of n molecules promises too much by up to 1/(n + 1).
"""


class Quantiles(NamedTuple):
    """Figure 3.

    Parameters
    ----------
    signal
        (bins,) the median signal of each bin, ascending.
    size
        (bins, len(QUANTILES)) the quantiles of |error| there.
    """

    signal: Floats
    size: Floats


def quantiles(signal: Floats, size: Floats) -> Quantiles:
    """Compute the quantiles of the error in bins of a signal.

    Parameters
    ----------
    signal, size
        (M,) signal and |error|.

    Returns
    -------
    Quantiles
        One row for each bin.
    """
    rows = _bins(signal, FEWEST, MOST)
    return Quantiles(
        np.array([np.median(signal[own]) for own in rows]),
        np.array([np.quantile(size[own], QUANTILES) for own in rows]),
    )


def _bins(signal: Floats, fewest: int, most: int) -> list[np.ndarray]:
    """Rows of each bin, the least doubtful first; equal signals are in one bin."""
    place = ranks(signal)
    order = np.argsort(place, kind="stable")
    changes = np.flatnonzero(np.diff(place[order])) + 1  # where another signal begins
    count = int(np.clip(len(signal) // fewest, 1, most))
    starts = [0]
    for wanted in np.linspace(0, len(signal), count + 1)[1:-1]:
        later = changes[changes >= round(wanted)]
        if len(later) and later[0] - starts[-1] >= fewest <= len(signal) - later[0]:
            starts.append(int(later[0]))
    return np.split(order, starts[1:])


def _numbers(signal: Floats) -> Floats:
    """The signal; what is not a number doubts most."""
    return np.where(np.isnan(signal), np.inf, signal)


@dataclass(frozen=True)
class ByBins:
    """Half widths that follow a signal.

    Parameters
    ----------
    edges
        (bins − 1,) signals that separate the bins, ascending.
    half
        (bins,) half width of the interval, in the unit of the errors.
    largest
        The largest signal of the calibration.
    """

    edges: Floats
    half: Floats
    largest: float

    @classmethod
    def calibrated(cls, signal: Floats, size: Floats, coverage: float = 0.9) -> ByBins:
        """Calibrate on molecules that the model was not fitted to.

        Parameters
        ----------
        signal, size
            (M,) signal and |error|.
        coverage
            The share of molecules that the intervals are to cover.

        Returns
        -------
        ByBins
            The intervals; infinite where a bin holds too few molecules.
        """
        rows = _bins(signal, ENOUGH, INTERVALS)
        half = [Conformal.calibrated(torch.from_numpy(size[own])).radius(coverage) for own in rows]
        edges = np.array([signal[own[0]] for own in rows[1:]])
        return cls(edges, np.array(half), float(_numbers(signal).max()))

    def radius(self, signal: Floats) -> Floats:
        """Compute the half width of the interval of each molecule.

        Parameters
        ----------
        signal
            (M,).

        Returns
        -------
        array
            (M,) in the unit of the errors.
        """
        signal = _numbers(signal)
        half = self.half[np.searchsorted(self.edges, signal, "right")]
        if not 0 < self.largest < np.inf:
            return half
        return half * np.maximum(1.0, signal / self.largest)


def crossed(
    signal: Floats, size: Floats, coverage: float = 0.9, seed: int = 0
) -> tuple[Floats, Floats]:
    """Give every test molecule an interval from other test molecules.

    The molecules are divided at random into two halves, and each half is calibrated on the other.

    Parameters
    ----------
    signal, size
        (M,) signal and |error|.
    coverage
        The share of molecules that the intervals are to cover.
    seed
        Of the division.

    Returns
    -------
    tuple
        (M,) half widths that follow the signal, and (M,) half widths that are the same for all
        molecules of a half, in the unit of the errors.
    """
    follows, same = np.zeros(len(size)), np.zeros(len(size))
    halves = np.array_split(np.random.default_rng(seed).permutation(len(size)), 2)
    for own, other in (halves, halves[::-1]):
        follows[own] = ByBins.calibrated(signal[other], size[other], coverage).radius(signal[own])
        same[own] = Conformal.calibrated(torch.from_numpy(size[other])).radius(coverage)
    return follows, same
