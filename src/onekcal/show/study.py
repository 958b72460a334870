"""What the command line prints: tables, findings, and the progress of long work."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from onekcal.bench.results import Measured
    from onekcal.bench.suite import Suite
    from onekcal.datasets.card import Stored
    from onekcal.datasets.doctor.diagnosis import Diagnosis
    from onekcal.runs.correction import Point
    from onekcal.runs.run import Run
    from onekcal.show.stages import Stage
    from onekcal.trust.metrics import Metrics

# a pipe or a file has no width of its own: 80 columns would fold every table


class Output(Console):
    """Standard output. Where its reader has left, `onekcal.cli.main` ends the program with 0."""

    def on_broken_pipe(self) -> None:
        """Tell `main`; rich itself would end with 1."""
        raise BrokenPipeError


console = Output(width=None if sys.stdout.isatty() else 140)
progress = Console(stderr=True)


def _line(where: Console, text: str) -> None:
    """Print text as it is: no colouring of numbers, no folding."""
    where.print(text, highlight=False, markup=False, soft_wrap=True)


@contextmanager
def waiting(text: str, quiet: bool = False) -> Iterator[None]:
    """Show a spinner and the elapsed time on a terminal while something runs.

    Parameters
    ----------
    text
        What the spinner says.
    quiet
        Show nothing.
    """
    if quiet or not progress.is_terminal:
        yield
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    with Progress(
        SpinnerColumn(), TextColumn(text), TimeElapsedColumn(), console=progress, transient=True
    ) as bar:
        bar.add_task(text, total=None)
        yield


def rows_table(title: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Print a table, with numbers to the right.

    Parameters
    ----------
    title
        The title.
    rows
        Head of the column → value, with the same heads in each row.
    """
    if not rows:
        console.print(f"{title}: nothing")
        return
    table = Table(
        title=escape(title), title_justify="left", box=None, header_style="bold", pad_edge=False
    )
    for key in rows[0]:
        right = all(_is_number(row.get(key, "")) for row in rows)
        table.add_column(escape(key), justify="right" if right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(escape(_text(row.get(key, ""))) for key in rows[0]))
    console.print(table)


def _is_number(value: object) -> bool:
    text = _text(value).replace("%", "").replace(",", "").strip()
    return not text or text == "–" or text.replace(".", "", 1).replace("-", "", 1).isdigit()


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def metrics_table(title: str, metrics: Metrics) -> None:
    """Print the errors of a run or an evaluation.

    Parameters
    ----------
    title
        The head of the column of values.
    metrics
        Metrics by name, in the unit of what was learned.
    """
    unit = metrics.get("unit", "kcal/mol")
    names = {
        "count": f"{metrics.get('judged_on', '')} {metrics.get('of', 'molecules')}".strip()
        + ("" if "judged_on" in metrics else " tested"),
        "mae": f"MAE ({unit})",
        "rmse": f"RMSE ({unit})",
        "median": f"median error ({unit})",
        "max": f"largest error ({unit})",
        "above_1": "share above 1 kcal/mol",
        "bias": f"mean signed error ({unit})",
        "interval": f"interval ± ({unit})",
        "coverage": "its measured coverage",
        "fit_seconds": "seconds to fit",
    }
    rows = [{"": label, title: metrics[key]} for key, label in names.items() if key in metrics]
    rows += [
        {"": key, title: value} for key, value in metrics.items() if key.startswith("coverage of")
    ]
    rows += [
        {"": f"MAE up to order {key.removeprefix('mae_order_')}", title: value}
        for key, value in metrics.items()
        if key.startswith("mae_order_")
    ]
    rows_table("", rows)


def table(run: Run) -> None:
    """Print the errors of a finished run, and where everything lies.

    Parameters
    ----------
    run
        The run.
    """
    from onekcal.runs.card import NO_TEST

    metrics_table(run.folder.name, run.metrics)
    if part := run.metrics.get("judged_on"):
        _line(console, f"\nThere is no test part: {NO_TEST[part]}")
    _line(console, f"\n{run.folder}/ holds the model, the predictions and parity.png")


def correction(name: str, points: Sequence[Point]) -> None:
    """Print the learning curve of a correction, and whether it helps.

    Parameters
    ----------
    name
        The fitted model that is corrected.
    points
        The curve; empty where none was made.
    """
    from onekcal.runs.correction import verdict

    if not points:
        return
    heads = ("energies of your own", f"{name} corrected", "GFN2-xTB corrected", "no baseline")
    rows = [
        dict(zip(heads, [f"{n:,}", *("–" if e != e else f"{e:.2f}" for e in errors)]))
        for n, *errors in map(astuple, points)
    ]
    console.print()
    rows_table("Mean absolute error (kcal/mol) of the same later stages", rows)
    _line(console, f"\n{verdict(points, name)}")


def picture(run: Run) -> Path:
    """Draw the parity plot of a run; of HIP-NN also hierarchy.png.

    Parameters
    ----------
    run
        The run.

    Returns
    -------
    Path
        The parity plot.
    """
    from onekcal.show.parity import parity_png

    path = run.folder / "parity.png"
    name = run.folder.name.removesuffix(".part")
    unit, of = run.metrics["unit"], run.metrics["of"]
    parity_png(path, run.test.energies.numpy(), run.predicted.numpy(), name, unit, of)
    if "mae_order_0" in run.metrics:
        from onekcal.show import hierarchy

        hierarchy.hierarchy_png(run.folder / "hierarchy.png", hierarchy.read(run.folder), name)
    return path


def report(name: str, diagnosis: Diagnosis) -> None:
    """Print the findings of the data doctor.

    Parameters
    ----------
    name
        The name of the data set.
    diagnosis
        The findings.
    """
    console.rule(f"[bold]{name}", align="left")
    marks = {
        "ok": "[green]ok",
        "note": "[cyan]note",
        "warning": "[yellow]warning",
        "error": "[red]error",
    }
    grid = Table.grid(padding=(0, 2))
    for finding in diagnosis.findings:
        remedy = f"\n[dim]→ {escape(finding.remedy)}" if finding.remedy else ""
        grid.add_row(
            marks[finding.level],
            f"[bold]{escape(finding.what)}",
            f"{escape(finding.detail)}{remedy}",
        )
    console.print(grid, highlight=False)


def card(stored: Stored) -> None:
    """Print what a data set is, who made it, and under which licence.

    Parameters
    ----------
    stored
        The data set.
    """
    rows = [
        {"": key, stored.card.name: value}
        for key, value in vars(stored.card).items()
        if key != "name"
    ]
    rows_table("", rows)


def stage(described: Stage) -> None:
    """Print the name, the meaning and the settings of a stage of an experiment.

    Parameters
    ----------
    described
        The stage.
    """
    _line(console, f"{described.name}: {described.meaning}")
    grid = Table.grid(padding=(0, 2))
    for one in described.settings:
        cells = (f"  {one.name}", one.default, one.type, one.meaning)
        grid.add_row(*(escape(cell) for cell in cells))
    console.print(grid, highlight=False)
    console.print()


@contextmanager
def live_rows(
    suite: Suite, quiet: bool = False
) -> Iterator[Callable[[str, Measured | None], None]]:
    """Show the rows of a suite as they end.

    On a terminal a table fills; elsewhere a line on stderr tells that a row begins or ends.

    Parameters
    ----------
    suite
        The suite.
    quiet
        Show nothing.

    Yields
    ------
    function
        Takes the name of a row, and its result or None when it begins.
    """
    if quiet:
        yield lambda name, found: None
    elif progress.is_terminal:
        from rich.live import Live

        state: dict[str, tuple[str, ...]] = {row.name: ("", "", "") for row in suite.rows}
        with Live(console=progress, transient=True, refresh_per_second=2) as live:

            def fill(name: str, measured: Measured | None) -> None:
                state[name] = ("running", "", "") if measured is None else _outcome(measured)
                grid = Table("row", "", "MAE", "seconds", box=None)
                for each, cells in state.items():
                    grid.add_row(escape(each), *cells)
                live.update(grid)

            yield fill
    else:
        started = iter(range(1, len(suite.rows) + 1))

        def tell(name: str, measured: Measured | None) -> None:
            if measured is None:
                _line(progress, f"… {name} (row {next(started)} of {len(suite.rows)})")
            else:
                _, mae, seconds = _outcome(measured)
                _line(
                    progress,
                    f"✗ {name}: {measured['failed']}"
                    if "failed" in measured
                    else f"✓ {name}: MAE {mae}, {seconds} s",
                )

        yield tell


def _outcome(measured: Measured) -> tuple[str, str, str]:
    """The end of a row: a word, the mean absolute error with its unit, seconds."""
    if "failed" in measured:
        return "failed", "", ""
    unit = measured["runs"][0].get("unit", "kcal/mol")
    return "done", f"{measured['ours']['mae']:.4g} {unit}", f"{measured['seconds']}"
