"""Trajectories: the integrator, what is conserved, kills, limits and refusals."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from ase import Atoms
from ase import units as ase_units
from ase.io import read as ase_read
from ase.md.verlet import VelocityVerlet

from onekcal.calculator import Calculator
from onekcal.dynamics import run as running
from onekcal.dynamics.drift import Drift
from onekcal.dynamics.integrate import (
    KINETIC,
    Bath,
    State,
    advance,
    kinetic,
    masses_of,
    thermal_velocities,
)
from onekcal.dynamics.motion import Motion
from onekcal.dynamics.run import dynamics
from onekcal.errors import ConfigError, InputError
from onekcal.io import read
from onekcal.models.shipped import load_model
from onekcal.molecules import Molecules
from onekcal.show.moving import moved
from onekcal.thermo.frequencies import GAS
from onekcal.units import BOHR, EV, HARTREE
from support.springs import SPRING, Novel, Springs, springs

# --- the integrator -------------------------------------------------------------------------------


def harmonic(positions: np.ndarray) -> tuple[float, np.ndarray]:
    """A point on a spring at the origin."""
    return 0.5 * SPRING * float((positions**2).sum()), -SPRING * positions


def swing(step: float, time: float) -> float:
    """The position after some time (fs) of a hydrogen atom on a spring, which began at 0.1 Å."""
    mass = np.array([1.0])
    state = State(np.array([[0.1, 0, 0]]), np.zeros((1, 3)), *harmonic(np.array([[0.1, 0, 0]])))
    for _ in range(round(time / step)):
        state = advance(state, mass, step, Bath(0.0), harmonic, np.random.default_rng(0))
    return float(state.positions[0, 0])


def test_a_spring_swings_as_its_formula_says_with_an_error_of_second_order() -> None:
    exact = 0.1 * math.cos(math.sqrt(SPRING / KINETIC) * 20.0)
    coarse, fine = abs(swing(0.5, 20.0) - exact), abs(swing(0.25, 20.0) - exact)
    assert fine < 2e-3
    assert coarse / fine == pytest.approx(4.0, rel=0.15)  # the next order is 4 % here


def test_nve_is_ases_velocity_verlet(water: Molecules) -> None:
    artefact = springs(water)
    masses = masses_of(water)
    start = water.positions.numpy() * 1.02
    velocities = thermal_velocities(masses, start, 300.0, np.random.default_rng(1))
    atoms = Atoms(water.numbers.numpy(), start, masses=masses)
    atoms.calc = Calculator(artefact)
    atoms.set_velocities(velocities / ase_units.fs)
    VelocityVerlet(atoms, 0.5 * ase_units.fs).run(50)
    calculation = atoms.calc.method.calculation(water)

    def pull(positions: np.ndarray) -> tuple[float, np.ndarray]:
        point = calculation.at(positions)
        assert point.gradient is not None
        return point.energy * HARTREE, -point.gradient * (HARTREE / BOHR)

    state = State(start, velocities, *pull(start))
    for _ in range(50):
        state = advance(state, masses, 0.5, Bath(300.0), pull, np.random.default_rng(2))
    # both count in other units, whose constants agree to 1e-9
    assert np.allclose(state.positions, atoms.positions, atol=1e-6)
    assert state.kinetic(masses) / EV == pytest.approx(atoms.get_kinetic_energy(), rel=1e-6)
    assert np.abs(state.positions - start).max() > 1e-2  # it moved


def test_langevin_holds_the_temperature_of_a_spring_and_its_width() -> None:
    """Both are known: ⟨½mv²⟩ = 3/2 kT and ⟨½kx²⟩ = 3/2 kT. BAOAB has the second nearly exactly."""
    mass, bath, draw = np.ones(400), Bath(300.0, 0.02), np.random.default_rng(3)
    rest = np.zeros((400, 3))

    def pull(x: np.ndarray) -> tuple[float, np.ndarray]:
        return 0.5 * SPRING * float((x**2).sum()), -SPRING * x

    state, warm, wide, count = State(rest, rest, *pull(rest)), 0.0, 0.0, 0
    for k in range(800):
        state = advance(state, mass, 1.0, bath, pull, draw)
        if k >= 300:  # six times 1/γ
            warm += state.kinetic(mass)
            wide += state.energy
            count += 1
    expected = 1.5 * GAS * 300.0 * 400
    # 1,200 swings of 500 steps, ten correlation times: the mean is known to about 1 %
    assert wide / count == pytest.approx(expected, rel=0.06)
    assert warm / count == pytest.approx(expected, rel=0.08)  # O(Δt²) too low
    assert state.heat == pytest.approx(2 * expected, rel=0.2)  # what the bath brought in
    cold = State(rest, rest, *pull(rest))
    for _ in range(50):
        cold = advance(cold, mass, 1.0, Bath(300.0), pull, draw)
    assert cold.kinetic(mass) == 0.0  # without friction nothing comes in


def test_the_first_velocities_have_the_temperature_and_neither_move_nor_turn(
    water: Molecules,
) -> None:
    masses, positions = masses_of(water), water.positions.numpy()
    velocities = thermal_velocities(masses, positions, 250.0, np.random.default_rng(4))
    assert kinetic(masses, velocities) == pytest.approx(0.5 * 3 * GAS * 250.0)
    assert np.allclose(masses @ velocities, 0, atol=1e-12)
    centre = positions - masses @ positions / masses.sum()
    assert np.allclose(masses @ np.cross(centre, velocities), 0, atol=1e-12)
    assert np.abs(masses @ np.cross(centre, velocities[:, [1, 2, 0]])).max() > 1e-3  # could fail
    dioxide = np.array([[0, 0, 0], [0, 0, 1.16], [0, 0, -1.16]])
    heavy = np.array([12.0, 16.0, 16.0])
    linear = thermal_velocities(heavy, dioxide, 250.0, np.random.default_rng(4))
    assert kinetic(heavy, linear) == pytest.approx(0.5 * 4 * GAS * 250.0)  # 3n − 5
    atom = thermal_velocities(np.ones(1), np.zeros((1, 3)), 250.0, np.random.default_rng(4))
    assert not atom.any()


def test_the_drift_is_the_slope_of_a_straight_line() -> None:
    rng, drift = np.random.default_rng(5), Drift()
    times = np.linspace(0, 3, 100)
    energies = -1e5 + 0.25 * times + rng.normal(0, 0.01, 100)
    for time, energy in zip(times, energies):
        drift = drift.after(float(time), float(energy))
    assert drift.slope == pytest.approx(np.polyfit(times, energies - energies[0], 1)[0], abs=1e-7)
    assert drift.widest == pytest.approx(np.abs(energies - energies[0]).max(), abs=1e-9)
    assert math.isnan(Drift().after(0.0, 1.0).slope)


# --- whole trajectories ---------------------------------------------------------------------------


def test_gfn2_conserves_the_energy_and_a_longer_step_less_so(
    water: Molecules, tmp_path: Path
) -> None:
    fine = dynamics(water, "gfn2", tmp_path / "a.extxyz", Motion(400, 0.5, every=20))
    coarse = dynamics(water, "gfn2", tmp_path / "b.extxyz", Motion(200, 2.0, every=20))
    assert fine.widest < 0.1  # kcal/mol; water's fastest swing takes 9 fs
    assert abs(fine.drift) < 0.2  # 0.2 ps, within the swing of the energy
    assert coarse.widest > 4 * fine.widest  # of second order in the step: 16 times
    assert fine.time == pytest.approx(0.2)
    assert not fine.stopped


def test_a_frame_holds_energy_forces_and_velocities_as_they_belong_together(
    water: Molecules, tmp_path: Path
) -> None:
    artefact = springs(water, kind="total")
    dynamics(water, artefact, tmp_path / "w.extxyz", Motion(30, 0.5, every=10))
    back = read(tmp_path / "w.extxyz")
    assert len(back) == 4
    assert back.columns["energy"].kind == "total"
    assert back.columns["energy"].level == "springs"
    energies, forces = artefact.model.energies_and_forces(back.molecules[3])
    assert float(back.columns["energy"].values[3]) == pytest.approx(float(energies[0]), abs=1e-6)
    assert torch.allclose(back.columns["energy_forces"].values[9:], forces, atol=1e-5)
    frames = ase_read(tmp_path / "w.extxyz", ":")
    last = frames[-1]
    assert frames[2].info["step"] == 20
    assert kinetic(masses_of(water), last.arrays["velocities"]) == pytest.approx(
        last.info["kinetic"], abs=1e-6
    )


class Killed(Exception):
    """Stands for a process that is killed."""


def killing(at: int) -> Callable[[int, float, float], None]:
    def watch(step: int, temperature: float, energy: float) -> None:
        if step >= at:
            raise Killed

    return watch


@pytest.mark.parametrize("friction", [0.0, 5.0], ids=["NVE", "Langevin"])
def test_a_killed_trajectory_goes_on_and_is_the_same(
    water: Molecules, tmp_path: Path, friction: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "CHECKPOINT", 20)
    motion = Motion(60, 0.5, friction=friction, every=7)
    whole, cut = tmp_path / "whole.extxyz", tmp_path / "cut.extxyz"
    expected = dynamics(water, "gfn2", whole, motion)
    for at in (0, 14, 49):  # before the first checkpoint of the way, before and after the second
        with pytest.raises(Killed):
            dynamics(water, "gfn2", cut, motion, resume=True, watch=killing(at))
    with cut.open("ab") as file:
        file.write(b"3\nhalf a fra")  # what a kill leaves
    done = dynamics(water, "gfn2", cut, motion, resume=True)
    assert cut.read_bytes() == whole.read_bytes()
    assert replace(done, out=whole) == expected
    other = dynamics(water, "gfn2", tmp_path / "other.extxyz", replace(motion, seed=1))
    assert (tmp_path / "other.extxyz").read_bytes() != whole.read_bytes()
    assert other.steps == 60


def test_a_finished_trajectory_becomes_longer_as_if_it_had_never_ended(
    water: Molecules, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "CHECKPOINT", 20)
    artefact, motion = springs(water), Motion(70, 0.5, friction=5.0, every=5)
    dynamics(water, artefact, tmp_path / "a.extxyz", replace(motion, steps=33))
    dynamics(water, artefact, tmp_path / "a.extxyz", motion, resume=True)
    dynamics(water, artefact, tmp_path / "b.extxyz", motion)
    assert (tmp_path / "a.extxyz").read_bytes() == (tmp_path / "b.extxyz").read_bytes()


def test_other_settings_and_an_existing_file_are_refused(water: Molecules, tmp_path: Path) -> None:
    artefact, out = springs(water), tmp_path / "a.extxyz"
    dynamics(water, artefact, out, Motion(5))
    with pytest.raises(InputError, match="--resume goes on with it, --overwrite"):
        dynamics(water, artefact, out, Motion(5))
    with pytest.raises(ConfigError, match=r"timestep: 0\.5 then, 0\.4 now"):
        dynamics(water, artefact, out, Motion(5, 0.4), resume=True)
    with pytest.raises(InputError, match="began at another geometry"):
        dynamics(water.moved(water.positions * 1.2), artefact, out, Motion(5), resume=True)
    stiffer = springs(water, model=Springs(water, 600.0))
    out.write_bytes(b"")
    with pytest.raises(InputError, match="shorter than its checkpoint"):
        dynamics(water, artefact, out, Motion(5), resume=True)
    dynamics(water, stiffer, out, Motion(5), overwrite=True)


# --- limits ---------------------------------------------------------------------------------------


def test_a_molecule_that_breaks_ends_its_trajectory(water: Molecules, tmp_path: Path) -> None:
    pair = Molecules.one(["H", "H"], [[0, 0, 0], [0, 0, 0.74]])
    soft = springs(pair, model=Springs(pair, 2.0))
    done = dynamics(pair, soft, tmp_path / "a.extxyz", Motion(2000, 0.5, 3000.0, every=50))
    assert done.stopped == "the molecule is another one: H1–H2 broken"
    assert 0 < done.steps < 2000
    last = read(tmp_path / "a.extxyz").molecules[-1]  # the frame that shows it
    assert float((last.positions[0] - last.positions[1]).norm()) > 1.5 * 0.62
    held = dynamics(water, springs(water), tmp_path / "b.extxyz", Motion(200, every=50))
    assert not held.stopped


def test_a_molecule_that_the_model_no_longer_knows_ends_its_trajectory(
    water: Molecules, tmp_path: Path
) -> None:
    pulled = water.moved(water.positions * torch.tensor([1.0, 1.1, 1.1]))
    model = Novel(water, 0.01)  # so soft that it stays stretched
    motion = Motion(300, 0.5, 0.0, every=5)
    done = dynamics(
        pulled, springs(water, model=model, novelty_limit=0.05), tmp_path / "a.extxyz", motion
    )
    assert done.steps == 50  # ten frames in a row, the first at step 5
    assert "novelty" in done.stopped
    assert "above 0.05 in 10 frames" in done.stopped
    free = dynamics(
        pulled, springs(water, model=model, novelty_limit=0.5), tmp_path / "b.extxyz", motion
    )
    assert not free.stopped
    assert done.watched
    assert free.watched


def test_a_model_without_novelty_says_that_it_cannot_tell(
    water: Molecules, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    motion = Motion(20, every=10)
    done = dynamics(water, springs(water), tmp_path / "a.extxyz", motion)
    assert not done.watched
    moved(done, motion)
    assert "this model has no novelty" in capsys.readouterr().out
    known = dynamics(water, "gfn2", tmp_path / "b.extxyz", motion)  # knows all geometries
    assert known.watched
    moved(known, motion)
    assert "this model" not in capsys.readouterr().out


def test_one_atom_stays_and_two_far_molecules_move_alone(tmp_path: Path) -> None:
    atom = Molecules.one(["He"], [[0, 0, 0]])
    done = dynamics(atom, "gfn2", tmp_path / "he.extxyz", Motion(20))
    assert done.temperature == 0.0
    assert done.drift == 0.0
    two = Molecules.one([1, 1, 1, 1], [[0, 0, 0], [0, 0, 0.78], [0, 40, 0], [0, 40, 0.78]])
    moved = dynamics(two, "gfn2", tmp_path / "h2.extxyz", Motion(50, every=50))
    assert not moved.stopped


def test_models_without_forces_and_unknown_molecules_are_refused(
    water: Molecules, tmp_path: Path
) -> None:
    out = tmp_path / "a.extxyz"
    with pytest.raises(InputError, match="is no force"):
        dynamics(water, load_model(), out)
    artefact = springs(water)
    for molecule, reason in (
        (Molecules.one(["H", "F"], [[0, 0, 0], [0, 0, 0.9]]), "never seen F"),
        (Molecules.one(["H", "H"], [[0, 0, 0], [0, 0, 9.0]]), "2 pieces"),
    ):
        with pytest.raises(InputError, match=reason):
            dynamics(molecule, artefact, out)
    for motion, reason in (
        ({"step": 0.0}, "between 0 and 5.0 fs"),
        ({"steps": 0}, "`steps` must be at least 1"),
        ({"temperature": -1.0}, "`temperature` must be 0 or more"),
        ({"friction": -1.0}, "`friction` must be 0 or more"),
    ):
        with pytest.raises(InputError, match=reason):
            Motion(**motion)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="must end so"):
        dynamics(water, artefact, tmp_path / "a.xyz")
    assert not out.exists()
