"""Learning rates as functions of `share`, the part of the training that is over, from 0 to 1."""

from __future__ import annotations

import math
from collections.abc import Callable

from onekcal.networks.training.settings import Settings

START, END = 1 / 25, 1e-4
"""A one-cycle begins at START and ends at END times the highest rate."""
FALLS = 2
"""The plateau protocol ends when the rate has fallen so often without a better score."""


def constant(share: float, settings: Settings) -> float:
    """The rate itself."""
    return settings.rate


def cosine(share: float, settings: Settings) -> float:
    """From the rate down to 0 along half a cosine."""
    return settings.rate * _between(1.0, 0.0, share)


def onecycle(share: float, settings: Settings) -> float:
    """Up from START in the share `warmup`, then down to END, both along half a cosine."""
    if share < settings.warmup:
        return settings.rate * _between(START, 1.0, share / settings.warmup)
    return settings.rate * _between(
        1.0, END, (share - settings.warmup) / max(1 - settings.warmup, 1e-12)
    )


def _between(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * min(share, 1.0))) / 2


class Schedule:
    """The rate of every step, and whether training is over before its last epoch."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.curve: Callable[[float, Settings], float] = {
            "onecycle": onecycle,
            "cosine": cosine,
            "constant": constant,
            "plateau": constant,
        }[settings.schedule]
        self.factor, self.falls = 1.0, 0
        self.best, self.since_best = math.inf, 0
        self.lowest, self.waited = math.inf, 0

    def rate(self, share: float) -> float:
        """The learning rate when `share` of the training is over."""
        return self.factor * self.curve(share, self.settings)

    def judged(self, epoch: int, score: float, loss: float = math.inf) -> bool:
        """Take note of the score and the training loss after `epoch` (from 1); True where the score
        is the best so far.

        Plateau: after `hold` epochs, `patience` epochs in which what is watched has not fallen by
        more than `threshold` lower the rate. Where that is the score, a second time without a
        better one in between ends the training.
        """
        better = score < self.best
        self.best, self.since_best = (score, 0) if better else (self.best, self.since_best + 1)
        watched = score if self.settings.watch == "score" else loss
        if watched < self.lowest - self.settings.threshold:
            self.lowest, self.waited, self.falls = watched, 0, 0
        else:
            self.waited += 1
        if (
            self.settings.schedule == "plateau"
            and epoch > self.settings.hold
            and self.waited >= self.settings.patience
        ):
            self.factor = max(
                self.factor * self.settings.decay, self.settings.floor / self.settings.rate
            )
            self.falls, self.waited = self.falls + 1, 0
        return better

    @property
    def over(self) -> bool:
        """Should training stop early?"""
        stalled = self.settings.stop is not None and self.since_best >= self.settings.stop
        return stalled or (self.settings.watch == "score" and self.falls >= FALLS)

    def state(self) -> dict[str, float | None]:
        """Everything it remembers, as values that JSON can hold."""
        state = {
            name: getattr(self, name)
            for name in ("factor", "falls", "best", "since_best", "lowest", "waited")
        }
        return {name: None if value == math.inf else value for name, value in state.items()}

    def load_state(self, state: dict[str, float | None]) -> None:
        """The inverse of `state`."""
        for name, value in state.items():
            setattr(self, name, math.inf if value is None else value)
