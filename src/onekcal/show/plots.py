"""Plots in one style: interactive ones by plotly (HTML), and pictures by matplotlib (PNG)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike
from plotly.subplots import make_subplots

from onekcal.data.dataset import Column, Dataset
from onekcal.molecules import SYMBOLS
from onekcal.show.endings import HTML, writable
from onekcal.system.files import whole_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

INK, ACCENT, SECOND, GRID, FAINT = "#1b2733", "#0b6e99", "#c4622d", "#e3e9ed", "#c9d3da"
CURVES = (ACCENT, SECOND, "#5b8c3a", "#7a5aa6", "#b08a1e", "#4f5d68")
"""Colours of curves; each curve also has its own marker, for readers without colour vision."""
MARKERS = ("circle", "square", "diamond", "triangle-up", "cross", "x")
LAYOUT: dict[str, Any] = {
    "font": {"family": "system-ui, sans-serif", "size": 14, "color": INK},
    "paper_bgcolor": "white",
    "plot_bgcolor": "white",
    "bargap": 0.06,
    "showlegend": False,
    "margin": {"l": 80, "r": 30, "t": 95, "b": 65},
    "title": {"x": 0.01, "xanchor": "left", "font": {"size": 18}},
    "hoverlabel": {"bgcolor": "white", "font": {"color": INK}},
}
HEAVY = 100_000
"""A PNG of more bytes gets fewer colours."""


def distributions(dataset: Dataset, title: str = "") -> go.Figure:
    """Draw the distribution of sizes, elements, energies and force components, a panel each.

    Parameters
    ----------
    dataset
        The molecules and their columns.
    title
        The title; empty: the number of molecules.

    Returns
    -------
    Figure
        A figure of plotly.
    """
    columns = {name: c for name, c in dataset.columns.items() if c.quantity in ("energy", "forces")}
    columns = columns or dict(dataset.columns)
    titles = [
        "Molecules by size",
        "Atoms by element",
        *(_panel(name, c) for name, c in columns.items()),
    ]
    rows = -(-len(titles) // 2)
    figure = make_subplots(
        rows=rows,
        cols=2,
        subplot_titles=titles,
        vertical_spacing=0.38 / rows,
        horizontal_spacing=0.11,
    )
    sizes, counts = np.unique(dataset.molecules.sizes.numpy(), return_counts=True)
    _bars(
        figure, 0, sizes, counts, "atoms in a molecule", "molecules", "%{x} atoms: %{y:,} molecules"
    )
    charges, atoms = np.unique(dataset.molecules.numbers.numpy(), return_counts=True)
    _bars(figure, 1, [SYMBOLS[z] for z in charges], atoms, "", "atoms", "%{x}: %{y:,} atoms")
    figure.update_xaxes(type="category", row=1, col=2)
    for k, column in enumerate(columns.values(), 2):
        values = column.values.flatten().numpy()
        finite = values[np.isfinite(values)]
        if not len(finite):
            continue
        heights, edges = np.histogram(finite, bins=80)
        what = {"energy": "molecules", "forces": "components"}.get(column.quantity, "values")
        missing = len(values) - len(finite)
        _bars(
            figure,
            k,
            (edges[1:] + edges[:-1]) / 2,
            heights,
            column.unit + (f" ({missing:,} missing)" if missing else ""),
            what,
            f"%{{x:.4g}} {column.unit}: %{{y:,}} {what}",
            width=np.diff(edges),
            color=SECOND if column.quantity == "forces" else ACCENT,
        )
        figure.update_xaxes(tickformat=",~g", row=k // 2 + 1, col=k % 2 + 1)
    return _styled(figure, title or f"{len(dataset):,} molecules", 120 + 300 * rows)


def _panel(name: str, column: Column) -> str:
    """A panel's heading: "b3lyp: atomization energy at b3lyp/6-31g"."""
    what = f"{column.kind} energy" if column.quantity == "energy" else column.quantity
    return f"{name}: {what}" + (f" at {column.level}" if column.level not in ("", name) else "")


def _bars(
    figure: go.Figure,
    k: int,
    x: ArrayLike,
    y: ArrayLike,
    across: str,
    up: str,
    hover: str,
    width: ArrayLike | None = None,
    color: str = ACCENT,
) -> None:
    """Bars in panel `k`, counted by row."""
    place = {"row": k // 2 + 1, "col": k % 2 + 1}
    figure.add_trace(
        go.Bar(
            x=x,
            y=y,
            width=width,
            marker={"color": color, "line": {"width": 0}},
            hovertemplate=hover + "<extra></extra>",
        ),
        **place,
    )
    figure.update_xaxes(title_text=across, **place)
    figure.update_yaxes(title_text=up, **place)


def _styled(figure: go.Figure, title: str, height: int, width: int | None = None) -> go.Figure:
    """The figure in the common style."""
    figure.update_layout(
        **{**LAYOUT, "title": {**LAYOUT["title"], "text": title}}, height=height, width=width
    )
    figure.update_xaxes(gridcolor=GRID, zeroline=False, linecolor=FAINT, automargin=True)
    figure.update_yaxes(gridcolor=GRID, zeroline=False, linecolor=FAINT, automargin=True)
    return figure


def save(figure: go.Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure of plotly as one HTML file that needs no network, whole or not at all.

    Parameters
    ----------
    figure
        The figure.
    path
        The file.
    """
    path = writable(path, "a figure", HTML)
    with whole_file(path) as part:
        page = figure.to_html(include_plotlyjs=True, full_html=True, config={"displaylogo": False})
        part.write_text(page, encoding="utf-8")


def canvas(width: float, height: float) -> Figure:
    """Make an empty figure of matplotlib.

    Parameters
    ----------
    width, height
        Inches.

    Returns
    -------
    Figure
        Its panels are arranged without overlaps.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def dressed(axes: Axes, title: str = "", across: str = "", up: str = "") -> Axes:
    """Give a panel of matplotlib the common style.

    Parameters
    ----------
    axes
        The panel, with its curves and scales.
    title
        The title of the panel.
    across, up
        The labels of the axes.

    Returns
    -------
    Axes
        The same panel.
    """
    axes.set_title(title, loc="left", color=INK, fontsize=11)
    axes.set_xlabel(across, color=INK)
    axes.set_ylabel(up, color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
    axes.tick_params(which="both", color=FAINT, labelcolor=INK, labelsize=9)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    return axes


def decades(axis: Axis, values: Sequence[float]) -> None:
    """Write plain numbers on a logarithmic axis of matplotlib.

    They are 1, 2 and 5 of each decade; of many decades, 1 alone.

    Parameters
    ----------
    axis
        The axis.
    values
        The values that are drawn.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    few = max(values) / min(values) < 100
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if few else (1.0,), numticks=20))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
    axis.set_minor_formatter(NullFormatter())


def png(figure: Figure, path: str | os.PathLike[str], dpi: int = 110) -> None:
    """Write a figure of matplotlib as PNG, whole or not at all.

    A large file gets only 256 colours.

    Parameters
    ----------
    figure
        The figure.
    path
        The file.
    dpi
        Pixels of an inch.
    """
    from PIL import Image

    path = writable(path, "a figure", (".png",))
    with whole_file(path) as part:
        figure.savefig(part, dpi=dpi, format="png", facecolor="white")
        with Image.open(part) as drawn:
            flat = drawn.convert("RGB")
        flat.save(part, format="png", optimize=True)
        if part.stat().st_size > HEAVY:
            flat.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
                part, format="png", optimize=True
            )
