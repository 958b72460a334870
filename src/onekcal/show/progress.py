"""Progress of predictions on a terminal: answers are counted, and problems are printed."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

from rich import progress as bars

from onekcal.prediction.answers import Answer
from onekcal.show.study import console, progress

MANY = 3
"""With fewer molecules than this there is no bar."""


class Outcome(Protocol):
    """An answer or a reaction."""

    @property
    def problem(self) -> str:
        """Why there is none; empty where there is."""


Some = TypeVar("Some", bound=Outcome)


class Count:
    """How many questions were answered and how many not."""

    def __init__(self) -> None:
        self.answered = self.failed = self.computable = 0
        self.passed = 0  # those that were written, too
        self.forecast = 0.0  # seconds of one core, of those that could be computed


@contextmanager
def watched(
    answers: Iterable[Some], total: int | None, count: Count, quiet: bool = False
) -> Iterator[Iterator[Some]]:
    """Count answers as they pass, and print each problem on stderr.

    On a terminal a bar shows the progress.

    Parameters
    ----------
    answers
        Answers or reactions.
    total
        How many are expected; None where it is not known.
    count
        Counts them.
    quiet
        Show no bar.

    Yields
    ------
    iterator
        The same.
    """
    columns: list[bars.ProgressColumn] = [
        bars.SpinnerColumn(),
        bars.TextColumn("{task.description}"),
    ]
    if total is None or total >= MANY:
        columns += [
            bars.BarColumn(),
            bars.MofNCompleteColumn(),
            bars.TimeElapsedColumn(),
            bars.TimeRemainingColumn(),
        ]
    with bars.Progress(
        *columns,
        console=console if console.is_terminal else progress,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=progress.is_terminal,
        disable=quiet or not progress.is_terminal,
    ) as bar:
        task = bar.add_task("predicting", total=total)

        def passing() -> Iterator[Some]:
            for answer in answers:
                bar.advance(task)
                if answer.problem:
                    count.failed += 1
                    if isinstance(answer, Answer) and answer.forecast:
                        count.computable += 1
                        count.forecast += answer.forecast
                    print(f"onekcal: {answer.problem}", file=sys.stderr, flush=True)
                else:
                    count.answered += 1
                yield answer
                count.passed += 1

        yield passing()
