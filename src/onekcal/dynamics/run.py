"""Molecular dynamics of one molecule under a fitted model or a quantum method.

A killed trajectory goes on from its last checkpoint, and every frame is the one that it would have
been: positions, velocities and the random generator are stored exactly, and at each checkpoint the
calculation begins afresh, so that no density from before the kill matters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from onekcal.dynamics.drift import Drift
from onekcal.dynamics.integrate import Pull, State, advance, masses_of, thermal_velocities
from onekcal.dynamics.limits import Limits
from onekcal.dynamics.motion import Motion, Moved
from onekcal.dynamics.trajectory import (
    Checkpoint,
    Frames,
    read_checkpoint,
    resume_path,
    write_checkpoint,
)
from onekcal.errors import InputError
from onekcal.geometry.inertia import internal
from onekcal.models.artefact import Artefact
from onekcal.models.as_method import artefact_of, meaning_of, method_of, zero_of
from onekcal.molecules import SYMBOLS, Molecules
from onekcal.networks.training.config_differences import refuse_differences
from onekcal.prediction.scope import outside
from onekcal.quantum.method import LabelError, Method, formula_of
from onekcal.system.threads import on_one_thread
from onekcal.thermo.frequencies import GAS
from onekcal.units import BOHR, HARTREE

CHECKPOINT = 100
"""Steps between checkpoints."""
SAME = 0.05
"""Å; how far a start may be from the one that a trajectory began with. Two searches for conformers
on two machines differ by less.
"""


Watch = Callable[[int, float, float], None]
"""Called at each frame with the step, the temperature (K) and the potential energy (kcal/mol)."""


@on_one_thread
def dynamics(
    molecule: Molecules,
    model: str | Path | Artefact | Method,
    out: str | Path,
    motion: Motion = Motion(),  # noqa: B008  frozen
    resume: bool = False,
    overwrite: bool = False,
    watch: Watch = lambda step, temperature, energy: None,
) -> Moved:
    """Move one molecule, and write its trajectory.

    Parameters
    ----------
    molecule
        One molecule (Å).
    model
        A model whose energies have forces, or the name of a quantum method.
    out
        The trajectory (.extxyz): kcal/mol, Å, kcal/mol/Å, Å/fs.
    motion
        Time step, temperature and so on.
    resume
        Go on with a trajectory that was killed, or make a finished one longer.
    overwrite
        Replace a trajectory that exists.
    watch
        Hears of each frame.

    Returns
    -------
    Moved
        Its length, mean temperature and drift, and why it stopped where it did.

    Raises
    ------
    InputError
        The model has no forces or does not know the molecule, `out` exists, or the trajectory to
        go on with was begun with other settings.
    """
    return _Run(molecule, method_of(model), Path(out), motion).made(resume, overwrite, watch)


class _Run:
    """One trajectory while it is made."""

    def __init__(self, molecule: Molecules, how: Method, out: Path, motion: Motion) -> None:
        self.molecule, self.how, self.out, self.motion = molecule, how, out, motion
        self.artefact = artefact_of(how)
        self.limits = Limits(molecule, self.artefact)
        if out.suffix.lower() != ".extxyz":
            raise InputError(f"a trajectory is an extxyz file, and OUT must end so, got {out}")
        if not out.parent.is_dir():
            raise InputError(f"there is no folder {out.parent} to write {out.name} in")
        beyond = outside(self.artefact, molecule) if self.artefact else []
        if beyond and not motion.force:
            raise InputError(
                f"{formula_of(molecule)}: {'; '.join(beyond)} (--force moves it all the same)"
            )
        self.masses = masses_of(molecule)
        self.inner = internal(self.masses, molecule.positions.numpy()).shape[1]
        self.zero = zero_of(how, molecule)

    def made(self, resume: bool, overwrite: bool, watch: Watch) -> Moved:
        there = resume_path(self.out).is_file()
        if self.out.exists() and not (resume or overwrite):
            go_on = "--resume goes on with it, " if there else ""
            raise InputError(f"{self.out} exists; {go_on}--overwrite replaces it")
        at = self._taken_up() if resume and there else self._begun()
        frames = Frames(self.out, self.molecule, meaning_of(self.how), at.length)
        try:
            if not at.length:
                at = self._first(at, frames, watch)
            return self._moved(at, frames, watch)
        finally:
            frames.close()

    # --- beginning ----------------------------------------------------------------------------

    def settings(self) -> dict[str, object]:
        """What must be the same when a trajectory goes on."""
        motion = self.motion
        return {
            "model": self.how.functional if self.artefact else self.how.name,
            "atoms": " ".join(SYMBOLS[z] for z in self.molecule.numbers.tolist()),
            "charge": int(self.molecule.charges[0]),
            "spin": int(self.molecule.spins[0]),
            "timestep": motion.step,
            "temperature": motion.temperature,
            "friction": motion.friction,
            "every": motion.every,
            "seed": motion.seed,
        }

    def _begun(self) -> Checkpoint:
        draw = np.random.default_rng(self.motion.seed)
        positions = self.molecule.positions.numpy().copy()
        velocities = thermal_velocities(self.masses, positions, self.motion.temperature, draw)
        _, state = self._afresh(State(positions, velocities, 0.0, np.zeros_like(positions)))
        return Checkpoint(positions, 0, state, Drift(), 0.0, 0, 0, draw.bit_generator.state)

    def _taken_up(self) -> Checkpoint:
        at, settings = read_checkpoint(self.out)
        refuse_differences(self.out, settings, self.settings())
        moved = float(np.abs(at.start - self.molecule.positions.numpy()).max())
        if moved > SAME:
            raise InputError(
                f"{self.out} began at another geometry (an atom lies {moved:.2f} Å away); give "
                "the one that it began with, or start again with --overwrite"
            )
        length = self.out.stat().st_size if self.out.exists() else 0
        if length < at.length:
            raise InputError(
                f"{self.out} is shorter than its checkpoint says ({length} of {at.length} bytes); "
                "start again with --overwrite"
            )
        return at

    def _first(self, at: Checkpoint, frames: Frames, watch: Watch) -> Checkpoint:
        """Write the geometry at the start, and the first checkpoint."""
        self._frame(at.state, 0, frames, watch)
        at = replace(
            at,
            drift=at.drift.after(0.0, at.state.conserved(self.masses)),
            warmth=self._temperature(at.state),
            length=frames.kept(),
        )
        write_checkpoint(self.out, at, self.settings())
        return at

    # --- going on -----------------------------------------------------------------------------

    def _moved(self, at: Checkpoint, frames: Frames, watch: Watch) -> Moved:
        motion, state, drift, warmth, stopped = self.motion, at.state, at.drift, at.warmth, ""
        draw = np.random.default_rng()
        draw.bit_generator.state = dict(at.random)
        self.limits.above, step = at.above, at.step
        pull, state = self._afresh(state)
        while step < motion.steps and not stopped:
            try:
                state = advance(state, self.masses, motion.step, motion.bath, pull, draw)
            except LabelError as problem:
                stopped = str(problem)
                break
            step += 1
            stopped = self.limits.broken(state)
            if not stopped:
                time = step * motion.step / 1000.0
                drift = drift.after(time, state.conserved(self.masses))
                warmth += self._temperature(state)
            if step % motion.every == 0 or stopped:
                self._frame(state, step, frames, watch)
                stopped = stopped or self.limits.unknown(state)
            if step % CHECKPOINT == 0 and not stopped:
                pull, state = self._afresh(state)
                at = Checkpoint(
                    at.start,
                    step,
                    state,
                    drift,
                    warmth,
                    self.limits.above,
                    frames.kept(),
                    draw.bit_generator.state,
                )
                write_checkpoint(self.out, at, self.settings())
        return Moved(
            self.out,
            step,
            step * motion.step / 1000.0,
            warmth / max(drift.count, 1),
            drift.slope,
            drift.widest,
            stopped,
            self.limits.notices,
        )

    def _afresh(self, state: State) -> tuple[Pull, State]:
        """A calculation that begins here, and the state with its energy and forces."""
        calculation = self.how.calculation(self.molecule)

        def pull(positions: np.ndarray) -> tuple[float, np.ndarray]:
            point = calculation.at(positions)
            assert point.gradient is not None
            return (point.energy - self.zero) * HARTREE, -point.gradient * (HARTREE / BOHR)

        energy, forces = pull(state.positions)
        return pull, replace(state, energy=energy, forces=forces)

    def _temperature(self, state: State) -> float:
        """K. Without a thermostat the molecule neither moves nor turns as a whole."""
        free = 3 * len(self.masses) if self.motion.friction else self.inner
        return 2.0 * state.kinetic(self.masses) / (free * GAS) if free else 0.0

    def _frame(self, state: State, step: int, frames: Frames, watch: Watch) -> None:
        kinetic, temperature = state.kinetic(self.masses), self._temperature(state)
        frames.add(state, step, step * self.motion.step, kinetic, temperature)
        watch(step, temperature, state.energy)
