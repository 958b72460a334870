"""A function over many jobs: here, in local processes, or on a Dask cluster. Results come as they finish."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from onekcal.errors import InputError, MissingExtra

AHEAD = 8
"""Jobs in flight for every worker; enough to keep it busy, few enough to keep memory flat."""
FEW = 4
"""Jobs that are done here before processes would have started."""
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


def spread(
    work: Callable[[dict[str, Any]], dict[str, Any]],
    jobs: Iterable[dict[str, Any]],
    count: int,
    scheduler: str | None = None,
    workers: int | None = None,
) -> Iterator[dict[str, Any]]:
    """`work` of each of `count` jobs, in the order of finishing; jobs may be made while others run.

    With a `scheduler` address the jobs go to that Dask cluster. Otherwise to `workers` local processes (the processors
    there are, by default), through Dask where it is installed; with one worker, or FEW jobs and no number of workers, here.
    """
    if workers is not None and workers < 1:
        raise InputError(f"`workers` must be at least 1, got {workers}")
    if scheduler is not None:
        yield from _on_dask(work, jobs, scheduler, 0)
        return
    processes = min(workers or processors(), max(count, 1))
    if processes == 1 or (workers is None and count <= FEW):
        yield from map(work, jobs)
    elif _has_dask():
        yield from _on_dask(work, jobs, None, processes)
    else:
        yield from _in_processes(work, jobs, processes)


def processors() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _has_dask() -> bool:
    from importlib.util import find_spec

    return find_spec("distributed") is not None


def _on_dask(
    work: Callable[..., Any], jobs: Iterable[dict[str, Any]], address: str | None, count: int
) -> Iterator[Any]:
    try:
        import dask
        from distributed import Client, LocalCluster, as_completed
    except ImportError:
        raise MissingExtra("dask", "scale", "a scheduler address") from None
    cluster = None
    with dask.config.set(
        {"distributed.nanny.pre-spawn-environ": THREADS, "distributed.logging.distributed": "error"}
    ):
        if address is None:
            cluster = LocalCluster(
                count,
                threads_per_worker=1,
                processes=True,
                dashboard_address=":0",
                memory_limit=0,
                silence_logs=logging.ERROR,
            )
    client = None
    try:
        client = _connect(Client, cluster or address)
        ahead = AHEAD * max(count or sum(client.nthreads().values()), 1)
        queue = iter(jobs)
        submitted = {client.submit(work, job, pure=False): job for job in islice(queue, ahead)}
        flying = as_completed(list(submitted))
        for future in flying:
            yield _outcome(future, submitted.pop(future))
            for job in islice(queue, 1):
                more = client.submit(work, job, pure=False)
                submitted[more] = job
                flying.add(more)
    finally:
        if client is not None:
            client.close()
        if cluster is not None:
            cluster.close()


def _connect(client: Any, where: Any) -> Any:
    try:
        return client(where, timeout=20)
    except (OSError, ValueError) as problem:
        raise InputError(
            f"no Dask scheduler answers at {where!r}: {str(problem).splitlines()[0]}"
        ) from None


def _outcome(future: Any, job: dict[str, Any]) -> dict[str, Any]:
    """The result, or a record of what killed it: a molecule that takes its process down costs only itself."""
    problem = future.exception()
    if problem is None:
        return future.result()
    lines = str(problem).splitlines() or ["no reason given"]
    return {
        "format": job["format"],
        "key": job["key"],
        "error": f"{type(problem).__name__}: {lines[0]}",
    }


def _in_processes(
    work: Callable[..., Any], jobs: Iterable[dict[str, Any]], count: int
) -> Iterator[Any]:
    """Without Dask: the standard library's processes, started afresh so that no library's threads are inherited."""
    from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
    from multiprocessing import get_context

    with ProcessPoolExecutor(count, get_context("spawn"), _pin) as pool:
        queue = iter(jobs)
        flying = {pool.submit(work, job) for job in islice(queue, AHEAD * count)}
        while flying:
            finished, flying = wait(flying, return_when=FIRST_COMPLETED)
            for future in finished:
                yield future.result()
                flying |= {pool.submit(work, job) for job in islice(queue, 1)}


def _pin() -> None:
    os.environ.update(THREADS)
