"""Run one function on many tasks: here, in local processes, or on a Dask cluster.

The local processes are those of the standard library. joblib (loky) was tried instead: when one
worker is killed it ends the whole call and does not say which task was running. Here such a task
costs only itself, and its result says what happened.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from importlib.util import find_spec
from itertools import islice
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

from onekcal.errors import InputError, MissingExtra
from onekcal.system.processes import ONE_THREAD

if TYPE_CHECKING:
    from distributed import Client, LocalCluster

Task = dict[str, Any]
"""What the function is given. It holds `format` and `key`, which a failed result repeats."""
Result = dict[str, Any]
"""What the function returns. A failed task has `format`, `key` and `error`."""

AHEAD = 8
"""Tasks handed over for every worker: enough to keep it busy, few enough to keep memory small."""
FEW = 4
"""With this many tasks or fewer, starting other processes would take longer than the work."""


def in_parallel(
    work: Callable[[Task], Result],
    tasks: Iterable[Task],
    count: int,
    scheduler: str | None = None,
    workers: int | None = None,
) -> Iterator[Result]:
    """Run `work` on every task and give each result as soon as it is there.

    Parameters
    ----------
    work
        The function. Other processes import it by its name.
    tasks
        The tasks. They are taken from the iterable while earlier ones run.
    count
        How many tasks there are.
    scheduler
        The address of a Dask scheduler. Its cluster then does the tasks.
    workers
        Local processes, each with one thread. Without a number, one for each processor, and FEW
        tasks or fewer run in this process. Dask starts them where it is installed.

    Yields
    ------
    dict
        The results in the order in which the tasks finish.
    """
    if workers is not None and workers < 1:
        raise InputError(f"`workers` must be at least 1, got {workers}")
    if scheduler is not None:
        yield from _on_dask(work, tasks, scheduler, 0)
        return
    processes = min(workers or processors(), max(count, 1))
    if processes == 1 or (workers is None and count <= FEW):
        yield from map(work, tasks)
    elif _has_dask():
        yield from _on_dask(work, tasks, None, processes)
    else:
        yield from _in_processes(work, tasks, processes)


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _has_dask() -> bool:
    return find_spec("distributed") is not None


def _failed(task: Task, problem: BaseException) -> Result:
    """The result of a task that raised an error or lost its process."""
    lines = str(problem).splitlines() or ["no reason given"]
    error = f"{type(problem).__name__}: {lines[0]}"
    return {"format": task["format"], "key": task["key"], "error": error}


# --- Dask -------------------------------------------------------------------------------------


def _on_dask(
    work: Callable[[Task], Result], tasks: Iterable[Task], address: str | None, count: int
) -> Iterator[Result]:
    """On the cluster at `address`, or on a local one of `count` processes."""
    try:
        from distributed import as_completed
    except ImportError:
        raise MissingExtra("dask", "scale", "a scheduler address") from None
    cluster = _local_cluster(count) if address is None else None
    client = None
    try:
        client = _connected(cluster or address)
        ahead = AHEAD * max(count or sum(client.nthreads().values()), 1)
        queue = iter(tasks)
        submitted = {client.submit(work, task, pure=False): task for task in islice(queue, ahead)}
        running = as_completed(list(submitted))
        for future in running:
            problem, task = future.exception(), submitted.pop(future)
            yield future.result() if problem is None else _failed(task, problem)
            for task in islice(queue, 1):
                more = client.submit(work, task, pure=False)
                submitted[more] = task
                running.add(more)
    finally:
        if client is not None:
            client.close()
        if cluster is not None:
            cluster.close()


def _local_cluster(count: int) -> LocalCluster:
    import dask
    from distributed import LocalCluster

    quiet = {
        "distributed.nanny.pre-spawn-environ": ONE_THREAD,
        "distributed.logging.distributed": "error",
    }
    with dask.config.set(quiet):
        return LocalCluster(
            count,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
            memory_limit=0,
            silence_logs=logging.ERROR,
        )


def _connected(where: LocalCluster | str | None) -> Client:
    from distributed import Client

    try:
        return Client(where, timeout=20)
    except (OSError, ValueError) as problem:
        raise InputError(
            f"no Dask scheduler answers at {where!r}: {str(problem).splitlines()[0]}"
        ) from None


# --- local processes --------------------------------------------------------------------------


def _in_processes(
    work: Callable[[Task], Result], tasks: Iterable[Task], count: int
) -> Iterator[Result]:
    """In `count` processes. After the death of one, the tasks it may have had run one by one."""
    queue = iter(tasks)
    while lost := (yield from _in_pool(work, queue, count)):
        for task in lost:
            if (yield from _in_pool(work, iter([task]), 1)):
                yield _failed(task, BrokenProcessPool("its process was killed"))


def _in_pool(
    work: Callable[[Task], Result], queue: Iterator[Task], count: int
) -> Generator[Result, None, list[Task]]:
    """Until the queue is empty or a process dies; returns the tasks that were lost with it."""
    lost: list[Task] = []
    running: dict[Future[Result], Task] = {}
    # "spawn" starts the processes afresh, so that they inherit no library's threads
    with ProcessPoolExecutor(count, get_context("spawn"), _use_one_thread) as pool:

        def hand_over(most: int) -> None:
            for task in islice(queue, most):
                try:
                    running[pool.submit(work, task)] = task
                except BrokenProcessPool:
                    lost.append(task)
                    return

        hand_over(AHEAD * count)
        while running:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                task, problem = running.pop(future), future.exception()
                if isinstance(problem, BrokenProcessPool):
                    lost.append(task)
                    continue
                yield future.result() if problem is None else _failed(task, problem)
                if not lost:
                    hand_over(1)
    return lost


def _use_one_thread() -> None:
    os.environ.update(ONE_THREAD)
