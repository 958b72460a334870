"""The types of quantum methods: `Method`, the `Program` behind it, a `Calculation`, a `Point`.

A `Method` names a level of theory; `quantum.named` makes one from its name. Its `program` (tblite
or pyscf) makes a `Calculation` of one molecule. A calculation that is asked at several geometries
starts each from the density of the one before. Its results are in atomic units (Hartree, Bohr), as
the programs give them; `quantum.named.single_point` converts to kcal/mol and Å.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np

from onekcal.errors import InputError, OnekcalError
from onekcal.molecules import Molecules


class LabelError(OnekcalError):
    """A quantum calculation that gave no answer for one molecule; the rest of a batch goes on."""


@dataclass(frozen=True)
class Point:
    """The result of a method at one geometry, in atomic units."""

    energy: float  # Hartree, total
    gradient: np.ndarray | None = None  # (n, 3) Hartree/Bohr
    charges: np.ndarray | None = None  # (n,) Mulliken, e
    bond_orders: np.ndarray | None = None  # (n, n) Wiberg-Mayer


class Calculation(Protocol):
    """One molecule under one method."""

    def at(self, positions: np.ndarray, gradient: bool = True) -> Point:
        """Return energy, and gradient where wanted, at one geometry.

        Parameters
        ----------
        positions
            (n, 3) Å.
        gradient
            Whether the gradient is needed; a program may leave it out otherwise.
        """
        ...


class Program(Protocol):
    """What makes the calculations of a method; the classes of `gfn2` and `dft` are programs."""

    package: str  # the distribution on PyPI

    def __call__(self, method: Method, molecule: Molecules) -> Calculation:
        """Return a calculation of one molecule; nothing is computed yet."""
        ...

    def version(self) -> str:
        """Return the installed version; raise `MissingExtra` where the package is missing."""
        ...


@dataclass(frozen=True)
class Method:
    """A way to compute energies.

    Attributes
    ----------
    name
        Its one spelling: "gfn2", "b3lyp/6-31g df".
    level
        The level of theory that columns and cards carry: "gfn2-xtb", "b3lyp/6-31g df".
    family
        "xtb" (tight binding, milliseconds), "dft" (Hartree-Fock and density functionals), or
        "model" (a fitted model, `models.as_method`).
    functional
        The program's word for the Hamiltonian: "GFN2-xTB", "b3lyp", "hf"; a model's digest.
    program
        What makes calculations; two methods that differ in nothing else are equal.
    basis
        The basis set; "" in tight binding, which has its own.
    density_fitting
        Whether integrals are approximated in an auxiliary basis.
    """

    name: str
    level: str
    family: Literal["xtb", "dft", "model"]
    functional: str
    program: Program = field(repr=False, compare=False)
    basis: str = ""
    density_fitting: bool = False

    @property
    def column(self) -> str:
        """The name its energy column gets: "gfn2", "b3lyp_6-31g"."""
        return self.name.replace("/", "_").replace(" ", "_")

    def calculation(self, molecule: Molecules) -> Calculation:
        """Return a calculation of one molecule with its own charge and unpaired electrons.

        Parameters
        ----------
        molecule
            One molecule; its positions are not used yet.
        """
        check_molecule(molecule)
        return self.program(self, molecule)


def check_molecule(molecule: Molecules) -> None:
    """Refuse what no method can compute.

    That is: a batch of several molecules, colliding nuclei, an impossible number of electrons.

    Parameters
    ----------
    molecule
        One molecule, with positions in Å.
    """
    if len(molecule) != 1:
        raise InputError(f"one molecule at a time, got a batch of {len(molecule)}")
    problems = molecule.check()
    if problems:
        raise InputError(problems[0])
    check_electrons(molecule)


def check_electrons(molecule: Molecules) -> None:
    """Refuse an impossible number of electrons.

    Parameters
    ----------
    molecule
        One molecule; its positions are not used.
    """
    electrons = int(molecule.numbers.sum()) - int(molecule.charges[0])
    unpaired = int(molecule.spins[0])
    if electrons < unpaired or (electrons - unpaired) % 2:
        raise InputError(
            f"{molecule.formulas[0]} with charge {int(molecule.charges[0])} has {electrons} "
            f"electrons: {unpaired} unpaired is impossible; say `spin` (unpaired electrons, "
            f"{'odd' if electrons % 2 else 'even'}) or `charge`"
        )


def formula_of(molecule: Molecules) -> str:
    """Return what messages call a molecule: its name where it has one, and its formula.

    Parameters
    ----------
    molecule
        One molecule.
    """
    name = str(molecule.names[0])
    return f"{name} ({molecule.formulas[0]})" if name else molecule.formulas[0]
