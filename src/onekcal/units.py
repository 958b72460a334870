"""Constants (CODATA 2018) and the factors of units. Inside onekcal: kcal/mol, Å, kcal/mol/Å."""

from __future__ import annotations

from onekcal.errors import unknown

BOHR = 0.529177210903
"""Å in one Bohr."""
HARTREE = 627.5094740631
"""kcal/mol in one Hartree."""
EV = 23.060547830619
"""kcal/mol in one eV."""
KJ = 1.0 / 4.184
"""kcal/mol in one kJ/mol."""

WAVENUMBER = HARTREE / 219474.6313632
"""kcal/mol in one cm⁻¹."""

ENERGY = {
    "kcal/mol": 1.0,
    "hartree": HARTREE,
    "ev": EV,
    "mev": EV / 1000,
    "kj/mol": KJ,
    "1/cm": WAVENUMBER,
}
"""How many kcal/mol one unit of energy is."""
LENGTH = {"angstrom": 1.0, "bohr": BOHR, "nm": 10.0}
"""How many Å one unit of length is."""
_SPELLINGS = {
    "å": "angstrom",
    "ang": "angstrom",
    "a": "angstrom",
    "ha": "hartree",
    "eh": "hartree",
    "cm-1": "1/cm",
    "a0": "bohr",
    "kcal": "kcal/mol",
    "kj": "kj/mol",
}


def _factor(table: dict[str, float], unit: str) -> float:
    key = unit.strip().lower()
    key = _SPELLINGS.get(key, key)
    if key not in table:
        unknown("unit", unit, table)
    return table[key]


def energy_factor(unit: str) -> float:
    """Return how many kcal/mol one unit of energy is.

    Parameters
    ----------
    unit
        kcal/mol, hartree, eV, meV, kJ/mol or 1/cm.
    """
    return _factor(ENERGY, unit)


def length_factor(unit: str) -> float:
    """Return how many Å one unit of length is.

    Parameters
    ----------
    unit
        angstrom, bohr or nm.
    """
    return _factor(LENGTH, unit)


def force_factor(unit: str) -> float:
    """Return how many kcal/mol/Å one unit of force is.

    Parameters
    ----------
    unit
        An energy over a length: "eV/angstrom", "hartree/bohr".
    """
    energy, _, length = unit.rpartition("/")
    return energy_factor(energy) / length_factor(length)
