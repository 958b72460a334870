"""The files of a trajectory: frames in extended xyz, and the exact state to go on from.

OUT grows frame by frame. OUT.resume holds the last checkpoint: positions, velocities, the random
generator, the sums of the drift, and how long OUT was then. A trajectory that goes on cuts OUT to
that length first, so that no frame stands there twice.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from onekcal.dynamics.drift import Drift
from onekcal.dynamics.integrate import State
from onekcal.io.writing import quoted, xyz_frame
from onekcal.molecules import Molecules
from onekcal.system import tensor_file
from onekcal.system.files import damage_refused

FORMAT = 1
"""Number of the checkpoint's format."""
PROPERTIES = "Properties=species:S:1:pos:R:3:forces:R:3:velocities:R:3"


@dataclass(frozen=True)
class Checkpoint:
    """An exact state of a trajectory.

    Parameters
    ----------
    start
        (n, 3) where the trajectory began, Å.
    step
        Steps so far.
    state
        The molecule there.
    drift
        The conserved energy so far.
    warmth
        Sum of the temperatures so far, K.
    above
        Frames in a row above the novelty limit.
    length
        Bytes of the trajectory's file.
    random
        The state of the random generator.
    """

    start: np.ndarray
    step: int
    state: State
    drift: Drift
    warmth: float
    above: int
    length: int
    random: Mapping[str, Any]


def resume_path(out: Path) -> Path:
    """Return where the checkpoint of a trajectory lies.

    Parameters
    ----------
    out
        The trajectory's file.
    """
    return out.with_name(out.name + ".resume")


def write_checkpoint(out: Path, at: Checkpoint, settings: Mapping[str, object]) -> None:
    """Write a checkpoint, whole or not at all.

    Parameters
    ----------
    out
        The trajectory's file.
    at
        The state.
    settings
        What the trajectory was begun with.
    """
    state = at.state
    tensors = {
        name: torch.from_numpy(np.ascontiguousarray(getattr(state, name)))
        for name in ("positions", "velocities", "forces")
    }
    tensors["start"] = torch.from_numpy(np.ascontiguousarray(at.start))
    header = {
        "format": FORMAT,
        "settings": settings,
        "step": at.step,
        "energy": state.energy,
        "heat": state.heat,
        "drift": asdict(at.drift),
        "warmth": at.warmth,
        "above": at.above,
        "length": at.length,
        "random": at.random,
    }
    tensor_file.write(resume_path(out), tensors, header)


def read_checkpoint(out: Path) -> tuple[Checkpoint, dict[str, object]]:
    """Read the last checkpoint of a trajectory, and what the trajectory was begun with.

    Parameters
    ----------
    out
        The trajectory's file.

    Raises
    ------
    DataError
        There is none, or it is damaged.
    """
    tensors, header = tensor_file.read(
        resume_path(out), FORMAT, "a checkpoint of a trajectory", "start again with --overwrite"
    )
    with damage_refused(resume_path(out), "a whole checkpoint", "start again with --overwrite"):
        arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
        start = arrays.pop("start")
        state = State(energy=header["energy"], heat=header["heat"], **arrays)
        at = Checkpoint(
            start,
            header["step"],
            state,
            Drift(**header["drift"]),
            header["warmth"],
            header["above"],
            header["length"],
            header["random"],
        )
        return at, header["settings"]


class Frames:
    """The trajectory's file, open for frames.

    Parameters
    ----------
    out
        The file.
    molecule
        Nuclei, name, charge and spin.
    meaning
        Kind and level of the energies, for the comment of each frame.
    length
        Bytes that stay; what lies behind them is cut off.
    """

    def __init__(
        self, out: Path, molecule: Molecules, meaning: Mapping[str, str], length: int = 0
    ) -> None:
        self.numbers = molecule.numbers.tolist()
        facts = dict(meaning) | {"name": str(molecule.names[0])}
        facts |= {"charge": str(int(molecule.charges[0])), "spin": str(int(molecule.spins[0]))}
        self.facts = " ".join(f"{key}={quoted(value)}" for key, value in facts.items() if value)
        self.file = out.open("r+b" if length else "wb")
        self.file.truncate(length)
        self.file.seek(length)

    def add(self, state: State, step: int, time: float, kinetic: float, temperature: float) -> None:
        """Write one frame.

        Parameters
        ----------
        state
            The molecule.
        step, time
            The number of the step, and fs.
        kinetic
            kcal/mol.
        temperature
            K.
        """
        comment = (
            f"{PROPERTIES} energy={state.energy:.10f} energy_unit=kcal/mol {self.facts} "
            f"step={step} time_fs={time:.4f} kinetic={kinetic:.10f} heat={state.heat:.10f} "
            f"temperature={temperature:.2f}"
        )
        table = np.hstack([state.positions, state.forces, state.velocities])
        self.file.write(xyz_frame(self.numbers, table, comment).encode())

    def kept(self) -> int:
        """Bring everything to the disk, and return the length of the file in bytes."""
        self.file.flush()
        os.fsync(self.file.fileno())
        return self.file.tell()

    def close(self) -> None:
        """Close the file."""
        self.file.close()
