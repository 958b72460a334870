r"""Entropy, heat capacity and free energy of one molecule of an ideal gas.

The molecule is a rigid rotor with harmonic vibrations ν (McQuarrie, Statistical Mechanics, 1976):

    S_trans = R [ln((2πmkT/h²)^{3/2} kT/p) + 5/2]
    S_rot   = R [ln(kT/σB) + 1]                          linear
            = R [ln(√π/σ · √((kT)³/ABC)) + 3/2]          not linear
    S_HO    = R [x/(eˣ − 1) − ln(1 − e⁻ˣ)],  x = hν/kT   for each vibration
    S_el    = R [ln q + ⟨E⟩/kT],  q = Σ g e^{−E/kT}

A harmonic vibration of low wavenumber has far too much entropy. So it is interpolated to a free
rotor with the same moment of inertia μ = h/8π²cν (Grimme, Chem. Eur. J. 18, 9955, 2012):

    S_vib = w S_HO + (1 − w) R [1/2 + ln √(8π³ μ′kT/h²)]
    w = 1 / (1 + (100 cm⁻¹/ν)⁴),   μ′ = μ B/(μ + B),   B = 10⁻⁴⁴ kg m²

As in that paper, enthalpy and heat capacity stay harmonic. The electronic degeneracy is the spin
multiplicity, unless `LEVELS` knows the levels of the atom or radical. Enantiomers, conformers and
the rotations of groups are not counted. An imaginary wavenumber below 100i/cm enters by its
absolute value, as it does in `thermo.frequencies`. A stiffer one is left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from onekcal.energies import SPINS
from onekcal.errors import InputError
from onekcal.geometry.inertia import MASSES, inertia, shape_of
from onekcal.molecules import SYMBOLS, Molecules
from onekcal.thermo.frequencies import GAS, SOFT, TEMPERATURE, thermal_enthalpy
from onekcal.thermo.symmetry import symmetry_number
from onekcal.units import WAVENUMBER

PRESSURE = 1.0
"""bar, the pressure of the standard state."""
LOW = 100.0
"""1/cm. At this wavenumber a vibration counts half as a free rotor."""
R = 1000.0 * GAS
"""cal/mol/K, the gas constant."""
PLANCK, BOLTZMANN, DALTON = 6.62607015e-34, 1.380649e-23, 1.66053906660e-27
"""J s, J/K and kg (CODATA 2018)."""
LIGHT = 2.99792458e10
"""cm/s, the speed of light."""
BAR = 1e5
"""Pa."""
LARGEST_INERTIA = 1e-44
"""kg m², B of Grimme's interpolation: a free rotor is not heavier than this."""

Levels = tuple[tuple[int, float], ...]
"""Degeneracy and energy (1/cm above the lowest) of electronic levels."""

LEVELS: dict[str, Levels] = {
    "B": ((2, 0.0), (4, 15.287)),
    "C": ((1, 0.0), (3, 16.417), (5, 43.414)),
    "O": ((5, 0.0), (3, 158.265), (1, 226.977)),
    "F": ((4, 0.0), (2, 404.141)),
    "Al": ((2, 0.0), (4, 112.061)),
    "Si": ((1, 0.0), (3, 77.115), (5, 223.157)),
    "S": ((5, 0.0), (3, 396.055), (1, 573.640)),
    "Cl": ((4, 0.0), (2, 882.352)),
    "Br": ((4, 0.0), (2, 3685.24)),
    "HO": ((2, 0.0), (2, 139.21)),
    "HS": ((2, 0.0), (2, 376.8)),
    "CH": ((2, 0.0), (2, 27.95)),
    "NO": ((2, 0.0), (2, 121.1)),
    "ClO": ((2, 0.0), (2, 318.0)),
}
"""Levels of neutral atoms and of linear radicals with a ²Π ground state, by Hill formula.

Atoms: Kramida et al., NIST Atomic Spectra Database. Radicals: Huber & Herzberg, Constants of
Diatomic Molecules (1979). The spin–orbit interaction splits their ground states.
"""


@dataclass(frozen=True)
class Thermochemistry:
    """What temperature and pressure add to the energy of one molecule at 0 K.

    Parameters
    ----------
    temperature
        K.
    pressure
        bar.
    enthalpy
        H(T) − H(0), kcal/mol.
    entropy
        S(T), cal/mol/K.
    heat_capacity
        At constant pressure, cal/mol/K.
    symmetry
        The symmetry number.
    parts
        The entropy of translation, rotation, vibration and electrons, cal/mol/K.
    remarks
        One sentence each.
    """

    temperature: float
    pressure: float
    enthalpy: float
    entropy: float
    heat_capacity: float
    symmetry: int
    parts: dict[str, float]
    remarks: tuple[str, ...] = ()

    @property
    def free_energy(self) -> float:
        """G(T) − H(0), kcal/mol."""
        return self.enthalpy - self.temperature * self.entropy / 1000.0

    def to_dict(self) -> dict[str, object]:
        """Return everything, for JSON. Names hold the units."""
        return {
            "temperature_K": self.temperature,
            "pressure_bar": self.pressure,
            "enthalpy_kcal_per_mol": self.enthalpy,
            "entropy_cal_per_mol_K": self.entropy,
            "free_energy_kcal_per_mol": self.free_energy,
            "heat_capacity_cal_per_mol_K": self.heat_capacity,
            "symmetry_number": self.symmetry,
            "entropy_parts_cal_per_mol_K": dict(self.parts),
            "remarks": list(self.remarks),
        }


def thermochemistry(
    molecule: Molecules,
    wavenumbers: npt.ArrayLike,
    temperature: float = TEMPERATURE,
    pressure: float = PRESSURE,
    symmetry: int | None = None,
    quasi_harmonic: bool = True,
) -> Thermochemistry:
    """Compute enthalpy, entropy, heat capacity and free energy of one molecule.

    Parameters
    ----------
    molecule
        One molecule at the geometry of the wavenumbers, with its number of unpaired electrons.
    wavenumbers
        (vibrations,) 1/cm; imaginary ones are negative. An atom has none.
    temperature
        K.
    pressure
        bar. A solution of 1 mol/L corresponds to 24.79 bar at 298.15 K.
    symmetry
        The symmetry number. None finds it from the geometry.
    quasi_harmonic
        Whether soft vibrations are interpolated to free rotors.

    Returns
    -------
    Thermochemistry
        Relative to the molecule at 0 K, zero-point energy included.

    Raises
    ------
    InputError
        The number of wavenumbers does not fit, an element has no isotope mass here, or the
        temperature or pressure is not positive.
    """
    check_conditions(temperature, pressure)
    waves = np.asarray(wavenumbers, dtype=float)
    masses, positions = _masses(molecule), molecule.positions.numpy()
    kind = shape_of(masses, positions)
    _check_count(molecule, waves, kind)
    holding, remarks = _holding(waves)
    turns = symmetry_number(molecule) if symmetry is None else symmetry
    quanta = WAVENUMBER * holding / (GAS * temperature)  # hν/kT
    electronic = _electronic(molecule, temperature)
    parts = {
        "translation": _translation(float(masses.sum()), temperature, pressure),
        "rotation": _rotation(masses, positions, kind, turns, temperature),
        "vibration": _vibration(holding, quanta, temperature, quasi_harmonic),
        "electrons": electronic.entropy,
    }
    thermal = thermal_enthalpy(holding, kind, temperature)
    small = np.minimum(quanta, 500.0)
    vibrating = R * float(((small / (2.0 * np.sinh(small / 2.0))) ** 2).sum())
    rigid = {"atom": 2.5, "linear": 3.5, "bent": 4.0}[kind] * R
    return Thermochemistry(
        temperature,
        pressure,
        thermal.total + electronic.energy,
        sum(parts.values()),
        rigid + vibrating + electronic.heat_capacity,
        turns,
        parts,
        remarks,
    )


def unpaired(molecule: Molecules) -> int:
    """Return the unpaired electrons of one molecule; a neutral atom has its ground state.

    Parameters
    ----------
    molecule
        One molecule. Where it says 0 and has an odd number of electrons, it has one.
    """
    spin, charge = int(molecule.spins[0]), int(molecule.charges[0])
    if not spin and not charge and len(molecule.numbers) == 1:
        return SPINS.get(int(molecule.numbers[0]), 0)
    return spin or (int(molecule.numbers.sum()) - charge) % 2


def electronic_enthalpy(molecule: Molecules, temperature: float = TEMPERATURE) -> float:
    """Return what electronic levels add to H(T) − H(0), kcal/mol; 0 where `LEVELS` knows none.

    Parameters
    ----------
    molecule
        One molecule.
    temperature
        K.
    """
    return _electronic(molecule, temperature).energy


def check_conditions(temperature: float, pressure: float) -> None:
    """Refuse a temperature or a pressure that is not positive.

    Parameters
    ----------
    temperature
        K.
    pressure
        bar.

    Raises
    ------
    InputError
        One of them is not a positive, finite number.
    """
    for name, value, unit in (("temperature", temperature, "K"), ("pressure", pressure, "bar")):
        if not (math.isfinite(value) and value > 0):
            raise InputError(f"the {name} must be a positive number ({unit}), got {value}")


def _masses(molecule: Molecules) -> np.ndarray:
    """(n,) dalton."""
    if len(molecule) != 1:
        raise InputError(f"free energies belong to one molecule, got a batch of {len(molecule)}")
    missing = [SYMBOLS[z] for z in molecule.elements if z not in MASSES]
    if missing:
        raise InputError(
            f"free energy of {molecule.formulas[0]}: the isotope mass of {', '.join(missing)} is "
            "not known here"
        )
    return np.array([MASSES[int(z)] for z in molecule.numbers])


def _check_count(molecule: Molecules, waves: np.ndarray, kind: str) -> None:
    """Refuse wavenumbers of another molecule."""
    count = len(molecule.numbers)
    expected = {"atom": 0, "linear": 3 * count - 5, "bent": 3 * count - 6}[kind]
    if waves.shape != (expected,) or not np.isfinite(waves).all():
        raise InputError(
            f"free energy of {molecule.formulas[0]}: expected {expected} finite wavenumbers "
            f"({'an atom' if kind == 'atom' else f'{count} atoms, {kind}'}), got {waves.size}"
        )


def _holding(waves: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """The positive wavenumbers that hold heat, and a remark on those that are left out."""
    stiff = waves[waves <= -SOFT]
    remark = (
        f"{len(stiff)} imaginary wavenumber{'s' if len(stiff) > 1 else ''} (largest "
        f"{-stiff.min():.0f}i/cm) left out: the geometry is no minimum"
        if len(stiff)
        else ""
    )
    return np.maximum(np.abs(waves[waves > -SOFT]), 1.0), (remark,) if remark else ()


def _translation(mass: float, temperature: float, pressure: float) -> float:
    """Entropy, cal/mol/K."""
    heat = BOLTZMANN * temperature
    wave = (2.0 * math.pi * mass * DALTON * heat / PLANCK**2) ** 1.5
    return R * (math.log(wave * heat / (pressure * BAR)) + 2.5)


def _rotation(
    masses: np.ndarray, positions: np.ndarray, kind: str, turns: int, temperature: float
) -> float:
    """Entropy, cal/mol/K."""
    if kind == "atom":
        return 0.0
    moments = np.linalg.eigvalsh(inertia(masses, positions)) * DALTON * 1e-20  # kg m²
    ratios = 8.0 * math.pi**2 * BOLTZMANN * temperature * moments / PLANCK**2  # kT/B
    if kind == "linear":
        return R * (math.log(float(ratios[-1]) / turns) + 1.0)
    return R * (0.5 * math.log(math.pi * float(np.prod(ratios))) - math.log(turns) + 1.5)


def _vibration(
    waves: np.ndarray, quanta: np.ndarray, temperature: float, quasi_harmonic: bool
) -> float:
    """Entropy, cal/mol/K."""
    x = np.minimum(quanta, 500.0)
    harmonic = x / np.expm1(x) - np.log1p(-np.exp(-x))
    if not quasi_harmonic:
        return R * float(harmonic.sum())
    moment = PLANCK / (8.0 * math.pi**2 * LIGHT * waves)  # kg m²
    moment = moment * LARGEST_INERTIA / (moment + LARGEST_INERTIA)
    heat = BOLTZMANN * temperature
    rotor = 0.5 + 0.5 * np.log(8.0 * math.pi**3 * moment * heat / PLANCK**2)
    weight = 1.0 / (1.0 + (LOW / waves) ** 4)
    return R * float((weight * harmonic + (1.0 - weight) * rotor).sum())


@dataclass(frozen=True)
class _Electrons:
    """kcal/mol, cal/mol/K and cal/mol/K."""

    energy: float
    entropy: float
    heat_capacity: float


def _electronic(molecule: Molecules, temperature: float) -> _Electrons:
    """What electronic levels add: those of the table, else the spin multiplicity alone."""
    spin, charge = unpaired(molecule), int(molecule.charges[0])
    known = LEVELS.get(molecule.formulas[0]) if not charge and spin < 3 else None
    levels = np.array(known or ((spin + 1, 0.0),))
    x = levels[:, 1] * WAVENUMBER / (GAS * temperature)
    shares = levels[:, 0] * np.exp(-x)
    mean = float((shares * x).sum() / shares.sum())
    square = float((shares * x**2).sum() / shares.sum())
    return _Electrons(
        GAS * temperature * mean,
        R * (math.log(float(shares.sum())) + mean),
        R * (square - mean**2),
    )
