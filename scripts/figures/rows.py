"""Rows of results/*.json as a chart needs them, and the two ways in which all charts draw them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from onekcal.errors import DataError
from onekcal.show.plots import CURVES, INK, MARKERS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHAPES = dict(zip(MARKERS, ("o", "s", "D", "^", "P", "X")))
"""What matplotlib calls plotly's markers."""
MAE = "mean absolute error (kcal/mol)"
QUIET = "#5b6770"


class Row(NamedTuple):
    """What a chart needs of a row."""

    mae: float  # kcal/mol, mean over runs
    spread: float  # standard deviation over runs; 0 for one
    paper: float | None  # kcal/mol
    seconds: float  # of an epoch; NaN where nothing was trained in epochs


class Suite:
    """A file of results. What a figure asks for and does not find is kept, for `finish` to say."""

    def __init__(self, results: Path, name: str) -> None:
        path = results / f"{name}.json"
        if not path.is_file():
            raise DataError(f"no results of {name} at {path}; run `onekcal bench run {name}`")
        found = json.loads(path.read_text(encoding="utf-8"))["rows"]
        self.rows = {row["name"]: _row(row) for row in found if "failed" not in row}
        self.name = name
        self.used, self.missing = list[str](), list[str]()

    def row(self, name: str) -> Row | None:
        """A row, or None where it was not measured."""
        kept = self.used if name in self.rows else self.missing
        if name not in kept:
            kept.append(name)
        return self.rows.get(name)

    def some(self, names: Mapping[Any, str]) -> dict[Any, Row]:
        """The measured ones of the rows a curve is made of, by their places."""
        found = {place: self.row(name) for place, name in names.items()}
        return {place: row for place, row in found.items() if row is not None}

    def finish(self, figure: Figure) -> Figure:
        """The figure, with a note of the rows that are absent; an error where all are."""
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


def _row(row: dict[str, Any]) -> Row:
    errors = [run["mae"] for run in row["runs"]]
    epochs = [run["training_seconds"] / run["epochs"] for run in row["runs"] if run.get("epochs")]
    return Row(
        row["ours"]["mae"],
        float(np.std(errors)),
        row["paper"].get("mae"),
        float(np.mean(epochs or [np.nan])),
    )


def curve(
    axes: Axes,
    points: Mapping[Any, float],
    label: str,
    k: int = 0,
    paper: bool = False,
    spreads: Sequence[float] | None = None,
) -> None:
    """One curve, in the `k`-th colour and marker: ours is solid and filled, a paper's dashed and
    hollow.
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
    """Bars with their values; `place` of this series beside the others, in widths of a bar. None
    leaves a gap.
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
