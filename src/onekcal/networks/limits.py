"""Least values of a network's settings."""

from __future__ import annotations

from onekcal.errors import ConfigError


def at_least(model: str, *settings: tuple[str, float, float]) -> None:
    """Refuse settings that are too small.

    Parameters
    ----------
    model
        The name of the model in an experiment, for the message.
    *settings
        The name, the value and the least value of each.

    Raises
    ------
    ConfigError
        Names the first setting that is too small.
    """
    for name, value, least in settings:
        if value < least:
            raise ConfigError(f"{model}: `{name}` must be at least {least}, got {value}")
