"""How many threads linear algebra and OpenMP use: the one place where this is set at run time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

from threadpoolctl import threadpool_limits

from onekcal.system.processes import ONE_THREAD

Given = ParamSpec("Given")
Result = TypeVar("Result")


@contextmanager
def one_thread(threads: int = 1) -> Iterator[None]:
    """Let linear algebra and OpenMP use one thread for a while.

    Molecules are small: several threads would wait for each other longer than they work, and the
    processor is busy while they wait. Libraries that are loaded meanwhile read the environment.

    Parameters
    ----------
    threads
        How many, where one is not wanted.
    """
    new = {name: value for name, value in ONE_THREAD.items() if name not in os.environ}
    os.environ.update(new)
    try:
        with threadpool_limits(threads):
            yield
    finally:
        for name in new:
            os.environ.pop(name, None)


def on_one_thread(function: Callable[Given, Result]) -> Callable[Given, Result]:
    """Make a function run as in `one_thread`; OMP_NUM_THREADS asks for more (for DFT).

    Parameters
    ----------
    function
        What computes on small molecules.
    """

    @wraps(function)
    def alone(*args: Given.args, **kwargs: Given.kwargs) -> Result:
        asked = os.environ.get("OMP_NUM_THREADS", "")
        with one_thread(int(asked) if asked.isdigit() else 1):
            return function(*args, **kwargs)

    return alone
