"""What fields cost in bytes and seconds, so that too much is refused and work is shared well."""

from __future__ import annotations

import shutil
from pathlib import Path

from onekcal.errors import InputError
from onekcal.fields.compute import FieldRequest
from onekcal.system.memory import free_memory
from onekcal.system.parallel import processors

SECONDS = {"": 3e-4, "gfn": 0.03, "one-shot": 0.3, "other": 5.0}
"""About what a molecule costs without a density, and with each class of densities."""
WORTHWHILE = 10.0
"""Seconds. For less work no processes are started."""
JOB = 1.0
"""Seconds of work in a task at most. A worker that is killed loses no more."""


def size_of(count: int, what: FieldRequest) -> float:
    """Return the bytes that fields take.

    Parameters
    ----------
    count
        How many molecules.
    what
        The request.
    """
    return 4.0 * count * len(what.kinds) * what.n**3


def check_room(count: int, what: FieldRequest, folder: Path | None, workers: int = 1) -> None:
    """Refuse fields that do not fit, before anything is computed.

    Parameters
    ----------
    count
        How many molecules.
    what
        The request.
    folder
        Where the fields are written. None: they stay in memory.
    workers
        Processes that compute at the same time.

    Raises
    ------
    InputError
        The memory or the disk is too small.
    """
    size = (
        f"{count:,} molecules × {len(what.kinds)} channels × {what.n}³ voxels take "
        f"{size_of(count, what) / 2**30:.2f} GiB"
    )
    # doubles: points, density, its gradient and τ of two spins, intermediate results; floats: the
    # fields themselves
    needed = workers * what.n**3 * (8.0 * 24 * bool(what.density) + 4.0 * (2 + len(what.kinds)))
    if folder is None:
        needed += size_of(count, what)
    free = free_memory()
    if needed > free:
        raise InputError(
            f"{size}, and computing them takes {needed / 2**30:.1f} GiB of memory, of which "
            f"{free / 2**30:.1f} are free: take a coarser grid, fewer molecules or fewer workers"
        )
    if folder is None:
        return
    free = shutil.disk_usage(folder).free
    if size_of(count, what) > free:
        raise InputError(
            f"{size} on disk, of which {free / 2**30:.2f} are free at {folder}: free space, take "
            "a coarser grid, or write to another disk"
        )


def seconds_of(what: FieldRequest) -> float:
    """Return about how many seconds the fields of one molecule take.

    Parameters
    ----------
    what
        The request.
    """
    if not what.density:
        return SECONDS[""] * max(1.0, what.n**3 / 14**3)
    return SECONDS[
        next((name for name in ("gfn", "one-shot") if what.density.startswith(name)), "other")
    ]


def task_size(what: FieldRequest) -> int:
    """Return how many molecules make a task: about a second of work, and at most 64 MiB of fields.

    Parameters
    ----------
    what
        The request.
    """
    return max(1, min(round(JOB / seconds_of(what)), int(2**26 // size_of(1, what)), 512))


def processes(what: FieldRequest, count: int, scheduler: str | None, workers: int | None) -> int:
    """Return how many processes compute.

    Parameters
    ----------
    what
        The request.
    count
        How many molecules.
    scheduler
        Address of a Dask cluster, or None.
    workers
        The number that the caller wants. None: all processors where the work is worth it, and 1
        otherwise.
    """
    if workers is not None or scheduler is not None:
        return workers or 1
    return processors() if what.density and count * seconds_of(what) > WORTHWHILE else 1
