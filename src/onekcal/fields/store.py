"""Fields on disk, computed once: resumable, spread over processes or a cluster, addressed by content.

A field is known by a hash of its molecule (nuclei, positions, charge, unpaired electrons) and by everything else its
values depend on (kind, density, grid). What is in OUT already, in what a killed run left, or in any file under
ONEKCAL_HOME/fields is copied instead of computed again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from onekcal.errors import DataError, InputError
from onekcal.fields.compute import Ask, compute, keys_of, packages
from onekcal.fields.grid import frames
from onekcal.fields.voxel_file import ABSENT, FAILED, THERE, VoxelFile, create, open_file
from onekcal.labels.labelling import Failed, progress
from onekcal.molecules import Molecules, rows_of
from onekcal.quantum.orbitals.named import program_of
from onekcal.system.files import whole_file
from onekcal.system.home import home
from onekcal.system.jobs import in_parallel, processors
from onekcal.system.memory import free_memory

SECONDS = {"": 3e-4, "gfn": 0.03, "one-shot": 0.3, "other": 5.0}
"""About what a molecule costs with no density, a tight-binding, a one-shot and any other one."""
WORTHWHILE = 10.0
"""Seconds of work below which it is not worth starting processes."""
JOB = 1.0
"""Seconds of work in a job, at most: what a kill may lose a worker."""


@dataclass(frozen=True)
class Filling:
    """What was done for a file of fields."""

    out: Path
    done: int  # molecules with all their fields
    computed: int  # molecules for which something was computed now
    failed: list[Failed] = field(default_factory=list)
    seconds: float = 0.0


def size_of(count: int, what: Ask) -> float:
    """Bytes that the fields of `count` molecules take."""
    return 4.0 * count * len(what.kinds) * what.n**3


def check_room(count: int, what: Ask, folder: Path | None, workers: int = 1) -> None:
    """Refuse what would not fit on the disk of `folder` (in memory where there is none), before anything is computed."""
    size = f"{count:,} molecules × {len(what.kinds)} channels × {what.n}³ voxels take {size_of(count, what) / 2**30:.2f} GiB"
    # points, density, its gradient and τ of two spins, intermediate results: doubles; and the fields themselves
    needed = workers * what.n**3 * (8.0 * 24 * bool(what.density) + 4.0 * (2 + len(what.kinds)))
    if folder is None:
        needed += size_of(count, what)
    free = free_memory()
    if needed > free:
        raise InputError(
            f"{size}, and computing them {needed / 2**30:.1f} GiB of memory, of which {free / 2**30:.1f} are "
            "free: take a coarser grid, fewer molecules or fewer workers"
        )
    if folder is None:
        return
    free = shutil.disk_usage(folder).free
    if size_of(count, what) > free:
        raise InputError(
            f"{size} on disk, of which {free / 2**30:.2f} are free at {folder}: free space, take a coarser "
            "grid, or write to another disk"
        )


# --- one file --------------------------------------------------------------------------------------------------------


def fill(
    out: Path,
    molecules: Molecules,
    what: Ask,
    scheduler: str | None = None,
    workers: int | None = None,
    quiet: bool = False,
    sources: Sequence[Path] = (),
) -> Filling:
    """Make `out` hold the fields of `molecules`, whatever it held before.

    Until it is whole it is called OUT.….partial; the same call goes on where a killed one stopped. Molecules that fail
    are reported and NaN in `out`; they are tried again in every run.
    """
    _check_name(out)
    start = time.monotonic()
    frames(
        molecules, what.box, what.turn
    )  # a molecule that is too long is met before anything is computed
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f"{out.name}.{digest_of(molecules, what)[:8]}.partial")
    with _alone(out, quiet):
        if not partial.exists():
            if _same(out, molecules, what):
                if not (open_file(out).state == FAILED).any():
                    return Filling(out, len(molecules), 0)
                os.replace(out, partial)  # to try the failed ones again
            else:
                check_room(
                    len(molecules),
                    what,
                    out.parent,
                    _processes(what, len(molecules), scheduler, workers),
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


def keep(out: Path, molecules: Molecules, what: Ask, values: np.ndarray) -> None:
    """Write fields (M, C, n, n, n) that are there already to a file of their own."""
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


def digest_of(molecules: Molecules, what: Ask) -> str:
    """A hash of all that is asked for, molecules in order."""
    return hashlib.sha256(
        keys_of(molecules).tobytes() + "\n".join(what.contents).encode()
    ).hexdigest()


def _same(path: Path, molecules: Molecules, what: Ask) -> bool:
    """Is `path` a whole file of just these fields?"""
    try:
        file = open_file(path, whole=True)
    except DataError:
        return False
    return file.contents == what.contents and file.keys == [
        key.tobytes() for key in keys_of(molecules)
    ]


def _copy(source: Path, file: VoxelFile) -> None:
    """Fields that another file has and this one lacks; a file that is damaged, or not one of fields, has none."""
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
    what: Ask,
    scheduler: str | None,
    workers: int | None,
    quiet: bool,
) -> tuple[int, dict[int, str]]:
    """Compute what is absent; how many molecules that were, and why which failed."""
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
    what: Ask,
    scheduler: str | None,
    workers: int | None,
) -> Iterator[tuple[int, str | None]]:
    """Fill channels `which` of `rows`; each row with its failure, or None, as it is done."""
    processes = _processes(what, len(rows), scheduler, workers)
    size = _job_size(what)
    while len(rows):
        lost: list[int] = []
        jobs = packages(molecules, rows, what, size)
        for found in in_parallel(compute, jobs, -(-len(rows) // size), scheduler, processes):
            if (
                "error" in found and len(found["key"]) > 1
            ):  # something took the whole process down: which molecule was it?
                lost += found["key"].tolist()
                continue
            for place, row in enumerate(found["key"].tolist()):
                reason = found.get("error") or found["errors"].get(place)
                for k, channel in enumerate(which):
                    if reason is None or (not what.kinds[k].electronic and "values" in found):
                        file.put(row, channel, found["values"][place, k])
                    else:
                        file.fields[row, channel] = np.nan
                        file.state[row, channel] = FAILED
                yield row, reason
        rows, size = np.array(lost, dtype=np.int64), 1


def _copies(file: VoxelFile, first: np.ndarray, reasons: dict[int, str]) -> None:
    """Molecules that are in the batch several times."""
    for row in np.flatnonzero(first != np.arange(len(first))).tolist():
        for channel in range(len(file.kinds)):
            if file.state[first[row], channel] == THERE:
                file.put(row, channel, file.fields[first[row], channel])
            else:
                file.fields[row, channel], file.state[row, channel] = np.nan, FAILED
        if first[row] in reasons:
            reasons[row] = reasons[first[row]]


def seconds_of(what: Ask) -> float:
    """About what the fields of one molecule cost, in seconds."""
    if not what.density:
        return SECONDS[""] * max(1.0, what.n**3 / 14**3)
    return SECONDS[
        next((name for name in ("gfn", "one-shot") if what.density.startswith(name)), "other")
    ]


def _job_size(what: Ask) -> int:
    """Molecules a job: about a second of work, no more than 64 MiB of fields."""
    return max(1, min(round(JOB / seconds_of(what)), int(2**26 // size_of(1, what)), 512))


def _processes(what: Ask, count: int, scheduler: str | None, workers: int | None) -> int:
    if workers is not None or scheduler is not None:
        return workers or 1
    return processors() if what.density and count * seconds_of(what) > WORTHWHILE else 1


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


@contextmanager
def _alone(out: Path, quiet: bool) -> Iterator[None]:
    """One process at a time for the same file; others wait, and find its fields done. A kill lets go of it."""
    import fcntl

    path = out.with_name(f"{out.name}.lock")
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say(f"waiting for another process that computes {out.name}", quiet)
            fcntl.flock(handle, fcntl.LOCK_EX)
        try:
            current = path.stat().st_ino
        except FileNotFoundError:
            current = -1
        if current == os.fstat(handle).st_ino:
            break
        os.close(handle)  # who held it has removed it
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


# --- the store -------------------------------------------------------------------------------------------------------


def folder() -> Path:
    """Where fields are kept; files of `onekcal field --out` that are put here are found."""
    return home() / "fields"


class StoredFields:
    """Fields (M, C, n, n, n) float32 of a batch, memory-mapped: indexed by an integer, a slice, a mask or rows → numpy."""

    dtype = np.dtype(np.float32)

    def __init__(self, files: list[VoxelFile], where: np.ndarray, shape: tuple[int, ...]) -> None:
        self.files, self.where = files, where  # (M, C, 3) file, row, channel
        self.shape = (len(where), *shape)

    def __len__(self) -> int:
        return len(self.where)

    def __getitem__(self, which: Any) -> np.ndarray:
        rows = rows_of(which, len(self)).numpy()
        out = np.empty((len(rows), *self.shape[1:]), np.float32)
        where = self.where[rows]
        for c in range(self.shape[1]):
            for f in np.unique(where[:, c, 0]):
                mine = np.flatnonzero(where[:, c, 0] == f)
                out[mine, c] = self.files[f].fields[where[mine, c, 1], where[mine[0], c, 2]]
        return out[0] if isinstance(which, (int, np.integer)) else out

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:].astype(dtype or np.float32, copy=False)


def stored(
    molecules: Molecules,
    what: Ask,
    scheduler: str | None = None,
    workers: int | None = None,
    quiet: bool = True,
) -> tuple[StoredFields, Filling]:
    """The fields of `molecules`, computed where they are not in the store yet; a molecule that fails is an error."""
    start = time.monotonic()
    keys = [key.tobytes() for key in keys_of(molecules)]
    files = _files(what)
    where = _found(files, keys, what)
    lacking = where[:, :, 0] < 0
    computed, failed = 0, []
    for pattern in np.unique(lacking[lacking.any(1)], axis=0):
        rows = np.flatnonzero((lacking == pattern).all(1))
        some, part = molecules[rows], what.only(np.flatnonzero(pattern).tolist())
        done = fill(
            folder() / f"{digest_of(some, part)[:24]}.h5", some, part, scheduler, workers, quiet
        )
        computed += done.computed
        failed += [Failed(int(rows[one.row]), one.name, one.reason) for one in done.failed]
        files.append(open_file(done.out))
    if computed or lacking.any():
        where = _found(files, keys, what)
    filling = Filling(
        folder(), len(molecules) - len(failed), computed, failed, time.monotonic() - start
    )
    used = np.unique(where[:, :, 0][where[:, :, 0] >= 0])  # of the others, none is kept open
    where[:, :, 0] = np.where(where[:, :, 0] < 0, -1, np.searchsorted(used, where[:, :, 0]))
    return StoredFields([files[f] for f in used], where, what.shape), filling


def _files(what: Ask) -> list[VoxelFile]:
    """The files of the store that hold any of the channels asked for."""
    found = []
    for path in sorted(folder().glob("*.h5")):
        try:
            file = open_file(path)
        except DataError:
            continue
        if set(file.contents) & set(what.contents):
            found.append(file)
    return found


def _found(files: Sequence[VoxelFile], keys: Sequence[bytes], what: Ask) -> np.ndarray:
    """(M, C, 3) file, row and channel of every field; −1 where it is nowhere."""
    where = np.full((len(keys), len(what.kinds), 3), -1)
    for f, file in enumerate(files):
        rows = np.array([file.row_of.get(key, -1) for key in keys])
        for c, content in enumerate(what.contents):
            if content in file.contents:
                channel = file.contents.index(content)
                hit = (rows >= 0) & (where[:, c, 0] < 0)
                hit[hit] = file.state[rows[hit], channel] == THERE
                where[hit, c] = np.stack(
                    [np.full(hit.sum(), f), rows[hit], np.full(hit.sum(), channel)], 1
                )
    return where


def refused(filling: Filling) -> DataError:
    """What to say where every molecule must have its fields."""
    first = filling.failed[0]
    return DataError(
        f"{len(filling.failed)} of {filling.done + len(filling.failed)} molecules have no field, first: row "
        f"{first.row} ({first.name}): {first.reason}; leave them out, or mend them"
    )
