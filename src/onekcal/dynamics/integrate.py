r"""One step of velocity Verlet, or of Langevin dynamics (BAOAB).

    v ← v + ½ Δt F/m                                        (B)
    x ← x + ½ Δt v                                          (A)
    v ← c v + √((1 − c²) kT/m) ξ,   c = exp(−γ Δt)          (O)
    x ← x + ½ Δt v                                          (A)
    v ← v + ½ Δt F/m                                        (B)

Leimkuhler, Matthews, Appl. Math. Res. Express 2013, 34. Without friction (γ = 0) the middle does
nothing, and the rest is velocity Verlet. The heat that the middle brings in is added up: the energy
without it is conserved in both cases, so its drift tells how good the forces and the time step are.
ASE's Langevin integrator keeps no such sum, and it cannot be taken up again at an exact state.

Units: Å, fs, dalton, kcal/mol.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from onekcal.errors import InputError
from onekcal.geometry.inertia import MASSES, internal
from onekcal.molecules import SYMBOLS, Molecules
from onekcal.thermo.frequencies import GAS

KINETIC = 1.66053906660e-17 * 6.02214076e23 / 4184.0
"""kcal/mol in one dalton · Å²/fs² (CODATA 2018)."""

Pull = Callable[[np.ndarray], tuple[float, np.ndarray]]
"""Positions (n, 3) Å to energy (kcal/mol) and forces (n, 3) kcal/mol/Å."""


@dataclass(frozen=True)
class State:
    """Where a molecule is and how it moves.

    Parameters
    ----------
    positions
        (n, 3) Å.
    velocities
        (n, 3) Å/fs.
    energy
        Potential energy, kcal/mol.
    forces
        (n, 3) kcal/mol/Å.
    heat
        What the thermostat has brought in so far, kcal/mol.
    """

    positions: np.ndarray
    velocities: np.ndarray
    energy: float
    forces: np.ndarray
    heat: float = 0.0

    def kinetic(self, masses: np.ndarray) -> float:
        """Return the kinetic energy, kcal/mol; `masses` (n,) are in dalton."""
        return kinetic(masses, self.velocities)

    def conserved(self, masses: np.ndarray) -> float:
        """Return the energy without the thermostat's heat, kcal/mol."""
        return self.energy + self.kinetic(masses) - self.heat


@dataclass(frozen=True)
class Bath:
    """What couples a molecule to its surroundings.

    Parameters
    ----------
    temperature
        K.
    friction
        γ, 1/fs; 0 leaves the molecule alone.
    """

    temperature: float
    friction: float = 0.0

    def __post_init__(self) -> None:
        if not self.temperature >= 0:
            raise InputError(f"`temperature` must be 0 or more (K), got {self.temperature}")
        if not self.friction >= 0:
            raise InputError(f"`friction` must be 0 or more, got {self.friction}")


def masses_of(molecule: Molecules) -> np.ndarray:
    """Return the masses of the most abundant isotopes.

    Parameters
    ----------
    molecule
        One molecule.

    Returns
    -------
    ndarray
        (n,) dalton.

    Raises
    ------
    InputError
        An element has no mass here.
    """
    missing = [SYMBOLS[z] for z in molecule.elements if z not in MASSES]
    if missing:
        raise InputError(f"the isotope mass of {', '.join(missing)} is not known here")
    return np.array([MASSES[int(z)] for z in molecule.numbers])


def kinetic(masses: np.ndarray, velocities: np.ndarray) -> float:
    """Return the kinetic energy.

    Parameters
    ----------
    masses
        (n,) dalton.
    velocities
        (n, 3) Å/fs.

    Returns
    -------
    float
        kcal/mol.
    """
    return 0.5 * KINETIC * float(masses @ (velocities**2).sum(1))


def thermal_velocities(
    masses: np.ndarray, positions: np.ndarray, temperature: float, draw: np.random.Generator
) -> np.ndarray:
    """Draw velocities that neither move nor turn the molecule, at exactly a temperature.

    Parameters
    ----------
    masses
        (n,) dalton.
    positions
        (n, 3) Å.
    temperature
        K; each vibration gets ½ kT of kinetic energy on average.
    draw
        Where random numbers come from.

    Returns
    -------
    ndarray
        (n, 3) Å/fs; 0 for a lone atom.
    """
    raw = draw.standard_normal(3 * len(masses))
    vibrations = internal(masses, positions)  # (3n, 3n − 6), mass-weighted
    count = vibrations.shape[1]
    inner = vibrations @ (vibrations.T @ raw)
    if not count or not inner.any():
        return np.zeros_like(positions)
    velocities = inner.reshape(-1, 3) / np.sqrt(masses)[:, None]
    wanted = 0.5 * count * GAS * temperature
    return velocities * np.sqrt(wanted / kinetic(masses, velocities))


def advance(
    state: State,
    masses: np.ndarray,
    step: float,
    bath: Bath,
    pull: Pull,
    draw: np.random.Generator,
) -> State:
    """Go one step.

    Parameters
    ----------
    state
        The molecule now.
    masses
        (n,) dalton.
    step
        Δt, fs.
    bath
        Temperature and friction.
    pull
        What gives energy and forces.
    draw
        Where random numbers come from; none are drawn without friction.

    Returns
    -------
    State
        The molecule Δt later.
    """
    push = 0.5 * step / (KINETIC * masses[:, None])  # Å/fs for one kcal/mol/Å
    velocities = state.velocities + push * state.forces
    positions = state.positions + 0.5 * step * velocities
    heat = state.heat
    if bath.friction:
        before = kinetic(masses, velocities)
        keep = np.exp(-bath.friction * step)
        wide = np.sqrt((1.0 - keep**2) * GAS * bath.temperature / (KINETIC * masses))[:, None]
        velocities = keep * velocities + wide * draw.standard_normal(velocities.shape)
        heat += kinetic(masses, velocities) - before
    positions = positions + 0.5 * step * velocities
    energy, forces = pull(positions)
    return replace(
        state,
        positions=positions,
        velocities=velocities + push * forces,
        energy=energy,
        forces=forces,
        heat=heat,
    )
