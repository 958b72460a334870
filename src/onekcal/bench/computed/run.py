"""Compute the species that have no result yet: here, or as jobs of a queue."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from onekcal.bench.computed import results as kept
from onekcal.bench.computed.cases import SETS, Case, Set, cases
from onekcal.bench.computed.measure import Record, measured
from onekcal.errors import InputError, unknown
from onekcal.system import queue as jobs
from onekcal.system.queue import Content, Job
from onekcal.system.queue_job import tell

KIND = "computed"
"""The kind of its jobs in a queue."""
TOGETHER = 10
"""Species of a job."""


def archives(data: Path | None = None) -> Path:
    """Return the folder of the archives.

    Parameters
    ----------
    data
        The folder; None: that in ONEKCAL_MIRROR.

    Raises
    ------
    InputError
        Neither is given.
    """
    found = data or os.environ.get("ONEKCAL_MIRROR")
    if not found:
        raise InputError(
            "computed G4(MP2) is compared with archives such as g305.npz; give their folder with "
            "--data or ONEKCAL_MIRROR"
        )
    return Path(found).expanduser().resolve()


def waiting(
    data: Path, results: Path, sets: Iterable[str] = (), heavy: int | None = None
) -> list[Case]:
    """List the species that have no result yet, small ones first.

    Parameters
    ----------
    data
        The folder of the archives.
    results
        The folder of results.
    sets
        Which sets; none: all.
    heavy
        Only species of up to so many heavy atoms.
    """
    chosen = list(sets) or list(SETS)
    for name in chosen:
        if name not in SETS:
            unknown("set", name, SETS, InputError)
    there = {(name, one["row"]) for name, some in kept.known(results).items() for one in some}
    every = cases(data, [name for name in SETS if name in chosen], heavy)
    return [case for case in every if (case.set, case.row) not in there]


def run(
    results: Path,
    data: Path,
    sets: Iterable[str] = (),
    heavy: int | None = None,
    watch: Callable[[Case, Record], None] = lambda case, record: None,
) -> kept.Results:
    """Compute species, and keep each as soon as it is there.

    Parameters
    ----------
    results
        The folder of results.
    data
        The folder of the archives.
    sets, heavy
        As in `waiting`.
    watch
        Hears of each species.
    """
    for case in waiting(data, results, sets, heavy):
        if any(one["row"] == case.row for one in kept.known(results)[case.set]):
            continue  # another process was faster
        record = measured(case)
        kept.keep(results, case.set, [record])
        watch(case, record)
    return kept.summed_up(kept.known(results))


# --- jobs of a queue --------------------------------------------------------------------------


def add(
    queue: Path, data: Path, results: Path, sets: Iterable[str] = (), heavy: int | None = None
) -> dict[str, bool]:
    """Put the species that have no result yet into a queue, a few to a job.

    Parameters
    ----------
    queue
        The queue's folder.
    data, results, sets, heavy
        As in `waiting`.

    Returns
    -------
    dict
        Each job's name, and whether it waits now and did not before.
    """
    groups: dict[tuple[Set, int], list[int]] = {}
    for case in waiting(data, results, sets, heavy):
        groups.setdefault((case.set, case.heavy), []).append(case.row)
    added = {}
    for (name, size), rows in groups.items():
        for start in range(0, len(rows), TOGETHER):
            some = rows[start : start + TOGETHER]
            content: Content = {"set": name, "rows": some, "data": str(data)}
            mark = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:8]
            told = f"{kept.NAME}: {name}, {size} heavy atoms, {some[0]} to {some[-1]}"
            key = f"{kept.NAME}-{name}-{size}-{mark}"
            added[told] = jobs.add(queue, key, told, KIND, content)
    return added


def work(job: Job) -> Content:
    """Compute the species of a job; finished ones are kept in the job's folder.

    Parameters
    ----------
    job
        The job of this process.
    """
    path, rows = job.work / "species.jsonl", job.content["rows"]
    done = _read(path)
    every = cases(Path(job.content["data"]), [job.content["set"]])
    for case in (one for one in every if one.row in rows):
        if case.row not in {record["row"] for record in done}:
            tell(job, reached=len(done), done=len(done), of=len(rows))
            done.append(measured(case))
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(done[-1]) + "\n")
    return {"set": job.content["set"], "records": done}


def merge(result: Content, results: Path) -> bool:
    """Bring the species of a finished job into the results; tell whether any was new.

    Parameters
    ----------
    result
        What `work` returned.
    results
        The folder of results.
    """
    there = {one["row"] for one in kept.known(results)[result["set"]]}
    new = [record for record in result["records"] if record["row"] not in there]
    if new:
        kept.keep(results, result["set"], new)
    return bool(new)


def _read(path: Path) -> list[Record]:
    """Whole lines only: a kill may have cut the last one."""
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole, encoding="utf-8")
    return [json.loads(line) for line in whole.splitlines()]
