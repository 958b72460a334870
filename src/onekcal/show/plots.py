"""Plotly figures in one style, and the one way they are saved: a single HTML file that needs no network."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from onekcal.data.dataset import Dataset
from onekcal.molecules import SYMBOLS

INK, ACCENT, SECOND, GRID = "#1b2733", "#0b6e99", "#c4622d", "#e3e9ed"
LAYOUT = {
    "font": {"family": "system-ui, sans-serif", "size": 14, "color": INK},
    "paper_bgcolor": "white", "plot_bgcolor": "white", "bargap": 0.04, "showlegend": False,
    "margin": {"l": 70, "r": 30, "t": 80, "b": 60},
}
MOST = 200_000
"""Values of one histogram; of more, an even sample is drawn, and said."""


def distributions(dataset: Dataset, title: str = "") -> go.Figure:
    """Energies, sizes, elements and force components, a panel each."""
    columns = [(name, c) for name, c in dataset.columns.items() if c.quantity in ("energy", "forces")]
    columns = columns or list(dataset.columns.items())
    names = [f"{name}: {c.quantity if c.quantity != 'energy' else c.kind}, {c.level}" for name, c in columns]
    titles = ["atoms in a molecule", "elements", *names]
    rows = -(-len(titles) // 2)
    figure = make_subplots(rows=rows, cols=2, subplot_titles=titles, vertical_spacing=min(0.16, 0.5 / rows))
    sizes, counts = np.unique(dataset.molecules.sizes.numpy(), return_counts=True)
    figure.add_trace(go.Bar(x=sizes, y=counts, marker_color=ACCENT, name="molecules"), 1, 1)
    charges, atoms = np.unique(dataset.molecules.numbers.numpy(), return_counts=True)
    figure.add_trace(go.Bar(x=[SYMBOLS[z] for z in charges], y=atoms, marker_color=ACCENT, name="atoms"), 1, 2)
    figure.update_xaxes(title_text="atoms", row=1, col=1)
    figure.update_yaxes(title_text="molecules", row=1, col=1)
    figure.update_yaxes(title_text="atoms", row=1, col=2)
    for k, (_, column) in enumerate(columns, 2):
        values = column.values.flatten().numpy()
        values = values[:: max(1, len(values) // MOST)]
        heights, edges = np.histogram(values[np.isfinite(values)], bins=80)
        middle, width = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
        color = SECOND if column.quantity == "forces" else ACCENT
        place = {"row": k // 2 + 1, "col": k % 2 + 1}
        figure.add_trace(go.Bar(x=middle, y=heights, width=width, marker_color=color), **place)
        figure.update_xaxes(title_text=column.unit + (" (components)" if column.quantity == "forces" else ""), **place)
    figure.update_layout(**LAYOUT, height=340 * rows, title=title or f"{len(dataset):,} molecules")
    figure.update_xaxes(gridcolor=GRID, zeroline=False)
    figure.update_yaxes(gridcolor=GRID, zeroline=False)
    return figure


def save(figure: go.Figure, path: Path) -> None:
    """One HTML file with everything inside; never half of it."""
    part = path.with_name(path.name + ".part")
    part.write_text(figure.to_html(include_plotlyjs=True, full_html=True), encoding="utf-8")
    os.replace(part, path)
