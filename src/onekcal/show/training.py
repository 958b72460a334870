"""Trainings as they go: a live line on a terminal, a line every half minute elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from onekcal.networks.training.session import Progress
from onekcal.show.study import progress as console

EVERY = 30.0
"""Seconds between lines where there is no terminal."""

Watch = Callable[[Progress], None]


@contextmanager
def watching(text: str, quiet: bool = False) -> Iterator[Watch]:
    """Show trainings as they go.

    On a terminal a spinner turns until the first training begins.

    Parameters
    ----------
    text
        What the spinner says.
    quiet
        Show nothing.

    Yields
    ------
    Watch
        What a session's `watch` takes.
    """
    if quiet:
        yield lambda at: None
    elif console.is_terminal:
        with _live(text) as watch:
            yield watch
    else:
        yield _Lines()


@contextmanager
def _live(text: str) -> Iterator[Watch]:
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[told]}"),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=console, transient=True) as bars:
        tasks = {-1: bars.add_task(text, total=None, told="")}

        def watch(at: Progress) -> None:
            if -1 in tasks:
                bars.remove_task(tasks.pop(-1))
            if at.training not in tasks:
                tasks[at.training] = bars.add_task(
                    f"training {at.training + 1}", total=at.epochs, told=""
                )
            bars.update(tasks[at.training], completed=at.epoch, told=line(at))

        yield watch


class _Lines:
    """Prints now and then."""

    def __init__(self) -> None:
        self.told = time.monotonic()

    def __call__(self, at: Progress) -> None:
        if time.monotonic() - self.told >= EVERY:
            self.told = time.monotonic()
            console.print(
                f"training {at.training + 1}: {line(at)}",
                highlight=False,
                markup=False,
                soft_wrap=True,
            )


def line(at: Progress) -> str:
    """Write the progress of a training in one line.

    Such as "epoch 12/200 · loss 0.021 · valid MAE 1.32 kcal/mol · rate 1.0e-03 · 0:03:10 left".

    Parameters
    ----------
    at
        The progress.

    Returns
    -------
    str
        The line.
    """
    parts = [f"epoch {int(at.epoch)}/{at.epochs}"]
    if at.last:
        parts.append(f"loss {at.last['loss']:.3g}")
    if "valid_mae" in at.last:
        parts.append(f"valid MAE {at.last['valid_mae']:.3g} {at.unit}")
    if "valid_force_mae" in at.last:
        parts.append(f"forces {at.last['valid_force_mae']:.3g} kcal/mol/Å")
    if at.last:
        parts += [
            f"rate {at.last['rate']:.1e}",
            f"{timedelta(seconds=round(at.seconds_left))} left",
        ]
    return " · ".join(parts)
