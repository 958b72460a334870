"""The units in which numbers would be energies of molecules."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from onekcal.molecules import SYMBOLS, Molecules
from onekcal.units import ENERGY, HARTREE

BOUND = (-250.0, -5.0)
"""kcal/mol an atom: the range of atomization energies of molecules.

F2 has −19, H2 −55, CO −130, graphite −171.
"""
ORGANIC = -95.0
"""kcal/mol an atom: typical of organic molecules."""


class Guess(NamedTuple):
    """What energies look like.

    Parameters
    ----------
    kind
        "total" or "atomization".
    units
        The units in which they would be of this kind.
    """

    kind: str
    units: list[str]


def looks_like(values: Tensor, molecules: Molecules) -> Guess | None:
    """Say what energies look like.

    Parameters
    ----------
    values
        (M,) finite numbers, taken to be kcal/mol.
    molecules
        (M,) the molecules they belong to.

    Returns
    -------
    Guess or None
        None where they look like nothing that is known.
    """
    if unit := unit_of_totals(values, molecules):
        return Guess("total", [unit])
    typical = float((values / molecules.sizes).median())
    units = ["kcal/mol"] if _bound(typical) else units_of_atomization(typical)
    return Guess("atomization", units) if units else None


def unit_of_totals(values: Tensor, molecules: Molecules) -> str:
    """Return the unit in which energies would be totals of all electrons; "" where none fits.

    The total energy of an atom is near Schwinger's −0.768745 Z^(7/3) + Z²/2 − 0.2699 Z^(5/3)
    Hartree (Phys. Rev. A 24, 2353, 1981), to 3 % from Z = 6 on. No other energy has so even a
    ratio to the sum of it over a molecule.

    Parameters
    ----------
    values
        (M,) finite numbers.
    molecules
        (M,) the molecules they belong to.
    """
    z = torch.arange(len(SYMBOLS), dtype=torch.float64)
    atoms = (-0.768745 * z ** (7 / 3) + z**2 / 2 - 0.2699 * z ** (5 / 3)) * HARTREE
    ratio = values / molecules.sum_atoms(atoms[molecules.numbers])
    middle = float(ratio.median())
    if float((ratio - middle).abs().median()) > 0.02 * abs(middle):
        return ""
    return next((unit for unit, factor in ENERGY.items() if abs(middle * factor - 1) < 0.03), "")


def units_of_atomization(per_atom: float) -> list[str]:
    """Return the units other than kcal/mol in which energies would be atomization energies.

    Parameters
    ----------
    per_atom
        Their median an atom.

    Returns
    -------
    list of str
        The likeliest first: the one that brings the median nearest to that of organic molecules.
    """
    sizes = {unit: per_atom * factor for unit, factor in ENERGY.items() if factor != 1}
    fitting = [unit for unit, size in sizes.items() if _bound(size)]
    return sorted(fitting, key=lambda unit: abs(math.log(sizes[unit] / ORGANIC)))


def _bound(per_atom: float) -> bool:
    return BOUND[0] < per_atom < BOUND[1]
