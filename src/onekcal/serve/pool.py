"""Workers: processes that answer tasks, restarted when one dies.

An urgent task is taken before others. A long computation never takes the last worker, so a
reader's question is answered while it runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

from onekcal.errors import OnekcalError

LINE = 64 * 2**20
"""The longest line (bytes) that a worker may send."""

Event = dict[str, Any]
"""A line of a worker."""


class WorkerDied(OnekcalError):
    """The process that worked on a task has ended."""


class TooLong(OnekcalError):
    """A task took longer than it may."""


class Worker:
    """One process.

    Parameters
    ----------
    command
        What starts it.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self.command = command
        self.process: asyncio.subprocess.Process | None = None
        self.ready: Event = {}

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self.process is not None and self.process.returncode is None

    async def start(self) -> None:
        """Start the process and wait until it holds the model."""
        self.process = await asyncio.create_subprocess_exec(
            *self.command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            process_group=0,  # Ctrl-C of the terminal ends the server, which ends its workers
            limit=LINE,
        )
        first = await self._line()
        if "failed" in first:
            raise WorkerDied(first["failed"])
        self.ready = first["ready"]

    async def ask(self, task: Event, hear: Callable[[Event], None]) -> list[Event]:
        """Give it a task and wait for the parts of the result.

        Parameters
        ----------
        task
            What is asked.
        hear
            Called with each line that it sends.

        Raises
        ------
        WorkerDied
            It ended before the task was done.
        """
        found = []
        try:
            if not self.alive:
                await self.start()
            assert self.process is not None
            assert self.process.stdin is not None
            self.process.stdin.write(json.dumps(task).encode() + b"\n")
            await self.process.stdin.drain()
            while "end" not in (event := await self._line()):
                hear(event)
                found += [event["part"]] if "part" in event else []
        except (ConnectionError, asyncio.CancelledError) as problem:
            await self.kill()
            if isinstance(problem, ConnectionError):
                raise WorkerDied("the process that computed this ended") from None
            raise
        return found

    async def kill(self) -> None:
        """End the process at once."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()
        assert self.process.stdout is not None
        with contextlib.suppress(RuntimeError):  # who waits for a line reads to the end
            await self.process.stdout.read()  # until then, its pipe is open

    async def _line(self) -> Event:
        assert self.process is not None
        assert self.process.stdout is not None
        line = await self.process.stdout.readline()
        if not line:
            code = await self.process.wait()
            raise WorkerDied(f"the process that computed this ended (exit status {code})")
        return json.loads(line)


class Pool:
    """Several workers, and who waits for one.

    Parameters
    ----------
    model
        What the workers load.
    size
        How many workers there are; at least two. `loaded` is set when the first has the model, or
        has failed to load it; `problem` says why.
    command
        What starts a worker, where it is not the usual one.
    """

    def __init__(self, model: str, size: int, command: Sequence[str] = ()) -> None:
        usual = (sys.executable, "-m", "onekcal.serve.worker", model)
        self.workers = [Worker(command or usual) for _ in range(max(2, size))]
        self.long = asyncio.Semaphore(len(self.workers) - 1)
        self.loaded = asyncio.Event()
        self.problem = ""
        self._free: list[Worker] = []
        self._waiting: list[tuple[int, int, asyncio.Future[Worker]]] = []
        self._count = itertools.count()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def about(self) -> Event | None:
        """What the model may be asked; None until it is loaded."""
        return next((one.ready for one in self.workers if one.ready), None)

    @property
    def urgent_waiting(self) -> int:
        """How many urgent tasks wait for a worker."""
        return sum(rank == 0 and not future.done() for rank, _, future in self._waiting)

    def open(self) -> None:
        """Start the workers."""
        for worker in self.workers:
            self._background(worker)

    async def close(self) -> None:
        """End the workers, also those that are being started."""
        self._closed = True
        starting = list(self._tasks)
        for task in starting:
            task.cancel()
        await asyncio.gather(*starting, return_exceptions=True)
        await asyncio.gather(*(worker.kill() for worker in self.workers))

    async def ask(
        self,
        task: Event,
        urgent: bool = False,
        seconds: float | None = None,
        hear: Callable[[Event], None] = lambda event: None,
    ) -> list[Event]:
        """Have a task computed by the next free worker.

        Parameters
        ----------
        task
            What is asked.
        urgent
            Whether it goes before tasks that are not.
        seconds
            The longest that a worker may take; None: as long as it needs.
        hear
            Called with each line of the worker.

        Returns
        -------
        list of dict
            The parts of the result.

        Raises
        ------
        WorkerDied
            The process ended before the task was done.
        TooLong
            The task took longer than it may.
        """
        worker = await self._taken(0 if urgent else 1)
        try:
            return await asyncio.wait_for(worker.ask(task, hear), seconds)
        except TimeoutError:
            raise TooLong(f"this took longer than {seconds:g} s and was stopped") from None
        finally:
            if worker.alive:
                self._give(worker)
            else:
                self._background(worker)

    async def _taken(self, rank: int) -> Worker:
        if self._free:
            return self._free.pop()
        future: asyncio.Future[Worker] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (rank, next(self._count), future))
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self._give(future.result())
            raise

    def _give(self, worker: Worker) -> None:
        while self._waiting:
            _, _, future = heapq.heappop(self._waiting)
            if not future.done():
                future.set_result(worker)
                return
        self._free.append(worker)

    def _background(self, worker: Worker) -> None:
        """Start a worker, and give it to who waits when it is ready; not in a closed pool."""
        if self._closed:
            return

        async def started() -> None:
            try:
                await worker.start()
                self.problem = ""
            except WorkerDied as problem:  # it is tried again by the next task
                self.problem = str(problem)
            self.loaded.set()
            self._give(worker)

        task = asyncio.get_running_loop().create_task(started())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
