"""Least values of the settings of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from onekcal.errors import ConfigError


def as_list(values: float | Sequence[float]) -> list[float]:
    """Return the values of a setting to choose from.

    Parameters
    ----------
    values
        One number, or several of which the fit chooses one.
    """
    return [values] if isinstance(values, (int, float)) else list(values)


def check_positive(
    model: str, settings: Mapping[str, float | Sequence[float] | None], unit: str = ""
) -> None:
    """Refuse settings that are not above 0.

    Parameters
    ----------
    model
        The name of the model in an experiment, for the message.
    settings
        One number or a list of numbers by the name of the setting. None stands for a setting that
        is left out.
    unit
        The unit of the settings, for the message.

    Raises
    ------
    ConfigError
        A number is not above 0, or a list is empty.
    """
    for name, given in settings.items():
        values = [1.0] if given is None else as_list(given)
        if not values or not all(value > 0 for value in values):
            raise ConfigError(
                f"{model}: `{name}` must be positive{f' ({unit})' if unit else ''}, got "
                f"{min(values, default='nothing')}"
            )


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
