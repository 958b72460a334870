"""Learning curves as a picture: error against training molecules on logarithmic axes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from onekcal.errors import InputError
from onekcal.show.parity import FAINT, INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from onekcal.bench.curves import Learned

COLOURS = (
    "#0b6e99",
    "#c4622d",
    "#5b8c3a",
    "#7a5aa6",
    "#b08a1e",
    "#4f5d68",
    "#b0416f",
    "#1f9e8f",
    "#8a5a3c",
)
MARKERS = ("o", "s", "D", "^", "P", "X", "v", "*", "<")


def curves_png(
    path: Path, curves: Sequence[Learned], title: str = "", unit: str = "kcal/mol"
) -> None:
    """Draw learning curves into a PNG file.

    Each curve has its means with their spread over seeds, and a line a·N^−b whose slope stands
    in the legend. Hollow markers are the paper's errors. If the paper has more molecules, the
    line goes on to its last point, dashed.

    Parameters
    ----------
    path
        The file.
    curves
        At least one.
    title
        The title of the picture.
    unit
        The unit of the errors.

    Raises
    ------
    InputError
        When there is no curve.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if not curves:
        raise InputError("no learning curve to draw: none of the rows of its suite has ended well")
    lines = -(-(len(curves) + 1) // 2)
    figure = Figure(figsize=(8.6, 4.9 + 0.24 * lines), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for k, curve in enumerate(curves):
        _curve(axes, curve, COLOURS[k % len(COLOURS)], MARKERS[k % len(MARKERS)])
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="training molecules",
        ylabel=f"mean absolute error  ({unit})",
    )
    _plain_ticks(axes, curves)
    low, high = axes.get_ylim()
    if unit == "kcal/mol" and low < 1 < high:
        axes.axhline(1, color=FAINT, lw=1.2, ls="--", zorder=0)
        axes.annotate(
            "1 kcal/mol",
            (0.005, 1),
            xycoords=("axes fraction", "data"),
            va="bottom",
            fontsize=8,
            color="#4f5d68",
        )
    if any(curve.paper for curve in curves):
        axes.errorbar(
            [], [], fmt="o", mfc="none", mec=INK, ecolor="none", label="hollow: the paper's own"
        )
    figure.legend(frameon=False, fontsize=9, loc="outside lower center", ncols=2)
    axes.set_title(title, loc="left", fontsize=11, color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(True, which="major", color="#e3e9ed", lw=0.8, zorder=0)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK)
    figure.savefig(path, dpi=140)


def _curve(axes: Axes, curve: Learned, colour: str, marker: str) -> None:
    """Draw points with their spread, the power law, and the paper's points joined by dots."""
    slope = f"  ∝ N$^{{{-curve.b:.2f}}}$".replace("-", "−") if curve.b is not None else ""
    axes.errorbar(
        curve.sizes,
        curve.mae,
        yerr=[spread or 0.0 for spread in curve.spread],
        fmt=marker,
        ms=6,
        color=colour,
        capsize=3,
        lw=1.2,
        label=curve.name + slope,
        zorder=3,
    )
    if curve.a is not None and curve.b is not None:
        ends = [min(curve.sizes), max(curve.sizes)]
        axes.plot(
            ends, [curve.a * n**-curve.b for n in ends], color=colour, lw=1.6, alpha=0.8, zorder=2
        )
        if beyond := curve.beyond():
            axes.plot(
                [ends[1], beyond[0]],
                [curve.a * ends[1] ** -curve.b, beyond[1]],
                color=colour,
                lw=1,
                ls=(0, (4, 4)),
                alpha=0.7,
                zorder=1,
            )
    if curve.paper:
        sizes = sorted(curve.paper)
        axes.plot(
            sizes,
            [curve.paper[n] for n in sizes],
            ls=":",
            lw=1,
            color=colour,
            marker=marker,
            ms=7,
            mfc="white",
            mew=1.4,
            zorder=2,
        )


def _plain_ticks(axes: Axes, curves: Sequence[Learned]) -> None:
    """Write 1, 10, 100, 1,000 instead of powers of ten, and steps between where there is room."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    def plain(value: float, _: object) -> str:
        return f"{value:,.6g}"

    for axis, values in (
        (axes.xaxis, [n for c in curves for n in [*c.sizes, *c.paper]]),
        (axes.yaxis, [e for c in curves for e in [*c.mae, *c.paper.values()]]),
    ):
        reach = max(values) / min(values)
        steps = (1, 2, 3, 4, 6, 8) if reach < 8 else (1, 2, 5) if reach < 50 else (1,)
        axis.set_major_locator(LogLocator(base=10, subs=steps))
        axis.set_major_formatter(FuncFormatter(plain))
        axis.set_minor_formatter(NullFormatter())
