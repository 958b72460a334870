"""One molecule's fields as they are stored, and on a finer grid around it for surfaces."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import zoom

from onekcal.fields.compute import FieldRequest, Source, sampled
from onekcal.fields.grid import frames
from onekcal.molecules import Molecules
from onekcal.quantum.orbitals.named import orbitals

AROUND = 2.0
"""Å of room around the nuclei."""
STEP, MOST = 0.13, 80
"""Å between points of the fine grid, and how many an edge it may have."""


@dataclass(frozen=True)
class Portrait:
    """One field of one molecule."""

    name: str  # "lol"
    title: str  # "localized orbital locator"
    placed: Molecules  # one molecule, in the coordinates of the cubes
    fine: np.ndarray  # (f, f, f) for surfaces
    edge: float  # Å of the fine cube
    voxels: np.ndarray  # (n, n, n) as it is stored
    box: float  # Å


def portraits(
    molecule: Molecules, what: FieldRequest, source: Source | None = None, fine: bool = True
) -> list[Portrait]:
    """A portrait for each channel; without `fine`, the stored voxels stand for the fine
    ones, too.
    """
    source = source or orbitals
    if what.density:
        found = source(molecule, what.density)  # once for both grids

        def source(molecule: Molecules, density: str) -> object:  # type: ignore[misc]
            return found

    cubes = frames(molecule, what.box, what.turn)
    placed = cubes.placed(molecule)
    voxels = sampled(molecule, what, source=source, cubes=cubes)[0].numpy()
    edge = 2 * (float(placed.positions.abs().max()) + AROUND)
    smooth = [kind.field != "atom" for kind in what.kinds]
    if fine and any(smooth):
        finer = replace(what, n=min(MOST, round(edge / STEP)), box=edge)
        values = sampled(molecule, finer, source=source, cubes=cubes)[0].numpy()
    out = []
    for c, kind in enumerate(what.kinds):
        here, length = (values[c], edge) if fine and smooth[c] else (voxels[c], what.box)
        out.append(Portrait(kind.name, kind.title, placed, here, length, voxels[c], what.box))
    return out


def resampled(values: np.ndarray, n: int) -> np.ndarray:
    """(n, n, n) voxels in the same cube, by a cubic spline."""
    return zoom(values, n / len(values), order=3, mode="nearest", grid_mode=True)
