r"""GFN2-xTB and GFN1-xTB through tblite.

Bannwarth, Ehlert, Grimme, J. Chem. Theory Comput. 15, 1652 (2019); Grimme, Bannwarth, Shushkov,
J. Chem. Theory Comput. 13, 1989 (2017). Both have parameters to Z = 86. In open shells both spins
share one set of orbitals (there is no spin-polarisation term).

A calculation keeps its wavefunction: the next geometry of the same molecule starts from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np

from onekcal.errors import InputError
from onekcal.molecules import Molecules
from onekcal.quantum.method import LabelError, Method, Point, formula_of
from onekcal.units import BOHR

GFN2_ATOMS = {
    1: -0.39348276393179354,
    6: -1.7932963713649257,
    7: -2.6058241612733246,
    8: -3.767606950368876,
    9: -4.619339964230912,
    16: -3.146456870402077,
}
"""Hartree; GFN2-xTB energies of free atoms in their ground-state spin (tblite 0.8.0, default
accuracy)."""

HEAVIEST = 86
"""The largest nuclear charge with parameters."""


@dataclass(frozen=True)
class Levels:
    """All levels of a molecule in its atomic functions, in atomic units.

    Attributes
    ----------
    energies, occupations
        (N,) Hartree; electrons, both spins together.
    coefficients, overlap
        (N, N) functions by levels; functions by functions.
    atoms, angular
        (N,) the atom of each function, and its angular momentum.
    """

    energies: np.ndarray
    occupations: np.ndarray
    coefficients: np.ndarray
    overlap: np.ndarray
    atoms: np.ndarray
    angular: np.ndarray


class TightBinding:
    """One molecule under GFN2-xTB or GFN1-xTB."""

    package = "tblite"

    def __init__(self, method: Method, molecule: Molecules) -> None:
        self.method, self.molecule = method, molecule
        self.calculator: Any = None
        self.wavefunction: Any = None
        if max(molecule.elements) > HEAVIEST:
            raise InputError(
                f"{method.functional} knows elements to Z = {HEAVIEST}, "
                f"got Z = {max(molecule.elements)}"
            )

    @staticmethod
    def version() -> str:
        """Return tblite's version."""
        return version("tblite")

    def at(self, positions: np.ndarray, gradient: bool = True) -> Point:
        """Return energy, gradient, Mulliken charges and bond orders.

        Parameters
        ----------
        positions
            (n, 3) Å.
        gradient
            Whether the gradient is returned; it is computed in any case and costs little.
        """
        from tblite.exceptions import TBLiteRuntimeError

        bohr = np.ascontiguousarray(positions, dtype=float) / BOHR
        try:
            self._prepare(bohr)
            self.wavefunction = self.calculator.singlepoint(self.wavefunction)
        except TBLiteRuntimeError as error:
            self.wavefunction = None
            raise LabelError(
                f"{self.method.name} of {formula_of(self.molecule)} failed: {error}"
            ) from None
        result = self.wavefunction
        orders = np.array(result.get("bond-orders"))
        return Point(
            float(result.get("energy")),
            np.array(result.get("gradient")) if gradient else None,
            np.array(result.get("charges")),
            orders.reshape(len(bohr), len(bohr), -1).sum(-1),
        )

    def levels(self, positions: np.ndarray) -> Levels:
        """Return all levels at one geometry.

        Parameters
        ----------
        positions
            (n, 3) Å.
        """
        self.at(positions, gradient=False)
        result, calculator = self.wavefunction, self.calculator
        shells = np.array(calculator.get("orbital-map"))
        return Levels(
            np.array(result.get("orbital-energies")),
            np.array(result.get("orbital-occupations")),
            np.array(result.get("orbital-coefficients")),
            np.array(result.get("overlap-matrix")),
            np.array(calculator.get("shell-map"))[shells],
            np.array(calculator.get("angular-momenta"))[shells],
        )

    def _prepare(self, bohr: np.ndarray) -> None:
        if self.calculator is not None:
            self.calculator.update(bohr)
            return
        from tblite.interface import Calculator

        self.calculator = Calculator(
            self.method.functional,
            self.molecule.numbers.numpy(),
            bohr,
            float(self.molecule.charges[0]),
            int(self.molecule.spins[0]),
        )
        self.calculator.set("verbosity", 0)
        self.calculator.set("save-integrals", 1)  # the overlap
