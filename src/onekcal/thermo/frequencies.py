"""Harmonic frequencies, zero-point energy and H(298 K) − H(0) of one molecule.

The Hessian is the central difference of analytic gradients. Translations and rotations are
projected out of the mass-weighted Hessian before it is diagonalised. So a linear molecule has
3n − 5 vibrations and an atom none. The enthalpy is that of an ideal gas of rigid rotors and
harmonic oscillators:

    H(T) − H(0) = 3/2 RT + (0, 1 or 3/2) RT + Σ hν / (exp(hν/kT) − 1) + RT
                  translation    rotation        vibration             pV

The geometry should be relaxed with the same method. Imaginary frequencies are listed as negative
numbers and have no part in the zero-point energy. Soft ones (below 100i/cm, such as a methyl group
on its barrier) hold heat like a hindered rotation: they enter the enthalpy by their absolute value.
Stiffer imaginary ones do not enter it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from onekcal.geometry.hessian import hessian
from onekcal.geometry.inertia import ELECTRON_MASSES, MASSES, internal, shape_of
from onekcal.molecules import SYMBOLS, Molecules
from onekcal.quantum.method import Calculation, LabelError, Method, formula_of
from onekcal.quantum.named import method
from onekcal.units import BOHR, EV, HARTREE, WAVENUMBER

TEMPERATURE = 298.15
"""K, the temperature of the enthalpy."""
GAS = 1.987204258640832e-3
"""kcal/mol/K, the gas constant (CODATA 2018)."""
SOFT = 100.0
"""1/cm. A smaller imaginary frequency is a soft rotation, a larger one a way downhill."""


@dataclass(frozen=True)
class Thermal:
    """H(T) − H(0) of one molecule, in parts.

    Parameters
    ----------
    translation, rotation, vibration, pressure_volume
        kcal/mol.
    """

    translation: float
    rotation: float
    vibration: float
    pressure_volume: float

    @property
    def total(self) -> float:
        """The sum, kcal/mol."""
        return self.translation + self.rotation + self.vibration + self.pressure_volume


@dataclass(frozen=True)
class Frequencies:
    """Harmonic vibrations of one molecule under one method.

    Parameters
    ----------
    wavenumbers
        (vibrations,) 1/cm in ascending order; imaginary ones are negative.
    zero_point
        kcal/mol.
    thermal
        H(298.15 K) − H(0).
    linear
        Whether the molecule is linear.
    force
        eV/Å, the largest force on an atom. Far from 0 the frequencies mean little.
    """

    wavenumbers: np.ndarray
    zero_point: float
    thermal: Thermal
    linear: bool
    force: float

    @property
    def imaginary(self) -> int:
        """How many directions lead downhill: 0 at a minimum, 1 at a transition state."""
        return int((self.wavenumbers < 0).sum())


def frequencies(
    molecule: Molecules, how: Method | str = "gfn2", calculation: Calculation | None = None
) -> Frequencies:
    """Compute the vibrations and the thermal enthalpy of one molecule.

    Parameters
    ----------
    molecule
        One molecule. Its geometry should be relaxed with the same method.
    how
        The quantum method or its name.
    calculation
        A calculation of this molecule that goes on. None begins a new one.

    Raises
    ------
    LabelError
        An element has no isotope mass here.
    """
    how = method(how) if isinstance(how, str) else how
    missing = [SYMBOLS[z] for z in molecule.elements if z not in MASSES]
    if missing:
        raise LabelError(
            f"frequencies of {formula_of(molecule)}: the isotope mass of {', '.join(missing)} is "
            "not known here"
        )
    calculation = calculation or how.calculation(molecule)
    positions = molecule.positions.numpy()
    gradient = calculation.at(positions).gradient
    assert gradient is not None
    force = float(np.linalg.norm(gradient, axis=1).max()) * HARTREE / BOHR / EV
    masses = np.array([MASSES[int(z)] for z in molecule.numbers])  # (n,)
    kind = shape_of(masses, positions)
    if kind == "atom":
        return Frequencies(np.zeros(0), 0.0, thermal_enthalpy(np.zeros(0), kind), False, force)
    waves = wavenumbers(hessian(calculation, positions), masses, positions)
    real = waves[waves > 0]
    zero_point = 0.5 * WAVENUMBER * float(real.sum())
    holding = np.abs(waves[waves > -SOFT])
    return Frequencies(waves, zero_point, thermal_enthalpy(holding, kind), kind == "linear", force)


def wavenumbers(hessian: np.ndarray, masses: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return the wavenumbers of the vibrations.

    Parameters
    ----------
    hessian
        (3n, 3n) Hartree/Bohr².
    masses
        (n,) dalton.
    positions
        (n, 3) Å.

    Returns
    -------
    ndarray
        (vibrations,) 1/cm in ascending order; imaginary ones are negative.
    """
    root = np.sqrt(np.repeat(masses * ELECTRON_MASSES, 3))
    weighted = hessian / root[:, None] / root[None]
    vibrations = internal(masses, positions)  # (3n, vibrations)
    squares = np.linalg.eigvalsh(vibrations.T @ weighted @ vibrations)
    return np.sign(squares) * np.sqrt(np.abs(squares)) * HARTREE / WAVENUMBER


def thermal_enthalpy(waves: np.ndarray, kind: str, temperature: float = TEMPERATURE) -> Thermal:
    """Return H(T) − H(0) of a rigid rotor with harmonic vibrations.

    Parameters
    ----------
    waves
        (vibrations,) positive wavenumbers, 1/cm.
    kind
        "atom", "linear" or "bent".
    temperature
        K.
    """
    heat = GAS * temperature
    quanta = waves * WAVENUMBER
    vibration = float((quanta / np.expm1(np.minimum(quanta / heat, 700.0))).sum())
    return Thermal(
        1.5 * heat, {"atom": 0.0, "linear": 1.0, "bent": 1.5}[kind] * heat, vibration, heat
    )
