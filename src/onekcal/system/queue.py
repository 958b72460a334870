"""A queue on disk: long computations that survive the death of any process at any moment.

    QUEUE/runners/PID.lock          locked while that runner lives
          jobs/KEY/job.json         what is to be computed
                   lock             locked while a runner or the job's process lives
                   code.json        the code it was begun with
                   attempts/N.json  each start: who started it, CPU seconds, seconds, memory
                   progress.json    how far it is
                   work/            what the job keeps to go on from
                   result.json      it is done; failed.json: it cannot be done
                   log.txt          what it printed

Every file is written whole or not at all. A job's process inherits the lock, so a job is free again
only when its runner and its process are both dead. The queue does not know what a job means.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

from onekcal.errors import DataError
from onekcal.system import code
from onekcal.system.files import damage_refused, read_json, write_json
from onekcal.system.locks import is_locked

FORMAT = 1
"""Raised when an older onekcal could not read what is written."""
LOOK = 0.2
"""Seconds between two looks at what has changed."""
REFUSED = 77
"""Exit status of a job's process that was not begun with this code."""
FULL = 78
"""Exit status of a job's process that could not write, because the disk is full."""


Content = dict[str, Any]
"""What a JSON file of a job holds; the queue does not know what it means."""


class Attempt(TypedDict):
    """One start of a job."""

    runner: int
    """Process id of the runner."""
    begun: float
    """Seconds since 1970."""
    cpu_seconds: float
    seconds: float
    peak_mib: int


@dataclass(frozen=True)
class Job:
    """One computation of a queue.

    Parameters
    ----------
    folder
        Where everything about the job lies.
    key
        The name of the folder.
    name
        What people call the job.
    kind
        What kind of computation it is.
    content
        What the computation needs to know.
    order
        When it was added (ns); jobs run in this order.
    """

    folder: Path
    key: str
    name: str
    kind: str
    content: Content = field(hash=False)
    order: int

    @property
    def work(self) -> Path:
        """Where the job keeps what it goes on from."""
        return self.folder / "work"

    @property
    def result(self) -> Content | None:
        """The result of a job that is done."""
        return read_json(self.folder / "result.json")

    @property
    def failure(self) -> str | None:
        """Why it cannot be done."""
        failed = read_json(self.folder / "failed.json")
        return None if failed is None else str(failed["reason"])

    @property
    def code(self) -> dict[str, str | None] | None:
        """The code it was begun with."""
        return read_json(self.folder / "code.json")

    @property
    def progress(self) -> Content:
        """How far it is, in the job's own words."""
        return read_json(self.folder / "progress.json") or {}

    @property
    def running(self) -> bool:
        """Whether a process works on it."""
        return is_locked(self.folder / "lock")

    def attempts(self) -> list[Attempt]:
        """Every start so far, the first one first."""
        there = sorted((self.folder / "attempts").glob("*.json"), key=lambda path: int(path.stem))
        return [read_json(path) for path in there]

    def cost(self) -> dict[str, float]:
        """CPU seconds and seconds of all starts together, and the peak memory (MiB) of any."""
        all_starts = self.attempts()
        return {
            "cpu_seconds": sum(one["cpu_seconds"] for one in all_starts),
            "seconds": sum(one["seconds"] for one in all_starts),
            "peak_mib": max((one["peak_mib"] for one in all_starts), default=0),
        }


# --- the queue's folder -----------------------------------------------------------------------


def add(queue: Path, key: str, name: str, kind: str, content: Content) -> bool:
    """Put a job at the end of a queue.

    Parameters
    ----------
    queue
        The queue's folder; it is made where it is absent.
    key
        Names the job's folder. A job of the same key is not added twice; one that has failed is
        tried again.
    name, kind, content
        For people, and for whoever knows what the job means.

    Returns
    -------
    bool
        Whether it is waiting now and was not before.
    """
    folder = queue / "jobs" / key
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "job.json").exists():
        had_failed = (folder / "failed.json").exists()
        (folder / "failed.json").unlink(missing_ok=True)
        return had_failed
    write_json(
        folder / "job.json",
        {
            "format": FORMAT,
            "key": key,
            "name": name,
            "kind": kind,
            "content": content,
            "order": time.time_ns(),
        },
    )
    return True


def jobs(queue: Path) -> list[Job]:
    """List the jobs of a queue.

    Parameters
    ----------
    queue
        The queue's folder.

    Returns
    -------
    list of Job
        In the order in which they were added.
    """
    return sorted(
        map(read_job, (path.parent for path in queue.glob("jobs/*/job.json"))),
        key=lambda job: job.order,
    )


PARTS = {"key": str, "name": str, "kind": str, "content": dict, "order": int}
"""What job.json holds of a `Job`, in the order of its fields."""


def _of_type(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"expected {kind.__name__}, got {value!r}")
    return value


def read_job(folder: Path) -> Job:
    """Read a job from its folder.

    Parameters
    ----------
    folder
        The folder of the job.

    Returns
    -------
    Job
        The job.

    Raises
    ------
    DataError
        When the folder holds no job, or one of a newer version.
    """
    kept = read_json(folder / "job.json")
    if kept is None:
        raise DataError(f"{folder} should be a job of a queue but holds no job.json")
    with damage_refused(folder / "job.json", "a whole job of a queue", "add it again"):
        if kept["format"] > FORMAT:
            raise DataError(
                f"{folder} was added by a newer onekcal (format {kept['format']}, this "
                f"one reads up to {FORMAT}); upgrade onekcal"
            )
        return Job(folder, *(_of_type(kept[key], kind) for key, kind in PARTS.items()))


def runners(queue: Path) -> list[int]:
    """List the runners of a queue that live.

    Parameters
    ----------
    queue
        The queue's folder.

    Returns
    -------
    list of int
        Process ids.
    """
    return [int(path.stem) for path in queue.glob("runners/*.lock") if is_locked(path)]


def stop(queue: Path, wait: float = 60.0) -> list[int]:
    """Ask the runners of a queue to end, and wait until they have.

    Parameters
    ----------
    queue
        The queue's folder.
    wait
        The longest wait, in seconds.

    Returns
    -------
    list of int
        The process ids of those that were asked.

    Raises
    ------
    DataError
        When one did not end in time.
    """
    asked = runners(queue)
    for pid in asked:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    until = time.monotonic() + wait
    while set(asked) & set(runners(queue)):
        if time.monotonic() > until:
            raise DataError(
                f"the runner of {queue} did not end within {wait:g} s; "
                f"kill -9 {' '.join(map(str, asked))} ends it, and nothing is lost"
            )
        time.sleep(LOOK)
    return asked


def other_code(job: Job, now: dict[str, str | None]) -> str | None:
    """Explain why a job cannot go on: it was begun with other code.

    Parameters
    ----------
    job
        The job.
    now
        What `onekcal.system.code.identity` says of the code that would go on.

    Returns
    -------
    str or None
        One sentence for the user; None where it can go on.
    """
    then = job.code
    if then is None or then["digest"] == now["digest"]:
        return None
    return (
        f"{job.name} was begun with onekcal {code.said(then)}, but this is {code.said(now)}; "
        "run the queue with the code it was begun with, or begin it anew with --anew"
    )


def forget(job: Job) -> None:
    """Drop what a job has kept, so that it begins again; its cost starts at nothing.

    Parameters
    ----------
    job
        A job that nobody works on.
    """
    for folder in (job.work, job.folder / "attempts"):
        shutil.rmtree(folder, ignore_errors=True)
    for name in ("progress.json", "code.json"):  # the code last: until then it is refused
        (job.folder / name).unlink(missing_ok=True)


def fail(job: Job, reason: str) -> None:
    """Note that a job cannot be done.

    Parameters
    ----------
    job
        The job.
    reason
        Why, for the user.
    """
    write_json(job.folder / "failed.json", {"reason": reason})
