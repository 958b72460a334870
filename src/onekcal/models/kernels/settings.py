"""Settings that kernels have in common: a number or a list of numbers, all positive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from onekcal.errors import ConfigError


def as_list(values: float | Sequence[float]) -> list[float]:
    """Return the values to choose from.

    Parameters
    ----------
    values
        One number, or several of which the fit chooses one.
    """
    return [values] if isinstance(values, (int, float)) else list(values)


def check_positive(model: str, settings: Mapping[str, float | Sequence[float] | None]) -> None:
    """Refuse settings that are not above 0.

    Parameters
    ----------
    model
        The name of the model in an experiment, for the message.
    settings
        One number or a list of numbers by the name of the setting. None stands for a setting that
        is left out.

    Raises
    ------
    ConfigError
        A number is 0 or below, or a list is empty.
    """
    for name, given in settings.items():
        values = [1.0] if given is None else as_list(given)
        if not values or min(values) <= 0:
            raise ConfigError(
                f"{model}: `{name}` must be positive, got {min(values, default='nothing')}"
            )
