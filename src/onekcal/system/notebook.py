"""Progress in a notebook: one line that is renewed while results come in."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from html import escape
from typing import Any, Protocol, TypeVar

EVERY = 0.3
"""Seconds between two renewals."""
FEW = 2
"""So many results or fewer are not worth a line."""


class Outcome(Protocol):
    """A result, or the reason why there is none."""

    @property
    def problem(self) -> str:
        """Why there is none; empty where there is one."""


Some = TypeVar("Some", bound=Outcome)


def in_notebook() -> bool:
    """Tell whether this process is the kernel of a notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None


def watched(results: Iterable[Some], what: str, total: int | None) -> Iterator[Some]:
    """Show in a notebook how many results there are; elsewhere nothing.

    Parameters
    ----------
    results
        Results that are computed when they are asked for.
    what
        What they are called: "answers".
    total
        How many are expected; None where it is not known.

    Yields
    ------
    object
        The same results.
    """
    if not in_notebook() or (total is not None and total <= FEW):
        yield from results
        return
    from IPython.display import display

    line = Line(what, total)
    handle = display(line, display_id=True)
    try:
        for result in results:
            if line.count(result.problem):
                handle.update(line)
            yield result
    finally:
        line.ended = True
        handle.update(line)


class Line:
    """What a notebook shows.

    Parameters
    ----------
    what, total
        As in `watched`.
    """

    def __init__(self, what: str, total: int | None) -> None:
        self.what, self.total = what, total
        self.done = self.refused = 0
        self.begun = self.shown = time.monotonic()
        self.ended = False

    def count(self, problem: str) -> bool:
        """Count a result; say whether the line is due.

        Parameters
        ----------
        problem
            Why there is none; empty where there is one.
        """
        self.done += 1
        self.refused += bool(problem)
        now = time.monotonic()
        due = now - self.shown >= EVERY
        self.shown = now if due else self.shown
        return due

    def __str__(self) -> str:
        seconds = time.monotonic() - self.begun
        of = f" of {self.total:,}" if self.total and not self.ended else ""
        told = f"{self.done:,}{of} {self.what} in {seconds:.0f} s"
        if self.total and self.done and not self.ended:
            told += f", about {seconds * (self.total / self.done - 1):.0f} s left"
        return told + (f"; {self.refused:,} refused" if self.refused else "")

    __repr__ = __str__

    def _repr_html_(self) -> str:
        if self.ended or not self.total:
            return escape(str(self))
        bar = f'<progress value="{self.done}" max="{self.total}"></progress>'
        return f"{bar} {escape(str(self))}"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/plain": str(self), "text/html": self._repr_html_()}
