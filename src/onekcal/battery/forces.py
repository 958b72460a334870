"""Forces are the slopes of the energy, and a molecule that moves by them keeps its energy."""

from __future__ import annotations

import math
import time

import numpy as np
import torch

from onekcal.battery.check import Check, Floats, Measured, NotAsked, Patient
from onekcal.dynamics.drift import Drift
from onekcal.dynamics.integrate import Bath, State, advance, masses_of, thermal_velocities
from onekcal.models.force_meaning import why_no_forces
from onekcal.molecules import Molecules

STEP = 2e-3
"""Å; of the differences. In single precision 1e-4 kcal/mol of rounding make 0.03 kcal/mol/Å."""
PUSHED = 0.05
"""Å; how far atoms are pushed from the minimum first, where all forces vanish."""
SLOPE = 0.5
"""kcal/mol/Å."""
DRIFT = 0.1
"""kcal/mol/ps."""
TIMESTEP, STEPS, FEWEST, TEMPERATURE = 0.5, 500, 100, 300.0
"""fs, the most and the fewest steps of a trajectory, and K."""
PATIENCE = 45.0
"""Seconds that a trajectory may take."""


def _pushed(patient: Patient, atoms: int) -> Molecules:
    molecule = patient.smallest(atoms)
    draw = torch.Generator().manual_seed(0)
    push = torch.randn(molecule.positions.shape, generator=draw, dtype=torch.float64)
    return molecule.moved(molecule.positions + PUSHED * push)


def _forces(patient: Patient) -> Measured:
    worst, names = 0.0, []
    for atoms in (3, 6):
        molecule = _pushed(patient, atoms)
        given = patient.artefact.model.forces(molecule).detach().double().numpy()
        names.append(molecule.formulas[0])
        apart = np.abs(given - differences(patient, molecule))
        worst = max(worst, float(np.nan_to_num(apart, nan=np.inf).max()))
    return Measured(worst, f"the largest component of {' and '.join(names)}")


def differences(patient: Patient, molecule: Molecules) -> Floats:
    """Compute forces by differences of energies.

    Parameters
    ----------
    patient
        The model.
    molecule
        One molecule of n atoms.

    Returns
    -------
    array
        (n, 3) kcal/mol/Å.
    """
    count = molecule.positions.numel()
    steps = STEP * torch.eye(count, dtype=torch.float64).reshape(count, -1, 3)
    moved = Molecules.concatenate(
        [molecule.moved(molecule.positions + sign * step) for sign in (1, -1) for step in steps]
    )
    up, down = patient.energies(moved).reshape(2, count)
    return (-(up - down) / (2 * STEP)).reshape(-1, 3)


def _drift(patient: Patient) -> Measured:
    if why := why_no_forces(patient.artefact):
        raise NotAsked(f"its gradient is no force: {why}")
    molecule = patient.smallest(6)

    def pull(positions: np.ndarray) -> tuple[float, np.ndarray]:
        model = patient.artefact.model
        energy, forces = model.energies_and_forces(molecule.moved(torch.from_numpy(positions)))
        return float(energy[0]), forces.detach().double().numpy()

    started = time.perf_counter()
    positions = molecule.positions.numpy().copy()
    pull(positions)
    started = time.perf_counter()  # the first question also loads libraries
    energy, forces = pull(positions)
    steps = min(STEPS, int(PATIENCE / (time.perf_counter() - started)))
    if steps < FEWEST:
        raise NotAsked(f"{FEWEST} steps of {molecule.formulas[0]} take more than {PATIENCE:g} s")
    masses, draw = masses_of(molecule), np.random.default_rng(0)
    velocities = thermal_velocities(masses, positions, TEMPERATURE, draw)
    state, drift = State(positions, velocities, energy, forces), Drift()
    for k in range(steps + 1):
        drift = drift.after(k * TIMESTEP / 1000.0, state.conserved(masses))
        if not math.isfinite(state.energy):
            return Measured(math.inf, f"{molecule.formulas[0]} broke after {k} steps")
        state = advance(state, masses, TIMESTEP, Bath(TEMPERATURE), pull, draw)
    told = f"{molecule.formulas[0]}, {steps} steps of {TIMESTEP:g} fs at {TEMPERATURE:g} K"
    return Measured(abs(drift.slope), f"{told}; largest deviation {drift.widest:.2g} kcal/mol")


FORCES = Check("forces against differences of energies", "kcal/mol/Å", SLOPE, _forces)
NVE = Check("drift of the total energy", "kcal/mol/ps", DRIFT, _drift)
