"""Every signal by its name. Adding one is a file and a line here; `module:NAME` needs no line."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple

import torch

from onekcal.errors import ConfigError, InputError, unknown
from onekcal.signals.families import FAMILIES
from onekcal.signals.interval import INTERVAL
from onekcal.signals.kernel import VARIANCE
from onekcal.signals.laplace import LAPLACE, LATENT
from onekcal.signals.novelty import NOVELTY
from onekcal.signals.signal import Asked, Doubt, Signal
from onekcal.signals.spread import SPREAD
from onekcal.signals.terms import HIERARCHY, SIZE
from onekcal.signals.turning import TURNING

SIGNALS: dict[str, Signal] = {
    "spread": SPREAD,
    "families": FAMILIES,
    "variance": VARIANCE,
    "novelty": NOVELTY,
    "interval": INTERVAL,
    "latent": LATENT,
    "laplace": LAPLACE,
    "R": HIERARCHY,
    "turning": TURNING,
    "size": SIZE,
}


class Gathered(NamedTuple):
    """The signals of a model.

    Parameters
    ----------
    doubts
        By name: those that the model gives.
    absent
        By name: why the model does not give the others.
    """

    doubts: dict[str, Doubt]
    absent: dict[str, str]


def signal(name: str) -> Signal:
    """Return a signal by its name.

    Parameters
    ----------
    name
        A key of `SIGNALS`, or `module:NAME`.

    Raises
    ------
    ConfigError
        There is no such signal.
    """
    if name in SIGNALS:
        return SIGNALS[name]
    module, colon, attribute = name.partition(":")
    if not colon:
        unknown("signal", name, SIGNALS, ConfigError)
    try:
        found = getattr(import_module(module), attribute, None)
    except ModuleNotFoundError as problem:
        if problem.name != module:
            raise
        raise ConfigError(
            f"signal {name!r}: there is no module {module!r}; put its folder on PYTHONPATH"
        ) from None
    if not isinstance(found, Signal):
        raise ConfigError(f"signal {name!r}: {module} has no Signal called {attribute}")
    return found


def gather(asked: Asked, names: Sequence[str] = tuple(SIGNALS)) -> Gathered:
    """Compute signals.

    Parameters
    ----------
    asked
        The model, the molecules, and what the model was fitted to.
    names
        The signals.

    Returns
    -------
    Gathered
        What the model gives, and why it does not give the others.
    """
    doubts, absent = {}, {}
    for name in names:
        one = signal(name)
        try:
            with torch.no_grad():
                doubts[name] = one.of(asked)
        except InputError as problem:
            absent[name] = str(problem)
    return Gathered(doubts, absent)
