"""What a reader reads: records of molecules, what a file says about them, and problems."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from onekcal.errors import InputError, in_short

MOST = 500
"""Characters that say what is wrong with a molecule; a damaged file may quote itself."""


@dataclass(frozen=True)
class Problem:
    """Something that cannot be used.

    Parameters
    ----------
    place
        The file, and the line or molecule in it.
    what
        What is wrong.
    """

    place: str
    what: str

    def __str__(self) -> str:
        return f"{self.place}: {in_short(self.what, MOST)}"


@dataclass(frozen=True)
class Meaning:
    """What a file itself says about its energies. Each word is "" where it says nothing.

    Parameters
    ----------
    unit
        Unit of the energies.
    kind, at, level
        As in `Column`.
    """

    unit: str = ""
    kind: str = ""
    at: str = ""
    level: str = ""

    def __str__(self) -> str:
        return repr(
            ", ".join(filter(None, (self.unit, self.kind, self.at, self.level)))
            or "of no stated meaning"
        )


NOTHING = Meaning()


@dataclass
class Record:
    """One molecule as it was read. Its energy and forces are still in the file's unit.

    Parameters
    ----------
    place
        The file, and the line or molecule in it.
    numbers
        (n,) nuclear charges.
    positions
        (n, 3) Å.
    name, charge, spin
        Name, total charge (e) and number of unpaired electrons.
    energy
        In the file's unit. None where there is none.
    forces
        (n, 3) in the file's unit. None where there are none.
    meaning
        What the file says about the energy.
    """

    place: str
    numbers: np.ndarray
    positions: np.ndarray
    name: str = ""
    charge: int = 0
    spin: int = 0
    energy: float | None = None
    forces: np.ndarray | None = None
    meaning: Meaning = NOTHING


Parsed = tuple[list[Record], list[Problem]]


def meaning_of(info: dict[str, str]) -> Meaning:
    """Return what the words that `write` puts beside an energy say.

    Parameters
    ----------
    info
        Words by key. Only energy_unit, kind, at and level count.
    """
    if not ({"energy_unit", "kind", "at", "level"} & info.keys()):
        return NOTHING
    return Meaning(
        info.get("energy_unit", ""), info.get("kind", ""), info.get("at", ""), info.get("level", "")
    )


def energy_of(word: str, key: str | None, number: Callable[[str], float] = float) -> float:
    """Return an energy in the file's unit.

    Parameters
    ----------
    word
        The energy as the file has it.
    key
        Its name in the file, for messages.
    number
        A function that reads a number, or raises a ValueError.

    Raises
    ------
    InputError
        It is not a number, or not a finite one.
    """
    try:
        value = number(word)
    except ValueError:
        raise InputError(f"{key!r} must be a number, got {word!r}") from None
    if not np.isfinite(value):
        raise InputError(f"{key!r} is {word!r}, not a finite number")
    return value


def whole_number(info: dict[str, str], key: str) -> int:
    """Return a whole number that may be written 1, +1 or 1.0.

    Parameters
    ----------
    info
        Words by key.
    key
        The key of the number. Where it is absent the number is 0.
    """
    try:
        value = float(info.get(key, 0))
    except ValueError:
        value = float("nan")
    if value != round(value) if np.isfinite(value) else True:
        raise InputError(f"`{key}` must be a whole number, got {info[key]!r}")
    return int(value)
