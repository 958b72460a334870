"""Rows of results/*.json as a chart needs them, and the two ways in which all charts draw them."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from onekcal.bench import suite
from onekcal.bench.results import Measured
from onekcal.errors import DataError
from onekcal.show.plots import CURVES, INK, MARKERS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHAPES = dict(zip(MARKERS, ("o", "s", "D", "^", "P", "X")))
"""What matplotlib calls plotly's markers."""
MAE = "mean absolute error (kcal/mol)"
QUIET = "#5b6770"


Place = TypeVar("Place", bound=Hashable)
"""Where a row stands on an axis: a number or a name."""


class Row(NamedTuple):
    """What a chart needs of a row.

    Parameters
    ----------
    mae
        Mean over the runs, kcal/mol.
    spread
        Standard deviation over the runs; 0 where there is one.
    paper
        The paper's error, kcal/mol; None where it has none.
    seconds
        Time of an epoch; NaN where nothing was trained in epochs.
    """

    mae: float
    spread: float
    paper: float | None
    seconds: float


class Suite:
    """A file of results.

    Names that a figure asks for and that have no result are kept; `finish` counts them.

    Parameters
    ----------
    results
        The folder of results.
    name
        The suite; its results are `name`.json in that folder.
    """

    def __init__(self, results: Path, name: str) -> None:
        path = results / f"{name}.json"
        if not path.is_file():
            raise DataError(f"no results of {name} at {path}; run `onekcal bench run {name}`")
        found = json.loads(path.read_text(encoding="utf-8"))["rows"]
        self.rows = {row["name"]: _row(row) for row in found if "failed" not in row}
        self.name = name
        self.used, self.missing = list[str](), list[str]()

    def row(self, name: str) -> Row | None:
        """Look up a row.

        Parameters
        ----------
        name
            The name of the row.

        Returns
        -------
        Row or None
            None where it was not measured.
        """
        kept = self.used if name in self.rows else self.missing
        if name not in kept:
            kept.append(name)
        return self.rows.get(name)

    def some(self, names: Mapping[Place, str]) -> dict[Place, Row]:
        """The rows of a curve that were measured.

        Parameters
        ----------
        names
            Place on the axis → name of the row.

        Returns
        -------
        dict
            Place → row, without the rows that were not measured.
        """
        found = {place: self.row(name) for place, name in names.items()}
        return {place: row for place, row in found.items() if row is not None}

    def finish(self, figure: Figure) -> Figure:
        """Note under a figure how many of its rows are absent.

        Parameters
        ----------
        figure
            The figure that was drawn from the rows asked for.

        Returns
        -------
        Figure
            The same figure.

        Raises
        ------
        DataError
            When every row is absent.
        """
        if not self.used:
            raise DataError(
                f"results of {self.name} hold no row of this figure, which needs "
                f"{'; '.join(self.missing)}; "
                f"run `onekcal bench run {self.name}`"
            )
        if self.missing:
            figure.supxlabel(
                f"not measured yet: {len(self.missing)} of onekcal's "
                f"{len(self.missing + self.used)} rows",
                fontsize=8,
                color=QUIET,
                x=0.99,
                ha="right",
            )
        return figure


def _row(row: Measured) -> Row:
    errors = [run["mae"] for run in row["runs"]]
    epochs = [run["training_seconds"] / run["epochs"] for run in row["runs"] if run.get("epochs")]
    return Row(
        row["ours"]["mae"],
        float(np.std(errors)),
        row["paper"].get("mae"),
        float(np.mean(epochs or [np.nan])),
    )


def of_paper(name: str, rows: Mapping[Place, str]) -> dict[Place, float]:
    """A paper's errors, as a suite holds them.

    Parameters
    ----------
    name
        The suite.
    rows
        Place on the axis → name of the row.

    Returns
    -------
    dict
        Place → mean absolute error in the paper (kcal/mol).
    """
    return {place: _papers(name)[row] for place, row in rows.items()}


@cache
def _papers(name: str) -> dict[str, float]:
    """Rows of a suite → the paper's mean absolute error, where it has one."""
    return {row.name: row.paper["mae"] for row in suite.read(name).rows if "mae" in row.paper}


def curve(
    axes: Axes,
    points: Mapping[int, float],
    label: str,
    k: int = 0,
    paper: bool = False,
    spreads: Sequence[float] | None = None,
) -> None:
    """Draw one curve. Ours is solid and filled; a paper's is dashed and hollow.

    Parameters
    ----------
    axes
        Where it is drawn.
    points
        Place on the axis → error (kcal/mol) or time (s).
    label
        Its name in the legend.
    k
        Which colour and marker it takes.
    paper
        Whether the points are a paper's.
    spreads
        Standard deviations of the points, drawn as error bars; None: none.
    """
    if not points:
        return
    color, marker = CURVES[k % len(CURVES)], SHAPES[MARKERS[k % len(MARKERS)]]
    axes.errorbar(
        list(points),
        list(points.values()),
        yerr=spreads,
        label=label,
        color=color,
        marker=marker,
        ms=6,
        lw=1.6,
        ls="--" if paper else "-",
        mfc="white" if paper else color,
        capsize=2,
    )


def bars(
    axes: Axes,
    names: Sequence[str],
    values: Sequence[float | None],
    label: str,
    place: float,
    width: float,
    color: str,
    spreads: Sequence[float] | None = None,
) -> None:
    """Draw one series of bars, each with its value above it.

    Parameters
    ----------
    axes
        Where they are drawn.
    names
        One name a bar.
    values
        Heights (kcal/mol); None leaves a gap.
    label
        The name of the series in the legend.
    place
        The shift of this series from the middle, in widths of a bar.
    width
        The width of a bar, in distances between two names.
    color
        The colour of the bars.
    spreads
        Standard deviations, drawn as error bars; None: none.
    """
    at = np.arange(len(names)) + place * width
    heights = [np.nan if value is None else value for value in values]
    axes.bar(
        at,
        heights,
        width,
        color=color,
        label=label,
        yerr=spreads,
        error_kw={"ecolor": INK, "lw": 1, "capsize": 2},
    )
    tops = np.array(heights) + (0 if spreads is None else np.array(spreads))
    for x, y, value in zip(at, tops, heights):
        if np.isfinite(value):
            axes.annotate(f"{value:#.3g}", (x, y), ha="center", va="bottom", fontsize=8, color=INK)
    axes.set_xticks(range(len(names)), names)
    axes.set_xlim(-0.6, len(names) - 0.4)
