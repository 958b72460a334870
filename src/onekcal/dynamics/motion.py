"""How a molecule is to move, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from onekcal.dynamics.integrate import Bath
from onekcal.errors import InputError

LONGEST = 5.0
"""fs; a longer time step cannot follow the vibrations of any molecule."""


@dataclass(frozen=True)
class Motion:
    """How a molecule is to move.

    Parameters
    ----------
    steps
        How many steps.
    step
        Δt, fs.
    temperature
        K: of the velocities at the start, and of the thermostat.
    friction
        γ of the Langevin thermostat, 1/ps; 0 leaves the energy constant (NVE).
    every
        Steps between two frames of the trajectory.
    seed
        Seed of the random numbers.
    force
        Whether molecules outside the model's scope are taken, too.
    """

    steps: int = 2000
    step: float = 0.5
    temperature: float = 300.0
    friction: float = 0.0
    every: int = 10
    seed: int = 0
    force: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.step <= LONGEST:
            raise InputError(f"the time step must lie between 0 and {LONGEST} fs, got {self.step}")
        for name in ("steps", "every"):
            if getattr(self, name) < 1:
                raise InputError(f"`{name}` must be at least 1, got {getattr(self, name)}")
        self.bath  # noqa: B018  refuses wrong values

    @property
    def bath(self) -> Bath:
        """Temperature, and friction in 1/fs."""
        return Bath(self.temperature, self.friction / 1000.0)


@dataclass(frozen=True)
class Moved:
    """What a trajectory came to.

    Parameters
    ----------
    out
        Its file.
    steps
        Steps that were made.
    time
        ps.
    temperature
        The mean, K.
    drift
        Slope of the conserved energy, kcal/mol/ps for the whole molecule.
    widest
        How far the conserved energy was from its start at most, kcal/mol.
    stopped
        Why the trajectory ended before its time; empty where it did not.
    watched
        Whether it would have been noticed that the molecule leaves what the model knows.
    """

    out: Path
    steps: int
    time: float
    temperature: float
    drift: float
    widest: float
    stopped: str = ""
    watched: bool = True
