"""Quantum methods by name: `method("gfn2")`, `method("b3lyp/6-31g(2df,p)")`.

A `Method` makes a `Calculation` bound to one molecule; asked at several geometries it starts each from the density of
the one before. Inside a calculation everything is in atomic units (Hartree, Bohr), which is what the programs behind
speak; `single_point` is the door to kcal/mol and Å.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from onekcal.errors import InputError, OnekcalError, did_you_mean
from onekcal.molecules import Molecules
from onekcal.units import BOHR, HARTREE


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
    basis: str = ""
    density_fitting: bool = False

    @property
    def column(self) -> str:
        """The name its energy column gets: "gfn2", "b3lyp_6-31g"."""
        return self.name.replace("/", "_").replace(" ", "_")

    def calculation(self, molecule: Molecules) -> Calculation:
        """A calculation of one molecule; charge and unpaired electrons are the molecule's."""
        check_molecule(molecule)
        if self.family == "xtb":
            from onekcal.labels.gfn2 import TightBinding

            return TightBinding(self, molecule)
        from onekcal.labels.dft import DensityFunctional

        return DensityFunctional(self, molecule)


XTB = {"gfn2": "GFN2-xTB", "gfn1": "GFN1-xTB"}
"""Tight-binding methods by name (tblite)."""
_SPELLINGS = {"gfn2-xtb": "gfn2", "gfn1-xtb": "gfn1", "gfn2xtb": "gfn2", "gfn1xtb": "gfn1", "xtb": "gfn2"}
EXAMPLES = ("gfn2", "gfn1", "hf/6-31g", "b3lyp/6-31g", "b3lyp/6-31g df", "b3lyp/6-31g(2df,p)", "pbe0/def2-tzvp")


def method(name: str) -> Method:
    """A method by name: "gfn2", "gfn1", "FUNCTIONAL/BASIS" or "FUNCTIONAL/BASIS df" (density fitting)."""
    word = " ".join(name.lower().split())
    word = _SPELLINGS.get(word, word)
    if word in XTB:
        return Method(word, XTB[word].lower(), "xtb", XTB[word])
    functional, slash, basis = word.partition("/")
    basis, _, suffix = basis.strip().partition(" ")
    if not slash or not functional.strip() or not basis or suffix.strip() not in ("", "df"):
        raise InputError(f"no method {name!r}{did_you_mean(word, EXAMPLES)} (or any FUNCTIONAL/BASIS, "
                         "with ' df' behind it for density fitting)")
    from onekcal.labels.dft import check_names

    functional = functional.strip()
    check_names(functional, basis)
    fitted = suffix.strip() == "df"
    level = f"{functional}/{basis}" + (" df" if fitted else "")
    return Method(level, level, "dft", functional, basis, fitted)


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


@dataclass(frozen=True)
class SinglePoint:
    """One molecule under one method, in onekcal's units."""

    total: float  # kcal/mol
    energy: float  # kcal/mol relative to free atoms, electronic
    forces: np.ndarray | None = None  # (n, 3) kcal/mol/Å
    charges: np.ndarray | None = None  # (n,) e
    bond_orders: np.ndarray | None = None  # (n, n)


def single_point(molecule: Molecules, how: Method | str, forces: bool = False) -> SinglePoint:
    """Energy (kcal/mol, free atoms removed), forces (kcal/mol/Å) on request, of one molecule as it stands."""
    from onekcal.labels.atoms import free_atoms_of

    how = method(how) if isinstance(how, str) else how
    point = how.calculation(molecule).at(molecule.positions.numpy(), gradient=forces)
    atoms = float(free_atoms_of(how, molecule.elements).energies(molecule)[0])
    push = None if point.gradient is None or not forces else -point.gradient * (HARTREE / BOHR)
    total = point.energy * HARTREE
    return SinglePoint(total, total - atoms, push, point.charges, point.bond_orders)


def formula_of(molecule: Molecules) -> str:
    """How a message names a molecule: its name where it has one, and its formula."""
    name = str(molecule.names[0])
    return f"{name} ({molecule.formulas[0]})" if name else molecule.formulas[0]


