"""The learning rate of every step, and the early end of a training."""

from __future__ import annotations

import math
from collections.abc import Callable

from onekcal.networks.training.rate_curves import constant, cosine, onecycle
from onekcal.networks.training.settings import Settings

FALLS = 2
"""The plateau protocol ends when the rate has fallen this often without a better score."""


class Schedule:
    """The rate of every step, and whether training is over before its last epoch.

    Parameters
    ----------
    settings
        The keys of `fit`.
    """

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
        """Return the learning rate.

        Parameters
        ----------
        share
            Part of the training that is over, from 0 to 1.
        """
        return self.factor * self.curve(share, self.settings)

    def judged(self, epoch: int, score: float, loss: float = math.inf) -> bool:
        """Take note of the results of an epoch.

        Plateau: after `hold` epochs, the rate is lowered when what is watched has not fallen by
        more than `threshold` in `patience` epochs. If what is watched is the score, a second time
        without a better score in between ends the training.

        Parameters
        ----------
        epoch
            Number of the epoch, from 1.
        score
            The score after it; lower is better.
        loss
            The training loss of the epoch.

        Returns
        -------
        bool
            Whether the score is the best so far.
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
        """Whether training is to stop early."""
        stalled = self.settings.stop is not None and self.since_best >= self.settings.stop
        return stalled or (self.settings.watch == "score" and self.falls >= FALLS)

    def state(self) -> dict[str, float | None]:
        """Return everything it remembers, as values that JSON can hold."""
        state = {
            name: getattr(self, name)
            for name in ("factor", "falls", "best", "since_best", "lowest", "waited")
        }
        return {name: None if value == math.inf else value for name, value in state.items()}

    def load_state(self, state: dict[str, float | None]) -> None:
        """Take back what `state` returned.

        Parameters
        ----------
        state
            What `state` returned.
        """
        for name, value in state.items():
            setattr(self, name, math.inf if value is None else value)
