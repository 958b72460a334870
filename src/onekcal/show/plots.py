"""Plots in one style: plotly's to look into, a single HTML file that needs no network, and
matplotlib's for pages (PNG).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from onekcal.data.dataset import Column, Dataset
from onekcal.errors import InputError
from onekcal.molecules import SYMBOLS
from onekcal.show.endings import HTML, writable
from onekcal.system.files import whole_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

INK, ACCENT, SECOND, GRID, FAINT = "#1b2733", "#0b6e99", "#c4622d", "#e3e9ed", "#c9d3da"
CURVES = (ACCENT, SECOND, "#5b8c3a", "#7a5aa6", "#b08a1e", "#4f5d68")
"""One colour a curve, told apart also without colour vision by the marker beside it."""
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
MANY = 5_000
"""Points beyond which a scatter is drawn by the graphics card."""
HEAVY = 100_000
"""Bytes beyond which a PNG is given fewer colours."""


def distributions(dataset: Dataset, title: str = "") -> go.Figure:
    """Sizes, elements, energies and force components of all molecules, a panel each."""
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
    x: Any,
    y: Any,
    across: str,
    up: str,
    hover: str,
    width: Any = None,
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


def parity(
    reference: np.ndarray,
    predicted: np.ndarray,
    unit: str = "kcal/mol",
    names: Sequence[str] = (),
    title: str = "",
) -> go.Figure:
    """Predicted against reference energies (M,); the error of a point shows where the
    mouse rests.
    """
    reference, predicted = _alike(reference, predicted)
    error = predicted - reference
    ends = [
        float(min(reference.min(), predicted.min())),
        float(max(reference.max(), predicted.max())),
    ]
    room = 0.03 * (ends[1] - ends[0]) or 1.0
    ends = [ends[0] - room, ends[1] + room]
    dots = go.Scattergl if len(error) > MANY else go.Scatter
    label = "<b>%{text}</b><br>" if len(names) else ""
    figure = go.Figure(
        [
            go.Scatter(
                x=ends, y=ends, mode="lines", line={"color": FAINT, "width": 2}, hoverinfo="skip"
            ),
            dots(
                x=reference,
                y=predicted,
                mode="markers",
                customdata=error,
                text=list(names) or None,
                marker={"color": ACCENT, "size": 6, "opacity": 0.6},
                hovertemplate=label
                + f"reference %{{x:.2f}}<br>predicted %{{y:.2f}}<br>error %{{customdata:+.2f}} "
                f"{unit}<extra></extra>",
            ),
        ]
    )
    figure.update_xaxes(title_text=f"reference ({unit})", range=ends, constrain="domain")
    figure.update_yaxes(
        title_text=f"predicted ({unit})", range=ends, scaleanchor="x", constrain="domain"
    )
    return _styled(
        figure,
        _headed(title, f"MAE {np.abs(error).mean():.3g} {unit}, {len(error):,} molecules"),
        620,
        680,
    )


def error_histogram(errors: np.ndarray, unit: str = "kcal/mol", title: str = "") -> go.Figure:
    """Predicted − reference (M,). The band is ± 1 kcal/mol; the outer 1 % is gathered in the
    outermost bars, and said.
    """
    errors, _ = _alike(errors, errors)
    reach = max(float(np.quantile(np.abs(errors), 0.99)), 1e-9)
    outside = int((np.abs(errors) > reach).sum())
    heights, edges = np.histogram(np.clip(errors, -reach, reach), bins=61, range=(-reach, reach))
    figure = go.Figure(
        go.Bar(
            x=(edges[1:] + edges[:-1]) / 2,
            y=heights,
            width=np.diff(edges),
            marker={"color": ACCENT},
            hovertemplate=f"%{{x:+.3g}} {unit}: %{{y:,}} molecules<extra></extra>",
        )
    )
    if unit == "kcal/mol" and reach > 1:
        for end in (-1, 1):
            figure.add_vline(end, line={"color": SECOND, "width": 1.5, "dash": "dot"})
        figure.add_annotation(
            x=0,
            y=1,
            yref="paper",
            yanchor="bottom",
            text="± 1 kcal/mol",
            showarrow=False,
            font={"color": SECOND, "size": 13},
        )
    figure.update_xaxes(
        title_text=f"predicted − reference ({unit})", range=[-1.02 * reach, 1.02 * reach]
    )
    figure.update_yaxes(title_text="molecules")
    spread = (
        f"median |error| {np.median(np.abs(errors)):.3g} {unit}, "
        f"mean error {errors.mean():+.3g} {unit}"
    )
    return _styled(
        figure,
        _headed(title, spread + (f"; {outside:,} beyond the edges" if outside else "")),
        460,
        780,
    )


def learning_curve(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    unit: str = "kcal/mol",
    title: str = "Learning curves",
) -> go.Figure:
    """Mean absolute error against the number of training molecules, both logarithmic; a curve is
    (numbers, errors).
    """
    if not curves:
        raise InputError("a learning curve needs at least one curve, got none")
    figure = go.Figure()
    for k, (name, (counts, errors)) in enumerate(curves.items()):
        _alike(counts, errors)
        style = {"color": CURVES[k % len(CURVES)]}
        figure.add_trace(
            go.Scatter(
                x=list(counts),
                y=list(errors),
                name=name,
                mode="lines+markers",
                line={**style, "width": 2},
                marker={**style, "size": 8, "symbol": MARKERS[k % len(MARKERS)]},
                hovertemplate=f"<b>{name}</b><br>%{{x:,}} molecules: %{{y:.3g}} "
                f"{unit}<extra></extra>",
            )
        )
    _logarithmic(
        figure.update_xaxes,
        "training molecules",
        [n for counts, _ in curves.values() for n in counts],
    )
    errors = [error for _, errors in curves.values() for error in errors]
    _logarithmic(figure.update_yaxes, f"mean absolute error ({unit})", errors)
    if unit == "kcal/mol" and min(errors) / 1.2 < 1 < 1.2 * max(errors):
        figure.add_hline(1.0, line={"color": SECOND, "width": 1.5, "dash": "dot"})
        figure.add_annotation(
            x=0.01,
            xref="paper",
            y=0.0,
            yanchor="bottom",
            text="1 kcal/mol",
            showarrow=False,
            font={"color": SECOND, "size": 13},
        )  # a logarithmic axis wants log10(1)
    _styled(figure, title, 520, 780)
    return figure.update_layout(
        showlegend=len(curves) > 1, legend={"x": 0.99, "y": 0.99, "xanchor": "right"}
    )


def _logarithmic(axis: Any, title: str, values: Sequence[float]) -> None:
    """An axis labelled at 1, 2, 5 of each decade where it spans fewer than two, at the decades
    beyond, evenly within one.
    """
    low, high = float(min(values)), float(max(values))
    if low <= 0:
        raise InputError(f"a value on a logarithmic axis must be positive, got {low}")
    if high / low < 4:  # within a decade, even steps of 1, 2 or 5
        rough = (high - low or low) / 5
        step = next(
            nice for nice in (1, 2, 5, 10) if nice * 10 ** np.floor(np.log10(rough)) >= rough
        ) * 10 ** np.floor(np.log10(rough))
        ticks = [
            float(k * step)
            for k in range(max(1, int(0.8 * low / step)), int(1.2 * high / step) + 2)
        ]
    else:
        decades = range(int(np.floor(np.log10(low))) - 1, int(np.ceil(np.log10(high))) + 2)
        ticks = [
            step * 10.0**decade
            for decade in decades
            for step in ((1,) if high / low >= 100 else (1, 2, 5))
        ]
    room = 0.06 * np.log10(high / low) or 0.3
    axis(
        type="log",
        title_text=title,
        tickvals=ticks,
        ticktext=[f"{tick:,.6g}" for tick in ticks],
        range=[np.log10(low) - room, np.log10(high) + room],
    )


def _headed(title: str, summary: str) -> str:
    """A title with the figure's numbers in small under it."""
    return f"{title}<br><span style='font-size:14px'>{summary}</span>" if title else summary


def _alike(first: Any, second: Any) -> tuple[np.ndarray, np.ndarray]:
    """Two arrays of one length with nothing missing."""
    one, two = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if one.ndim != 1 or one.shape != two.shape or not len(one):
        raise InputError(f"expected two arrays (M,) with M ≥ 1, got {one.shape} and {two.shape}")
    if not (np.isfinite(one).all() and np.isfinite(two).all()):
        raise InputError("a value to draw is not a finite number; drop what is missing first")
    return one, two


def _styled(figure: go.Figure, title: str, height: int, width: int | None = None) -> go.Figure:
    figure.update_layout(
        **{**LAYOUT, "title": {**LAYOUT["title"], "text": title}}, height=height, width=width
    )
    figure.update_xaxes(gridcolor=GRID, zeroline=False, linecolor=FAINT, automargin=True)
    figure.update_yaxes(gridcolor=GRID, zeroline=False, linecolor=FAINT, automargin=True)
    return figure


def save(figure: go.Figure, path: str | os.PathLike[str]) -> None:
    """One HTML file with everything inside; never half of it."""
    path = writable(path, "a figure", HTML)
    with whole_file(path) as part:
        page = figure.to_html(include_plotlyjs=True, full_html=True, config={"displaylogo": False})
        part.write_text(page, encoding="utf-8")


def canvas(width: float, height: float) -> Figure:
    """An empty matplotlib figure of so many inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def dressed(axes: Axes, title: str = "", across: str = "", up: str = "") -> Axes:
    """The same style for a matplotlib panel; give it its curves and scales first."""
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
    """Plain numbers on a logarithmic matplotlib axis: 1, 2, 5 of each decade, the decades alone
    where there are many.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    few = max(values) / min(values) < 100
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if few else (1.0,), numticks=20))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
    axis.set_minor_formatter(NullFormatter())


def png(figure: Figure, path: str | os.PathLike[str], dpi: int = 110) -> None:
    """A matplotlib figure, in 256 colours where it would be large otherwise; never half of it."""
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
