"""Progress of predictions on a terminal: answers are counted, and problems are printed."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from rich import progress as bars

from onekcal.prediction.answers import Answer
from onekcal.show.study import console, progress

MANY = 3
"""With fewer molecules than this there is no bar."""


class Count:
    """How many questions were answered and how many not."""

    def __init__(self) -> None:
        self.answered = self.failed = 0


@contextmanager
def watched(
    answers: Iterable[Answer], total: int | None, count: Count, quiet: bool = False
) -> Iterator[Iterator[Answer]]:
    """Count answers as they pass, and print each problem on stderr.

    On a terminal a bar shows the progress.

    Parameters
    ----------
    answers
        The answers.
    total
        How many are expected; None where it is not known.
    count
        Counts them.
    quiet
        Show no bar.

    Yields
    ------
    iterator of Answer
        The same answers.
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

        def passing() -> Iterator[Answer]:
            for answer in answers:
                bar.advance(task)
                if answer.problem:
                    count.failed += 1
                    print(f"onekcal: {answer.problem}", file=sys.stderr, flush=True)
                else:
                    count.answered += 1
                yield answer

        yield passing()
