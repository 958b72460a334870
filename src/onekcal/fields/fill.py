"""Filling one file of fields, in many processes or on a cluster. A killed run can go on.

A field is known by a hash of its molecule (nuclei, positions, charge, unpaired electrons) and by
everything else that its values depend on (kind, density, grid). A field is copied instead of
computed where the file has it already, where a killed run left it, or where another file that the
caller names has it.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from onekcal.errors import DataError, InputError
from onekcal.fields.compute import FieldRequest, compute, keys_of, packages
from onekcal.fields.cost import check_room, processes, size_of, task_size
from onekcal.fields.grid import frames
from onekcal.fields.voxel_file import ABSENT, FAILED, THERE, VoxelFile, create, open_file
from onekcal.labels.labelling import Failed, progress
from onekcal.molecules import Molecules
from onekcal.quantum.orbitals.named import program_of
from onekcal.system.files import whole_file
from onekcal.system.locks import alone
from onekcal.system.parallel import in_parallel


@dataclass(frozen=True)
class Filling:
    """What was done for a file of fields.

    Parameters
    ----------
    out
        The file.
    done
        Molecules that have all their fields.
    computed
        Molecules for which something was computed now.
    failed
        Molecules that failed.
    seconds
        How long it took.
    """

    out: Path
    done: int
    computed: int
    failed: list[Failed] = field(default_factory=list)
    seconds: float = 0.0


def fill(
    out: Path,
    molecules: Molecules,
    what: FieldRequest,
    scheduler: str | None = None,
    workers: int | None = None,
    quiet: bool = False,
    sources: Sequence[Path] = (),
) -> Filling:
    """Make a file hold the fields of molecules, whatever it held before.

    Until it is whole the file is called OUT.….partial. The same call goes on where a killed one
    stopped. Molecules that fail are listed in OUT.failed and are NaN in the file; every run tries
    them again.

    Parameters
    ----------
    out
        The file (.h5).
    molecules
        One row of the file for each.
    what
        The request.
    scheduler
        Address of a Dask cluster that computes. None: local processes.
    workers
        Local processes. None: as many as the work is worth.
    quiet
        Whether nothing is printed.
    sources
        Other files that may hold fields that are needed here.
    """
    _check_name(out)
    start = time.monotonic()
    frames(molecules, what.box, what.turn)  # refuses a molecule that is too long
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f"{out.name}.{digest_of(molecules, what)[:8]}.partial")
    waiting = f"waiting for another process that computes {out.name}"
    with alone(out, lambda: _say(waiting, quiet)):
        if not partial.exists():
            if _same(out, molecules, what):
                if not (open_file(out).state == FAILED).any():
                    return Filling(out, len(molecules), 0)
                os.replace(out, partial)  # molecules that failed are tried again
            else:
                check_room(
                    len(molecules),
                    what,
                    out.parent,
                    processes(what, len(molecules), scheduler, workers),
                )
                _say(
                    f"{out}: {len(molecules):,} × {len(what.kinds)} × {what.n}³, "
                    f"{size_of(len(molecules), what) / 2**20:,.1f} MiB on disk",
                    quiet,
                )
                create(partial, molecules, what)
        file = open_file(partial, write=True)
        file.forget_damaged()
        leftovers = [path for path in out.parent.glob(f"{out.name}.*.partial") if path != partial]
        for source in [out, *leftovers, *sources]:
            _copy(source, file)
        computed, reasons = _complete(file, molecules, what, scheduler, workers, quiet)
        file.flush()
        failed = [
            Failed(m, str(molecules.names[m]) or f"#{m + 1} {molecules[m].formulas[0]}", reasons[m])
            for m in sorted(reasons)
        ]
        _report(out.with_name(out.name + ".failed"), failed)
        os.replace(partial, out)
        for path in leftovers:
            path.unlink(missing_ok=True)
    return Filling(out, len(molecules) - len(failed), computed, failed, time.monotonic() - start)


def keep(out: Path, molecules: Molecules, what: FieldRequest, values: np.ndarray) -> None:
    """Write fields that have been computed to a file of their own.

    Parameters
    ----------
    out
        The file (.h5).
    molecules
        The M molecules.
    what
        The request.
    values
        (M, C, n, n, n) the fields.
    """
    _check_name(out)
    with whole_file(out) as part:
        create(part, molecules, what)
        file = open_file(part, write=True)
        for row, channel in np.ndindex(values.shape[:2]):
            file.put(row, channel, values[row, channel])
        file.flush()


def _check_name(out: Path) -> None:
    if out.suffix != ".h5":
        raise InputError(
            f"fields are written to an HDF5 file: it must end in .h5, got {str(out)!r}"
        )


def digest_of(molecules: Molecules, what: FieldRequest) -> str:
    """Return a hash of molecules, in their order, and of the channels.

    Parameters
    ----------
    molecules
        The molecules.
    what
        The request.
    """
    return hashlib.sha256(
        keys_of(molecules).tobytes() + "\n".join(what.contents).encode()
    ).hexdigest()


def _same(path: Path, molecules: Molecules, what: FieldRequest) -> bool:
    """Say whether `path` is a whole file of just these fields."""
    try:
        file = open_file(path, whole=True)
    except DataError:
        return False
    return file.contents == what.contents and file.keys == [
        key.tobytes() for key in keys_of(molecules)
    ]


def _copy(source: Path, file: VoxelFile) -> None:
    """Copy the fields that this file lacks from another one, where that can be read."""
    try:
        other = open_file(source)
    except DataError:
        return
    for channel, content in enumerate(file.contents):
        if content not in other.contents:
            continue
        place = other.contents.index(content)
        for row in np.flatnonzero(file.state[:, channel] == ABSENT):
            there = other.row_of.get(file.keys[row])
            if there is not None and other.sound(there, place):
                file.put(int(row), channel, other.fields[there, place])


def _complete(
    file: VoxelFile,
    molecules: Molecules,
    what: FieldRequest,
    scheduler: str | None,
    workers: int | None,
    quiet: bool,
) -> tuple[int, dict[int, str]]:
    """Compute what is absent; return how many molecules that were, and why some failed."""
    first = np.array([file.row_of[key] for key in file.keys])
    lacking = file.state == ABSENT  # (M, C)
    todo = np.flatnonzero(lacking.any(1) & (first == np.arange(len(first))))  # equal molecules once
    reasons: dict[int, str] = {}
    with progress(len(todo), int((~lacking.any(1)).sum()), quiet, "fields") as advance:
        if len(todo) and what.density:
            program_of(what.density).version()  # a missing package is no fault of the molecules
        for pattern in np.unique(lacking[todo], axis=0):
            rows = todo[(lacking[todo] == pattern).all(1)]
            which = np.flatnonzero(pattern).tolist()
            part = what.only(which)
            for m, reason in _computed(file, which, molecules, rows, part, scheduler, workers):
                advance({} if reason is None else {"error": reason})
                if reason is not None:
                    reasons[m] = reason
    _copies(file, first, reasons)
    return len(todo), reasons


def _computed(
    file: VoxelFile,
    which: list[int],
    molecules: Molecules,
    rows: np.ndarray,
    what: FieldRequest,
    scheduler: str | None,
    workers: int | None,
) -> Iterator[tuple[int, str | None]]:
    """Fill channels `which` of `rows`; give each row, as it is done, with its failure or None."""
    count = processes(what, len(rows), scheduler, workers)
    size = task_size(what)
    while len(rows):
        lost: list[int] = []
        tasks = packages(molecules, rows, what, size)
        for done in in_parallel(compute, tasks, -(-len(rows) // size), scheduler, count):
            # something ended the whole process: each molecule is tried alone to find which
            if "error" in done and len(done["key"]) > 1:
                lost += done["key"].tolist()
                continue
            for place, row in enumerate(done["key"].tolist()):
                reason = done.get("error") or done["errors"].get(place)
                for k, channel in enumerate(which):
                    if reason is None or (not what.kinds[k].electronic and "values" in done):
                        file.put(row, channel, done["values"][place, k])
                    else:
                        file.fields[row, channel] = np.nan
                        file.state[row, channel] = FAILED
                yield row, reason
        rows, size = np.array(lost, dtype=np.int64), 1


def _copies(file: VoxelFile, first: np.ndarray, reasons: dict[int, str]) -> None:
    """Fill the rows of molecules that are in the batch several times."""
    for row in np.flatnonzero(first != np.arange(len(first))).tolist():
        for channel in range(len(file.kinds)):
            if file.state[first[row], channel] == THERE:
                file.put(row, channel, file.fields[first[row], channel])
            else:
                file.fields[row, channel], file.state[row, channel] = np.nan, FAILED
        if first[row] in reasons:
            reasons[row] = reasons[first[row]]


def _say(text: str, quiet: bool) -> None:
    if not quiet:
        print(text, file=sys.stderr)


def _report(path: Path, failed: list[Failed]) -> None:
    path.unlink(missing_ok=True)
    if failed:
        path.write_text(
            "".join(json.dumps(vars(one), ensure_ascii=False) + "\n" for one in failed),
            encoding="utf-8",
        )
