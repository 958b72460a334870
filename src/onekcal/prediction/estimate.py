"""An energy with its interval, and the units that answers are told in."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Literal, NamedTuple, get_args

from onekcal.errors import InputError
from onekcal.units import energy_factor

Unit = Literal["kcal/mol", "kJ/mol", "eV"]
UNITS: tuple[Unit, ...] = get_args(Unit)
"""The units of energy that answers are told in."""
SLUGS: dict[Unit, str] = {"kcal/mol": "kcal_per_mol", "kJ/mol": "kJ_per_mol", "eV": "eV"}
"""Unit → how the name of a column ends."""
DECIMALS: dict[Unit, int] = {"kcal/mol": 4, "kJ/mol": 4, "eV": 6}
"""Unit → decimals in tables."""
SHOWN: dict[Unit, int] = {"kcal/mol": 2, "kJ/mol": 2, "eV": 4}
"""Unit → decimals on the screen."""
EACH = re.compile(r" at −?-?\d+\.\d+$")
"""How the label of a term ends that says an energy for each atom, in kcal/mol."""


class Estimate(NamedTuple):
    """An energy with its interval.

    Attributes
    ----------
    value
        The energy; NaN where there is none.
    lower, upper
        The ends of its interval; infinite where no interval can be given.
    unit
        Of all three.
    """

    value: float
    lower: float
    upper: float
    unit: Unit = "kcal/mol"

    @property
    def half(self) -> float:
        """Half of the interval's width."""
        return (self.upper - self.lower) / 2

    def __str__(self) -> str:
        digits = SHOWN[self.unit]
        half = f" ± {self.half:.{digits}f}" if math.isfinite(self.half) else ""
        return f"{self.value:.{digits}f}{half} {self.unit}"


def estimated(value: float, half: float, unit: Unit) -> Estimate:
    """Tell an energy and half of its interval in a unit.

    Parameters
    ----------
    value, half
        kcal/mol.
    unit
        One of `UNITS`.
    """
    scale = per_kcal(unit)
    return Estimate(value * scale, (value - half) * scale, (value + half) * scale, unit)


def per_kcal(unit: Unit) -> float:
    """Return how many of a unit one kcal/mol is.

    Parameters
    ----------
    unit
        One of `UNITS`.
    """
    return 1.0 / energy_factor(unit)


def unit_of(word: str) -> Unit:
    """Return the unit that a word means; capitals do not matter, and "kJ" is kJ/mol.

    Parameters
    ----------
    word
        What the user wrote.

    Raises
    ------
    InputError
        It is none of `UNITS`.
    """
    for unit in UNITS:
        if word.strip().lower() in (unit.lower(), unit.lower().removesuffix("/mol")):
            return unit
    raise InputError(f"`unit` must be one of {', '.join(UNITS)}, got {word!r}")


def scaled(content: object, keys: Iterable[str], scale: float) -> object:
    """Multiply the numbers under some keys of nested dicts and lists.

    Parameters
    ----------
    content
        What becomes JSON, in kcal/mol.
    keys
        The keys that hold energies.
    scale
        The factor.

    Returns
    -------
    object
        The same with other numbers. Labels that say an energy for each atom name its unit.
    """
    if isinstance(content, dict):
        return {
            key: _times(value, scale)
            if key in keys and not isinstance(value, (dict, str))
            else f"{value} kcal/mol"
            if key == "label" and EACH.search(value)
            else scaled(value, keys, scale)
            for key, value in content.items()
        }
    if isinstance(content, list):
        return [scaled(each, keys, scale) for each in content]
    return content


def _times(value: object, scale: float) -> object:
    if isinstance(value, list):
        return [_times(each, scale) for each in value]
    return value * scale if isinstance(value, (int, float)) else value
