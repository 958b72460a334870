"""Work divided among processors: one Python thread each, in large pieces.

NumPy, SciPy, torch and pyscf have threads of their own, which wait for work by spinning. Where one
library follows another every millisecond, they take the processors from each other. So what is ours
runs in threads of its own, in which the libraries have one each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
Part = TypeVar("Part")


def cores() -> int:
    """Return how many processors pyscf may use."""
    from pyscf import lib

    return int(lib.num_threads())


def divided(work: Callable[[Part], T], parts: Iterable[Part]) -> list[T]:
    """Return what `work` makes of each part, in order, computed on every processor.

    Parameters
    ----------
    work
        Called in several threads at a time.
    parts
        About as many as `cores()`, or several times as many.
    """
    from pyscf import lib

    count = cores()
    if count == 1:
        return [work(part) for part in parts]
    with ThreadPoolExecutor(count, initializer=lib.num_threads, initargs=(1,)) as pool:
        return list(pool.map(work, parts))


def pieces(length: int) -> list[slice]:
    """Divide a range into one piece a processor.

    Parameters
    ----------
    length
        The range is 0 to this.
    """
    count = min(cores(), max(1, length))
    cuts = [length * k // count for k in range(count + 1)]
    return [slice(begin, end) for begin, end in zip(cuts, cuts[1:])]
