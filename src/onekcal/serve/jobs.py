"""Jobs of the page: a queue on disk that goes on after a restart of the server.

    ONEKCAL_HOME/serve/jobs/KEY/job.json         what is asked (`onekcal.system.queue`)
                                questions.jsonl  the molecules of a batch
                                answers.jsonl    what is answered so far, a line for each
                                progress.json    how far it is
                                result.json      it is done; failed.json: it ended otherwise

The jobs lie as those of a suite do. They are run here and not by its runner, whose jobs
each start a process and load the model again. Batches and single computations are two lanes, so
that a batch goes on while G4(MP2) computes for an hour.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from onekcal.errors import InputError, OnekcalError
from onekcal.serve.cache import Cache
from onekcal.serve.limits import Limits
from onekcal.serve.pool import Event, Pool
from onekcal.system import queue
from onekcal.system.files import write_json
from onekcal.system.locks import try_lock
from onekcal.system.queue import Job

KEY = re.compile(r"[a-z]{1,12}-[0-9a-f]{16}")
CANCELLED = "cancelled"
LEFT = 3600.0
"""Seconds after which an upload that became no job is removed."""
LANES: tuple[tuple[str, ...], ...] = (("batch",), ("predict", "react", "bonds"))
"""Kinds of jobs; those of one lane run one after the other."""
SAVED = 2.0
"""Seconds between two writes of the progress."""


@dataclass
class Live:
    """A job that runs now."""

    total: int
    done: int = 0
    failed: int = 0
    step: str = ""
    cancelled: bool = False
    saved: float = 0.0
    open_rows: set[int] = field(default_factory=set)

    def progress(self) -> dict[str, int]:
        """How far it is, as the queue keeps it."""
        return {"total": self.total, "done": self.done, "failed": self.failed}


class Jobs:
    """The jobs of one server.

    Parameters
    ----------
    folder
        The queue's folder.
    pool
        Who computes.
    cache
        Answers that a finished computation makes stale.
    limits
        How long a row may take, and how many jobs there may be.
    """

    def __init__(self, folder: Path, pool: Pool, cache: Cache, limits: Limits) -> None:
        self.folder, self.pool, self.cache, self.limits = folder, pool, cache, limits
        self.live: dict[str, Live] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._news = {lane: asyncio.Event() for lane in LANES}
        self._lanes: list[asyncio.Task[None]] = []

    # --- asking ---------------------------------------------------------------------------------

    def all(self) -> list[dict[str, Any]]:
        """Describe every job, the newest first."""
        return [self.described(job) for job in reversed(queue.jobs(self.folder))]

    def job(self, key: str) -> Job:
        """Return a job.

        Parameters
        ----------
        key
            Its id.

        Raises
        ------
        InputError
            There is none.
        """
        if not KEY.fullmatch(key) or not (self.folder / "jobs" / key / "job.json").is_file():
            raise InputError(f"there is no job {key[:40]!r}")
        return queue.read_job(self.folder / "jobs" / key)

    def described(self, job: Job) -> dict[str, Any]:
        """Say what a job is and how far it is.

        Parameters
        ----------
        job
            The job.
        """
        live, reason, result = self.live.get(job.key), job.failure, job.result
        state = (
            "running"
            if live
            else "done"
            if result is not None
            else CANCELLED
            if reason == CANCELLED
            else "failed"
            if reason is not None
            else "waiting"
        )
        how_far = live.progress() if live else (result or job.progress)
        return {
            "id": job.key,
            "kind": job.kind,
            "name": job.name,
            "state": state,
            "total": how_far.get("total", job.content.get("total", 1)),
            "done": how_far.get("done", 0),
            "failed": how_far.get("failed", 0),
            "step": live.step if live else "",
            "reason": None if reason == CANCELLED else reason,
            "added": job.order / 1e9,
        }

    def lines(self, job: Job, after: int, most: int) -> tuple[list[Event], int]:
        """Return answers of a job from a place of its file on, and the place behind them.

        Parameters
        ----------
        job
            The job.
        after
            Where to begin: 0, or the place that was returned before.
        most
            The most answers.
        """
        path = job.folder / "answers.jsonl"
        found: list[Event] = []
        if not path.is_file():
            return [], 0
        with path.open("rb") as file:
            file.seek(max(0, min(after, path.stat().st_size)))
            while len(found) < most and (line := file.readline()).endswith(b"\n"):
                with contextlib.suppress(ValueError):
                    found.append(json.loads(line))
                after = file.tell()
        return found, after

    # --- changing -------------------------------------------------------------------------------

    def new_folder(self, kind: str) -> Path:
        """Make a folder for the files of a job that is about to be added.

        Parameters
        ----------
        kind
            The kind of job.
        """
        folder = self.folder / "jobs" / f"{kind}-{secrets.token_hex(8)}"
        folder.mkdir(parents=True)
        return folder

    def add(self, key: str, name: str, kind: str, content: dict[str, Any]) -> Job:
        """Put a job at the end of its lane; one of the same key that has ended is tried again.

        Parameters
        ----------
        key, name, kind, content
            As `onekcal.system.queue.add` takes them.
        """
        waiting = sum(one["state"] in ("waiting", "running") for one in self.all())
        if waiting >= self.limits.jobs:
            raise InputError(f"{waiting} jobs wait already; cancel some, or try again later")
        queue.add(self.folder, key, name, kind, content)
        self._wake()
        return self.job(key)

    def cancel(self, job: Job) -> None:
        """End a job. What it has answered stays.

        Parameters
        ----------
        job
            The job.
        """
        if job.result is not None:
            raise InputError("this job is done already")
        write_json(job.folder / "failed.json", {"reason": CANCELLED})
        if live := self.live.get(job.key):
            live.cancelled = True
            if job.kind != "batch" or job.content.get("options", {}).get("compute"):
                self._tasks[job.key].cancel()

    def resume(self, job: Job) -> None:
        """Let a job that was cancelled or has failed go on from where it was.

        Parameters
        ----------
        job
            The job.
        """
        if job.key in self.live:
            raise InputError("this job has not ended yet; try again in a moment")
        (job.folder / "failed.json").unlink(missing_ok=True)
        self._wake()

    def remove(self, job: Job) -> None:
        """Remove a job with its answers.

        Parameters
        ----------
        job
            One that does not run.
        """
        if job.key in self.live:
            raise InputError("this job runs; cancel it first")
        shutil.rmtree(job.folder)

    # --- running --------------------------------------------------------------------------------

    def open(self) -> None:
        """Begin to run jobs; what a former server left is taken up.

        Uploads that never became a job, because the server was killed, are removed after an hour.
        """
        for folder in (self.folder / "jobs").glob("*"):
            if not (folder / "job.json").exists() and _age(folder) > LEFT:
                shutil.rmtree(folder, ignore_errors=True)
        self._lanes = [asyncio.get_running_loop().create_task(self._run(lane)) for lane in LANES]

    async def close(self) -> None:
        """Stop; what is not done goes on when a server is started again."""
        for task in [*self._lanes, *self._tasks.values()]:
            task.cancel()
        await asyncio.gather(*self._lanes, *self._tasks.values(), return_exceptions=True)

    def _wake(self) -> None:
        for news in self._news.values():
            news.set()

    async def _run(self, lane: tuple[str, ...]) -> None:
        while True:
            self._news[lane].clear()
            for job in queue.jobs(self.folder):
                if job.kind in lane and job.result is None and job.failure is None:
                    await self._locked(job)
            await self._news[lane].wait()

    async def _locked(self, job: Job) -> None:
        lock = try_lock(job.folder / "lock")
        if lock is None:  # another server works on it
            return
        try:
            task = asyncio.get_running_loop().create_task(self._one(job))
            self._tasks[job.key] = task
            await asyncio.wait([task])
            if not task.cancelled() and (problem := task.exception()) is not None:
                write_json(job.folder / "failed.json", {"reason": str(problem)})
        finally:
            self._tasks.pop(job.key).cancel()
            if live := self.live.pop(job.key, None):
                write_json(job.folder / "progress.json", live.progress())
            os.close(lock)

    async def _one(self, job: Job) -> None:
        done = _mended(job.folder / "answers.jsonl")
        live = Live(job.content.get("total", 1), len(done), sum(done.values()))
        self.live[job.key] = live
        if job.kind == "batch":
            await self._batch(job, live, set(done))
        else:
            await self._computation(job, live)
        if not live.cancelled:
            write_json(job.folder / "result.json", live.progress())

    async def _computation(self, job: Job, live: Live) -> None:
        (job.folder / "answers.jsonl").unlink(missing_ok=True)  # the store keeps what is computed
        live.done = live.failed = 0

        def hear(event: Event) -> None:
            if "part" in event:
                self._keep(job, live, live.done, event["part"])
            else:
                live.step = ": ".join(event["step"])

        async with self.pool.long:
            await self.pool.ask(job.content["task"], hear=hear)
        self.cache.clear()

    async def _batch(self, job: Job, live: Live, done: set[int]) -> None:
        rows = (pair for pair in _rows(job) if pair[0] not in done)
        options = job.content["options"]
        computes = bool(options.get("compute"))

        async def one_after_the_other() -> None:
            for k, row in rows:
                if live.cancelled:
                    return
                row.pop("columns")
                asked = {"kind": "row", "options": options, "most_atoms": self.limits.atoms} | row
                try:
                    seconds = None if computes else self.limits.row_seconds
                    (part,) = await self.pool.ask(asked, seconds=seconds)
                except OnekcalError as problem:
                    part = _lost(row, str(problem))
                self._keep(job, live, k, part)

        if computes:
            async with self.pool.long:
                await one_after_the_other()
            self.cache.clear()
        else:
            async with asyncio.TaskGroup() as group:
                for _ in self.pool.workers:
                    group.create_task(one_after_the_other())

    def _keep(self, job: Job, live: Live, k: int, part: Event) -> None:
        line = json.dumps({"row": k} | part, ensure_ascii=False)
        with (job.folder / "answers.jsonl").open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        live.done += 1
        live.failed += _is_lost(part)
        now = asyncio.get_running_loop().time()
        if now - live.saved > SAVED:
            live.saved = now
            write_json(job.folder / "progress.json", live.progress())


def _age(path: Path) -> float:
    """Seconds since something was put into a folder."""
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _rows(job: Job) -> Iterator[tuple[int, Event]]:
    with (job.folder / "questions.jsonl").open(encoding="utf-8") as lines:
        for k, line in enumerate(lines):
            yield k, json.loads(line)


def _is_lost(part: Event) -> bool:
    return bool(part.get("problem") or part.get("cells", {}).get("problem"))


def _lost(row: Event, problem: str) -> Event:
    """A row that no worker could answer."""
    place = row.get("source") or row.get("smiles", "")
    cells = {"source": place, "name": row.get("name", ""), "smiles": row.get("smiles", "")}
    return {"cells": cells | {"problem": f"{place}: {problem}"}, "block": ""}


def _mended(path: Path) -> dict[int, bool]:
    """The rows that are answered, and whether each has a problem; a torn last line is cut off."""
    done: dict[int, bool] = {}
    if not path.is_file():
        return done
    with path.open("rb+") as file:
        whole = 0
        for line in file:
            if not line.endswith(b"\n"):
                break
            whole += len(line)
            part = json.loads(line)
            done[part["row"]] = _is_lost(part)
        file.truncate(whole)
    return done
