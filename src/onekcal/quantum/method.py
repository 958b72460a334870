"""Quantum methods by name: `method("gfn2")`, `method("b3lyp/6-31g(2df,p)")`.

A `Method` makes a `Calculation` bound to one molecule; asked at several geometries it starts each from the density of
the one before. Inside a calculation everything is in atomic units (Hartree, Bohr), which is what the programs behind
speak; `single_point` is the door to kcal/mol and Å.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from onekcal.errors import InputError, OnekcalError
from onekcal.molecules import Molecules


class LabelError(OnekcalError):
    """A quantum calculation that gave no answer for one molecule; the rest of a batch goes on."""


@dataclass(frozen=True)
class Point:
    """What a method says of one geometry, atomic units."""

    energy: float  # Hartree, total
    gradient: np.ndarray | None = None  # (n, 3) Hartree/Bohr
    charges: np.ndarray | None = None  # (n,) Mulliken, e
    bond_orders: np.ndarray | None = None  # (n, n) Wiberg-Mayer


class Calculation(Protocol):
    """One molecule under one method."""

    def at(self, positions: np.ndarray, gradient: bool = True) -> Point:
        """Energy (and gradient) at `positions` (n, 3) Å."""
        ...


@dataclass(frozen=True)
class Method:
    """A way to compute energies. `level` is how columns name it, `column` what its column is called."""

    name: str
    level: str
    family: str  # "xtb" or "dft"
    functional: str  # the program's word for the Hamiltonian: "GFN2-xTB", "b3lyp", "hf"
    program: Callable[[Method, Molecules], Calculation] = field(repr=False, compare=False)
    basis: str = ""
    density_fitting: bool = False

    @property
    def column(self) -> str:
        """The name its energy column gets: "gfn2", "b3lyp_6-31g"."""
        return self.name.replace("/", "_").replace(" ", "_")

    def calculation(self, molecule: Molecules) -> Calculation:
        """A calculation of one molecule; charge and unpaired electrons are the molecule's."""
        check_molecule(molecule)
        return self.program(self, molecule)


def check_molecule(molecule: Molecules) -> None:
    """Refuse what no method can compute: several molecules, colliding nuclei, an impossible number of electrons."""
    if len(molecule) != 1:
        raise InputError(f"one molecule at a time, got a batch of {len(molecule)}")
    problems = molecule.check()
    if problems:
        raise InputError(problems[0])
    electrons = int(molecule.numbers.sum()) - int(molecule.charges[0])
    unpaired = int(molecule.spins[0])
    if electrons < unpaired or (electrons - unpaired) % 2:
        raise InputError(
            f"{molecule.formulas[0]} with charge {int(molecule.charges[0])} has {electrons} electrons: {unpaired} "
            f"unpaired is impossible; say `spin` (unpaired electrons, {'odd' if electrons % 2 else 'even'}) or `charge`"
        )


def formula_of(molecule: Molecules) -> str:
    """How a message names a molecule: its name where it has one, and its formula."""
    name = str(molecule.names[0])
    return f"{name} ({molecule.formulas[0]})" if name else molecule.formulas[0]
