"""Inside the process of a queue's job: what it costs, how far it is, and what it found."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from onekcal.errors import DiskFull
from onekcal.system import code
from onekcal.system.files import disk_is_full, read_json, write_json
from onekcal.system.processes import end_with_parent
from onekcal.system.queue import FULL, REFUSED, Content, Job, fail, other_code, read_job

COUNTED = 5.0
"""Seconds between two notes of the CPU time used."""


def working(compute: Callable[[Job], Content], expected: tuple[type[Exception], ...]) -> None:
    """Do the work of a job's process: lower its priority, compute, keep the result.

    Parameters
    ----------
    compute
        Makes a job's result; it goes on from `job.work`.
    expected
        Errors that mean that the job cannot be done; others are reported with their traceback.
    """
    folder, number, parent, nice = sys.argv[1:5]
    end_with_parent(int(parent))
    os.nice(int(nice))
    job = read_job(Path(folder))
    now = code.identity()
    if other_code(job, now) is not None:
        sys.exit(REFUSED)
    try:
        _keep(job, number, now, compute, expected)
    except Exception as problem:
        if not disk_is_full(problem):
            raise
        with contextlib.suppress(OSError):  # its log may lie on the same disk
            print(problem, file=sys.stderr, flush=True)
        os._exit(FULL)


def _keep(
    job: Job,
    number: str,
    now: dict[str, str | None],
    compute: Callable[[Job], Content],
    expected: tuple[type[Exception], ...],
) -> None:
    """Compute, and keep the result or why there is none."""
    if job.code is None:
        write_json(job.folder / "code.json", now)
    job.work.mkdir(exist_ok=True)
    note = _counting(job.folder / "attempts" / f"{number}.json")
    try:
        found = compute(job)
    except expected as problem:
        if disk_is_full(problem):
            raise
        note()
        fail(job, str(problem) or type(problem).__name__)
        return
    note()
    if code.digest() != now["digest"]:
        fail(
            job,
            "the source files of onekcal changed while it ran, so its result may mix two "
            "codes; run queues with an installed copy, and add the job again with --anew",
        )
        return
    cost = job.cost()
    write_json(
        job.folder / "result.json",
        {
            **found,
            "seconds": round(cost["seconds"], 1),
            "peak_mib": int(cost["peak_mib"]),
            "core_hours": round(cost["cpu_seconds"] / 3600, 4),
            "starts": len(job.attempts()),
            "code": now,
        },
    )


def _counting(path: Path) -> Callable[[], None]:
    """Note the cost of this process every few seconds, when it is asked to end, and when called."""
    begun, kept, busy = time.monotonic(), read_json(path), threading.RLock()

    def note() -> None:
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        # what a job costs is no reason to end it
        with busy, contextlib.suppress(DiskFull):
            write_json(
                path,
                {
                    **kept,
                    "pid": os.getpid(),
                    "cpu_seconds": sum(one.ru_utime + one.ru_stime for one in used),
                    "seconds": time.monotonic() - begun,
                    "peak_mib": max(one.ru_maxrss for one in used) // 1024,
                },
            )

    def notes() -> None:
        while True:
            note()
            time.sleep(COUNTED)

    def ended(*_: object) -> None:
        note()
        os._exit(128 + signal.SIGTERM)

    signal.signal(signal.SIGTERM, ended)
    threading.Thread(target=notes, daemon=True).start()
    return note


def tell(job: Job, **progress: object) -> None:
    """Keep how far a job is.

    Parameters
    ----------
    job
        The job of this process.
    **progress
        Values for JSON. `reached` must change whenever a restart would begin further on.
    """
    write_json(job.folder / "progress.json", json.loads(json.dumps(progress)))
