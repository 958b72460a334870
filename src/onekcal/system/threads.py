"""How many threads linear algebra and OpenMP use: the one place where this is set at run time."""

from __future__ import annotations

from threadpoolctl import threadpool_limits


def one_thread() -> threadpool_limits:
    """Return a context in which linear algebra and OpenMP use one thread.

    Molecules are small: several threads would wait for each other longer than they work, and the
    processor is busy while they wait.
    """
    return threadpool_limits(1)
