"""PM7 by mopac-py: a semi-empirical method whose energy is a heat of formation already.

Stewart, J. Mol. Model. 19, 1 (2013). Its parameters were fitted to ΔfH(298 K), so no vibrations are
computed. The geometry is relaxed with PM7's own forces.

The relaxation is `geometry.relax`, each geometry from a new start. That of mopac-py 0.1.4 ends
ethylene, acetylene and cyclopropene in excited states (ethylene at 206 instead of 14 kcal/mol). A
closed shell is computed restricted and unrestricted, and the lower energy counts, for the
restricted one alone misses the ground state of hydrazine.

Two things are refused. Open shells: the package ends many of them in excited states, the ethyl
radical at 128 instead of about 29 kcal/mol. And what does not relax: molecules with an N–O bond,
along which the package's forces are not those of its energies.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import numpy as np

from onekcal.bench.programs.program import Program, missing
from onekcal.errors import InputError, in_short
from onekcal.geometry.relax import relax
from onekcal.molecules import Molecules
from onekcal.quantum.method import LabelError, Method, Point, check_molecule, formula_of
from onekcal.system.threads import on_one_thread
from onekcal.units import BOHR, HARTREE

NAME, PACKAGE, MODULE = "PM7", "mopac-py", "mopac_py"
STEPS = 100
"""At most; what relaxes at all does so in 40."""


class Mopac:
    """One molecule under PM7; its energy is the heat of formation.

    Parameters
    ----------
    method
        Its name stands in messages.
    molecule
        One molecule; its positions are not used.
    """

    package = PACKAGE

    def __init__(self, method: Method, molecule: Molecules) -> None:
        self.molecule = molecule
        self.numbers = molecule.numbers.tolist()
        self.charge = int(molecule.charges[0])
        self.mopac = mopac()

    @staticmethod
    def version() -> str:
        """Return mopac-py's version."""
        return version(PACKAGE)

    def at(self, positions: np.ndarray, gradient: bool = True) -> Point:
        """Return the heat of formation (Hartree) and its gradient at one geometry.

        Parameters
        ----------
        positions
            (n, 3) Å.
        gradient
            Whether the gradient is returned; it is computed in any case.
        """
        asked = [self._asked(positions, unrestricted) for unrestricted in (False, True)]
        found = [one for one in asked if one.converged]
        if not found:
            raise LabelError(f"PM7 of {formula_of(self.molecule)}: the SCF does not converge")
        lowest = min(found, key=lambda one: one.heat_of_formation_kcal)
        slope = np.array(lowest.gradients_kcal_mol_angstrom) * (BOHR / HARTREE)
        return Point(lowest.heat_of_formation_kcal / HARTREE, slope if gradient else None)

    def _asked(self, positions: np.ndarray, unrestricted: bool) -> Any:
        """mopac-py's answer, restricted or not."""
        try:
            return self.mopac.calculate(
                self.numbers,
                positions.tolist(),
                method="PM7",
                uhf=unrestricted,
                multiplicity=1,
                charge=self.charge,
            )
        except (ValueError, RuntimeError) as problem:
            raise LabelError(f"PM7 of {formula_of(self.molecule)}: {in_short(problem)}") from None


def mopac() -> Any:
    """Return the module mopac_py; raise `MissingExtra` where it is not installed."""
    try:
        import mopac_py
    except ImportError:
        raise missing(NAME, PACKAGE) from None
    mopac_py.set_num_threads(1)
    return mopac_py


@on_one_thread
def formation(molecule: Molecules) -> float:
    """Relax one molecule with PM7 and return its ΔfH(298.15 K), kcal/mol.

    Parameters
    ----------
    molecule
        One molecule near a minimum, with its charge.

    Raises
    ------
    InputError
        The molecule has unpaired electrons, PM7 has no parameters for an element, or the molecule
        does not relax.
    """
    check_molecule(molecule)
    if int(molecule.spins[0]):
        raise InputError(
            f"PM7 of {formula_of(molecule)}: mopac-py ends open shells in excited states; only "
            "closed shells are asked"
        )
    try:
        return relax(molecule, METHOD, steps=STEPS).point.energy * HARTREE
    except LabelError as problem:
        raise InputError(in_short(problem, 300)) from None


METHOD = Method("pm7", "pm7", "xtb", NAME, Mopac)
PROGRAM = Program(NAME, "most elements", PACKAGE, MODULE, formation)
