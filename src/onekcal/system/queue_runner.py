"""The runner of a queue: starts jobs in processes of their own, and judges how they ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from onekcal.errors import DiskFull
from onekcal.system import code
from onekcal.system.files import write_json
from onekcal.system.locks import is_locked, try_lock
from onekcal.system.processes import ONE_THREAD
from onekcal.system.queue import FULL, LOOK, REFUSED, Job, fail, forget, jobs, other_code, runners

DEATHS = 5
"""A job has failed when its process dies this often in a row without getting further."""
GRACE = 10.0
"""Seconds a job has to end after it was asked to."""
PAUSE = 60.0
"""Seconds until a job that met a full disk is tried again."""


@dataclass
class Runner:
    """Works through the jobs of a queue; `run` makes one.

    Parameters
    ----------
    queue
        The queue's folder.
    work
        Python code that a fresh interpreter runs for a job.
    ended
        Hears of each job that is done, once; also of one that somebody else has finished.
    anew
        Hears of jobs that begin again because the code is another one; None: they are
        refused.
    say
        Hears one line for each thing that happens.
    nice
        By how much the priority of the jobs is lowered.
    running
        The processes and the locks of the jobs that run.
    refused
        Keys of jobs that were begun with other code.
    heard
        Keys of jobs of which `ended` has heard.
    deaths
        How often a job's process has died in a row, and how far the job was then.
    paused
        When jobs that met a full disk are tried again.
    stopping
        Whether the runner was asked to end.
    """

    queue: Path
    work: str
    ended: Callable[[Job], None]
    anew: Callable[[Job], None] | None
    say: Callable[[str], None]
    nice: int
    running: dict[Job, tuple[subprocess.Popen[bytes], int]] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    heard: set[str] = field(default_factory=set)
    deaths: dict[str, tuple[int, object]] = field(default_factory=dict)
    paused: dict[str, float] = field(default_factory=dict)
    stopping: bool = False

    def loop(self, workers: int) -> None:
        """Start and settle jobs until none is left or the runner is asked to end.

        Parameters
        ----------
        workers
            The most jobs at once.
        """
        while not self.stopping:
            self.settle()
            pending = self.fill(workers)
            if not self.running and not pending:
                return
            time.sleep(LOOK)
        self.end_all()

    def fill(self, workers: int) -> bool:
        """Start waiting jobs on free workers.

        Parameters
        ----------
        workers
            The most jobs at once.

        Returns
        -------
        bool
            Whether some jobs may become free later.
        """
        pending, others = False, set(runners(self.queue)) - {os.getpid()}
        for job in jobs(self.queue):
            if job in self.running or job.key in self.refused | self.heard:
                continue
            if job.failure is not None:
                continue
            if time.monotonic() < self.paused.get(job.key, 0.0):
                pending = True
                continue
            if job.result is not None:  # also one whose runner died before it could tell
                self.tell(job)
                pending |= job.key not in self.heard
                continue
            if len(self.running) >= workers:
                pending = True
                continue
            lock = try_lock(job.folder / "lock")
            if lock is not None and job.result is not None:  # finished since we looked
                os.close(lock)
                pending = True
            elif lock is not None:
                try:
                    self.start(job, lock)
                except DiskFull:
                    os.close(lock)
                    self.pause(job)
                    pending = True
            elif job.attempts() and job.attempts()[-1]["runner"] in others:
                continue  # theirs
            else:
                pending = True  # its runner is dead, and its process will end in a moment
                workers -= 1
        return pending

    def start(self, job: Job, lock: int) -> None:
        """Start a job's process, which inherits the lock.

        Parameters
        ----------
        job
            A job that waits.
        lock
            The open file that locks it.
        """
        _clean(job.folder)
        problem = other_code(job, code.identity())
        if problem is not None and self.anew is None:
            self.say(problem)
            self.refused.add(job.key)
            os.close(lock)
            return
        if problem is not None and self.anew is not None:
            self.anew(job)
            forget(job)
        (job.folder / "attempts").mkdir(exist_ok=True)
        number = len(job.attempts()) + 1
        write_json(
            job.folder / "attempts" / f"{number}.json",
            {
                "runner": os.getpid(),
                "begun": time.time(),
                "cpu_seconds": 0.0,
                "seconds": 0.0,
                "peak_mib": 0,
            },
        )
        words = [str(job.folder.resolve()), str(number), str(os.getpid()), str(self.nice)]
        with (job.folder / "log.txt").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", self.work, *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **ONE_THREAD},
                pass_fds=(lock,),
                start_new_session=True,
            )
        self.running[job] = process, lock
        self.say(f"{job.name}: {'begun' if number == 1 else f'goes on (start {number})'}")

    def settle(self) -> None:
        """Take note of jobs whose process has ended."""
        for job, (process, lock) in list(self.running.items()):
            if process.poll() is None:
                continue
            del self.running[job]
            try:
                self.judge(job, process.returncode)
            except DiskFull:
                self.pause(job)
            finally:
                os.close(lock)

    def tell(self, job: Job) -> None:
        """Let `ended` hear of a job that is done.

        Parameters
        ----------
        job
            The job.
        """
        try:
            self.ended(job)
            self.heard.add(job.key)
        except DiskFull:
            self.pause(job)

    def pause(self, job: Job) -> None:
        """Let a job wait until there may be space on the disk again.

        Parameters
        ----------
        job
            A job that met a full disk.
        """
        self.paused[job.key] = time.monotonic() + PAUSE
        self.say(f"{job.name}: the disk is full; it is tried again in {PAUSE:g} s")

    def judge(self, job: Job, status: int) -> None:
        """Decide what becomes of a job whose process has ended.

        Parameters
        ----------
        job
            Done, failed, refused, or to be started again.
        status
            The exit status of the process.
        """
        if job.result is not None:
            self.say(f"{job.name}: done")
            self.tell(job)
        elif job.failure is not None:
            self.say(f"{job.name}: failed: {job.failure}")
        elif status == REFUSED:
            self.say(other_code(job, code.identity()) or f"{job.name}: refused; see log.txt")
            self.refused.add(job.key)
        elif status == FULL:
            self.pause(job)
        else:
            reached = job.progress.get("reached")
            count, before = self.deaths.get(job.key, (0, None))
            count = count + 1 if reached == before else 1
            self.deaths[job.key] = count, reached
            why = f"its process ended with {status}"
            if count >= DEATHS:
                fail(
                    job,
                    f"{why}, {count} times in a row without getting further "
                    f"({'out of memory?' if status == -9 else 'log.txt may say why'})",
                )
                self.say(f"{job.name}: failed: {job.failure}")
            else:
                self.say(f"{job.name}: {why}; it is started again")

    def end_all(self) -> None:
        """End the running jobs; each keeps its checkpoint."""
        for process, _ in self.running.values():
            process.terminate()
        until = time.monotonic() + GRACE
        for process, _ in self.running.values():
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.settle_stopped()

    def settle_stopped(self) -> None:
        """Report the jobs that ended with the runner: some are done, the others wait."""
        for job, (_, lock) in self.running.items():
            if job.result is not None:
                self.tell(job)
            else:
                self.say(f"{job.name}: stopped; it goes on when the queue runs again")
            os.close(lock)
        self.running.clear()


def run(
    queue: Path,
    work: str,
    ended: Callable[[Job], None] = lambda job: None,
    workers: int = 1,
    anew: Callable[[Job], None] | None = None,
    say: Callable[[str], None] = print,
    nice: int = 10,
) -> bool:
    """Work through a queue until no job waits, or `stop` asks to end.

    Several runners may share a queue: a job belongs to the one that holds its lock.

    Parameters
    ----------
    queue
        The queue's folder.
    work
        Python code that a fresh interpreter runs for a job; it calls `working`.
    ended
        Hears of each job of the queue that is done, whoever finished it and when; each runner of
        the queue tells it once.
    workers
        Jobs at once, a process of one thread each.
    anew
        Given, jobs that were begun with other code begin again, and it hears of them first; without
        it they are refused.
    say
        Hears one line for each thing that happens.
    nice
        By how much the priority of the jobs is lowered.

    Returns
    -------
    bool
        Whether every job of the queue is done or failed, or in another runner's hands.
    """
    with _registered(queue):
        runner = Runner(queue, work, ended, anew, say, nice)
        with _ended_by(runner):
            runner.loop(workers)
        return not runner.stopping and not runner.refused


@contextmanager
def _registered(queue: Path) -> Iterator[None]:
    """Let `runners` list this process for as long as it lives."""
    folder = queue / "runners"
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.lock"):
        if not is_locked(path) and not _lives(int(path.stem)):
            path.unlink(missing_ok=True)
    own = folder / f"{os.getpid()}.lock"
    while (lock := try_lock(own)) is None:  # somebody looks at it at this moment
        time.sleep(0.01)
    try:
        yield
    finally:
        own.unlink(missing_ok=True)
        os.close(lock)


def _lives(pid: int) -> bool:
    """Whether a process of this id exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


@contextmanager
def _ended_by(runner: Runner) -> Iterator[None]:
    """SIGTERM and SIGINT ask the runner to end."""

    def asked(*_: object) -> None:
        runner.stopping = True

    main = threading.current_thread() is threading.main_thread()
    kinds = (signal.SIGTERM, signal.SIGINT) if main else ()
    before = {kind: signal.signal(kind, asked) for kind in kinds}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


def _clean(folder: Path) -> None:
    """Files that a killed process left unfinished."""
    for path in [*folder.glob(".*.part"), *folder.glob("attempts/.*.part")]:
        path.unlink(missing_ok=True)
