"""Molecules in three dimensions with the forces on their atoms, one or many: frames of a trajectory play as an animation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
import torch
from ase.data import covalent_radii
from ase.data.colors import jmol_colors

from onekcal.data.dataset import Dataset
from onekcal.errors import InputError, unknown
from onekcal.molecules import SYMBOLS, Molecules
from onekcal.show.plots import FAINT, INK, LAYOUT, SECOND

STRETCH = 1.25
"""Atoms nearer than so many times the sum of their covalent radii are drawn as bonded."""
LONGEST = 1.5
"""Å: how long the arrow of the largest force is drawn."""
HEAD = 0.25
"""Share of an arrow that is its head."""
FRAMES = 100
"""Frames drawn where nothing else is said."""
CAMERA = {"eye": {"x": 0.95, "y": 0.95, "z": 0.6}}
PAUSE = 80
"""Milliseconds between frames."""


def frames_of(dataset: Dataset, count: int = FRAMES) -> list[int]:
    """At most `count` rows, evenly spaced, in the order they are stored."""
    if count < 1:
        raise InputError(f"`frames` must be at least 1, got {count}")
    return np.linspace(0, len(dataset) - 1, min(count, len(dataset))).round().astype(int).tolist()


def with_energy(dataset: Dataset, energy: str | None = None) -> Dataset:
    """Aimed at the energy column `energy`, else at the first that has forces, else at the first there is."""
    energies = [name for name, column in dataset.columns.items() if column.quantity == "energy"]
    if energy is not None and energy not in energies:
        unknown("energy column", energy, energies)
    if energy is None:
        energy = next((name for name in energies if f"{name}_forces" in dataset.columns), energies[0] if energies else None)
    return Dataset(dataset.molecules, dataset.columns, energy)


def scene(dataset: Dataset, rows: Sequence[int], title: str = "") -> go.Figure:
    """The molecules `rows`: atoms, bonds, forces on atoms (kcal/mol/Å) where the target has any; many of them play."""
    rows = list(rows)
    if not rows:
        raise InputError("nothing to show: no molecule was chosen")
    some = dataset[rows]
    largest = _largest_force(some)
    drawn = [_molecule(some, k, largest) for k in range(len(rows))]
    heads = [_headed(some, k, row, title) for k, row in enumerate(rows)]
    steps = [go.Frame(data=traces, name=str(row), layout={"title": {"text": head}})
             for traces, row, head in zip(drawn, rows, heads)]
    figure = go.Figure(drawn[0], frames=steps if len(rows) > 1 else None)
    axis = {"showbackground": False, "gridcolor": FAINT, "zeroline": False, "title": {"font": {"size": 12}}}
    ends = _ends(some, LONGEST if largest else 0.0)
    axes = {f"{name}axis": {**axis, "range": end, "title": {"text": f"{name} (Å)"}} for name, end in zip("xyz", ends)}
    figure.update_layout(**{**LAYOUT, "title": {**LAYOUT["title"], "text": heads[0]}, "showlegend": largest > 0},
                         scene={**axes, "aspectmode": "data", "camera": CAMERA}, height=720, legend={"x": 0.01, "y": 0.02})
    return _playable(figure, rows) if len(rows) > 1 else figure


def _largest_force(some: Dataset) -> float:
    """kcal/mol/Å over all frames, so that arrows of different frames compare; 0 where there are no forces."""
    pull = None if some.target is None else some.forces
    if pull is None:
        return 0.0
    sizes = pull.norm(dim=1)
    return float(sizes[torch.isfinite(sizes)].max()) if torch.isfinite(sizes).any() else 0.0


def _headed(some: Dataset, k: int, row: int, title: str) -> str:
    """ "ethanol · molecule 12, C2H6O · pbe −97076.13 kcal/mol"."""
    parts = [title] if title else []
    parts.append(f"molecule {row}, {some.molecules.formulas[k]}")
    if some.target is not None:
        parts.append(f"{some.target} {float(some.energies[k]):.2f} kcal/mol".replace("-", "−"))
    return " · ".join(parts)


def _molecule(some: Dataset, k: int, largest: float) -> list[Any]:
    """The traces of one molecule, as many and in the same order for all."""
    molecule = some.molecules[k]
    traces = bonds_and_atoms(molecule)
    if largest:
        pull = some[k].forces
        assert pull is not None
        traces += _arrows(molecule.positions.numpy(), np.nan_to_num(pull.numpy()), largest)
    return traces


def bonds_and_atoms(molecule: Molecules, size: float = 1.0) -> list[Any]:
    """Two traces: lines and markers, the latter `size` times as large as they usually are."""
    numbers, r = molecule.numbers.numpy(), molecule.positions.numpy()
    radii = covalent_radii[numbers]
    apart = np.linalg.norm(r[:, None] - r, axis=-1)
    i, j = np.nonzero(np.triu(apart < STRETCH * (radii[:, None] + radii), 1))
    colors = ["rgb({:.0f},{:.0f},{:.0f})".format(*(255 * jmol_colors[z])) for z in numbers]
    labels = [f"{SYMBOLS[z]} {place}" for place, z in enumerate(numbers, 1)]
    return [
        _lines(r[i], r[j], "#8a97a1", 6, "bonds"),
        go.Scatter3d(x=r[:, 0], y=r[:, 1], z=r[:, 2], mode="markers", text=labels, name="atoms", showlegend=False,
                     marker={"size": size * (12 + 16 * radii), "color": colors, "line": {"color": INK, "width": 1},
                             "opacity": 1.0},
                     hovertemplate="%{text}<br>%{x:.3f}, %{y:.3f}, %{z:.3f} Å<extra></extra>"),
    ]


def _lines(starts: np.ndarray, ends: np.ndarray, color: str, width: int, name: str, shown: bool = False) -> Any:
    """Segments as one trace: a gap after each."""
    gaps = np.full_like(starts, np.nan)
    x, y, z = np.stack([starts, ends, gaps], 1).reshape(-1, 3).T if len(starts) else np.full((3, 1), np.nan)
    return go.Scatter3d(x=x, y=y, z=z, mode="lines", line={"color": color, "width": width}, hoverinfo="skip", name=name,
                        showlegend=shown)


def _arrows(r: np.ndarray, pull: np.ndarray, largest: float) -> list[Any]:
    """Shafts, and heads as open V-shapes of four strokes: cones would be scaled anew in every frame."""
    arrows = LONGEST / largest * pull
    ends = r + arrows
    length = np.linalg.norm(arrows, axis=1, keepdims=True)
    along = arrows / np.maximum(length, 1e-12)
    helper = np.where(np.abs(along[:, :1]) < 0.9, np.array([[1.0, 0.0, 0.0]]), np.array([[0.0, 1.0, 0.0]]))
    one = np.cross(along, helper)
    one /= np.maximum(np.linalg.norm(one, axis=1, keepdims=True), 1e-12)
    two = np.cross(along, one)
    back = ends - HEAD * arrows
    feet = [back + 0.4 * HEAD * length * side for side in (one, -one, two, -two)]
    starts, tips = np.concatenate([r, *feet]), np.concatenate([ends] * 5)
    sizes = np.linalg.norm(pull, axis=1)
    tip = go.Scatter3d(x=ends[:, 0], y=ends[:, 1], z=ends[:, 2], mode="markers", marker={"size": 3, "color": SECOND},
                       customdata=sizes, showlegend=False, name="",
                       hovertemplate="%{customdata:.2f} kcal/mol/Å<extra></extra>")
    name = f"forces; the longest arrow of all frames is {largest:.3g} kcal/mol/Å"
    return [_lines(starts, tips, SECOND, 5, name, shown=True), tip]


def _ends(some: Dataset, room: float) -> list[list[float]]:
    """One box for all frames."""
    low, high = some.molecules.positions.min(0).values - room - 0.5, some.molecules.positions.max(0).values + room + 0.5
    return [[float(a), float(b)] for a, b in zip(low, high)]


def _playable(figure: go.Figure, rows: Sequence[int]) -> go.Figure:
    """A button to play and to stop, and a slider through the frames."""
    still = {"mode": "immediate", "frame": {"duration": 0, "redraw": True}, "transition": {"duration": 0}}
    moving = {**still, "frame": {"duration": PAUSE, "redraw": True}, "fromcurrent": True}
    buttons = [{"label": "Play", "method": "animate", "args": [None, moving]},
               {"label": "Pause", "method": "animate", "args": [[None], still]}]
    menu = {"type": "buttons", "direction": "left", "buttons": buttons, "x": 0.01, "y": -0.02, "xanchor": "left",
            "yanchor": "top", "showactive": False}
    steps = [{"label": str(row), "method": "animate", "args": [[str(row)], still]} for row in rows]
    slider = {"steps": steps, "x": 0.16, "len": 0.82, "y": -0.01, "currentvalue": {"visible": False}}
    return figure.update_layout(updatemenus=[menu], sliders=[slider])
