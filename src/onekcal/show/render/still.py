"""Pictures of molecules without a browser: balls and sticks, and forces as arrows."""

from __future__ import annotations

import numpy as np

from onekcal.molecules import Molecules
from onekcal.show.render.raycast import Opaque

LONGEST = 1.6
"""Length of the arrow of the largest force, Å."""
SHAFT, HEAD = 0.05, 0.11
"""Radii of an arrow, Å."""
BALL = 0.11
"""Å by which atoms are larger here than beside a field."""
ROOM = 0.7
"""Å around the outermost atoms."""
FORCE_COLOR = np.array([0.13, 0.40, 0.67])


def pictures(some: Molecules, width: int, forces: np.ndarray | None = None) -> list[np.ndarray]:
    """Draw molecules, seen from one side and in one frame.

    Parameters
    ----------
    some
        The molecules.
    width
        Pixels.
    forces
        (A, 3) kcal/mol/Å, drawn as arrows of one scale for all; None: no arrows.

    Returns
    -------
    list of ndarray
        (height, width, 3) colours between 0 and 1, for each molecule.
    """
    centred = [one.positions.numpy() - one.positions.numpy().mean(0) for one in some]
    axes = _broadside(centred[0])
    arrows = _arrows(some, forces)
    seen = np.concatenate(
        [
            *(r @ axes.T for r in centred),
            *((r + arrow) @ axes.T for r, arrow in zip(centred, arrows) if len(arrow)),
        ]
    )
    low, high = seen.min(0) - ROOM, seen.max(0) + ROOM
    pixel = (high[0] - low[0]) / width
    x = low[0] + pixel * (np.arange(width) + 0.5)
    y = high[1] - pixel * (np.arange(round((high[1] - low[1]) / pixel)) + 0.5)
    out = []
    for one, r, arrow in zip(some, centred, arrows):
        drawn = Opaque(x, y, pixel, axes)
        drawn.molecule(one.moved(one.positions - one.positions.mean(0)), BALL)
        for start, along in zip(r, arrow):
            _draw_arrow(drawn, start, along, pixel)
        out.append(np.clip(drawn.color, 0, 1))
    return out


def _broadside(r: np.ndarray) -> np.ndarray:
    """(3, 3) rows right, up, towards the eye: principal axes, the longest one to the right."""
    axes = np.linalg.svd(np.concatenate([r, 1e-6 * np.eye(3)]), full_matrices=False)[2]
    axes[2] = np.cross(axes[0], axes[1])
    return axes


def _arrows(some: Molecules, forces: np.ndarray | None) -> list[np.ndarray]:
    """The arrows (n, 3) of each molecule, Å; empty where there are no forces."""
    if forces is None or not np.abs(forces).max(initial=0.0):
        return [np.zeros((0, 3)) for _ in some]
    scaled = LONGEST / np.linalg.norm(forces, axis=1).max() * forces
    return np.split(scaled, some.offsets[1:-1].tolist())


def _draw_arrow(drawn: Opaque, start: np.ndarray, along: np.ndarray, pixel: float) -> None:
    """A shaft of small balls and a head that tapers."""
    length = float(np.linalg.norm(along))
    if length < 0.3:  # hidden in its atom
        return
    head = min(0.35, 0.45 * length) / length  # share of the arrow
    for share in np.linspace(0, 1, max(3, int(length / (0.5 * pixel)))):
        radius = SHAFT if share < 1 - head else max(HEAD * (1 - share) / head, 0.6 * pixel)
        drawn.sphere(start + share * along, radius, FORCE_COLOR)
