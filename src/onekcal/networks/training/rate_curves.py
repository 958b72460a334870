"""Learning rates as functions of `share`, the part of the training that is over, from 0 to 1."""

from __future__ import annotations

import math

from onekcal.networks.training.settings import Settings

START, END = 1 / 25, 1e-4
"""A one-cycle begins at START and ends at END times the highest rate."""


def constant(share: float, settings: Settings) -> float:
    """Return the rate itself.

    Parameters
    ----------
    share
        Part of the training that is over, from 0 to 1.
    settings
        The keys of `fit`.
    """
    return settings.rate


def cosine(share: float, settings: Settings) -> float:
    """Return a rate that falls to 0 along half a cosine.

    Parameters
    ----------
    share
        Part of the training that is over, from 0 to 1.
    settings
        The keys of `fit`.
    """
    return settings.rate * _between(1.0, 0.0, share)


def onecycle(share: float, settings: Settings) -> float:
    """Return a rate that rises from START in the share `warmup`, then falls to END.

    Both ways it follows half a cosine.

    Parameters
    ----------
    share
        Part of the training that is over, from 0 to 1.
    settings
        The keys of `fit`.
    """
    if share < settings.warmup:
        return settings.rate * _between(START, 1.0, share / settings.warmup)
    return settings.rate * _between(
        1.0, END, (share - settings.warmup) / max(1 - settings.warmup, 1e-12)
    )


def _between(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * min(share, 1.0))) / 2
