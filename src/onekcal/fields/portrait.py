"""One molecule's fields as they are stored, and on a finer grid around it for surfaces."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import zoom

from onekcal.fields.compute import FieldRequest, OrbitalSource, sampled
from onekcal.fields.grid import frames
from onekcal.molecules import Molecules
from onekcal.quantum.orbitals.named import orbitals
from onekcal.quantum.orbitals.orbitals import Orbitals
from onekcal.system.threads import on_one_thread

AROUND = 2.0
"""Å, the room left around the nuclei."""
STEP, MOST = 0.13, 80
"""Å between points of the fine grid, and the most points along an edge."""


@dataclass(frozen=True)
class Portrait:
    """One field of one molecule.

    Parameters
    ----------
    name
        Its name: "lol".
    title
        Words for it: "localized orbital locator".
    placed
        One molecule in the coordinates of the cubes.
    fine
        (f, f, f) values for surfaces.
    edge
        Å, the length of an edge of the fine cube.
    voxels
        (n, n, n) values as they are stored.
    box
        Å, the length of an edge of their cube.
    """

    name: str
    title: str
    placed: Molecules
    fine: np.ndarray
    edge: float
    voxels: np.ndarray
    box: float


@on_one_thread
def portraits(
    molecule: Molecules, what: FieldRequest, source: OrbitalSource | None = None, fine: bool = True
) -> list[Portrait]:
    """Return a portrait for each channel.

    Parameters
    ----------
    molecule
        One molecule.
    what
        The request.
    source
        A function that gives the orbitals of a molecule. None computes them.
    fine
        Whether the finer grid is computed. Without it the stored voxels stand in for it.
    """
    source = source or orbitals
    if what.density:
        orbitals_of = source(molecule, what.density)  # computed once for both grids

        def source(molecule: Molecules, density: str) -> Orbitals:
            return orbitals_of

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
    """Resample voxels in the same cube by a cubic spline.

    Parameters
    ----------
    values
        (k, k, k) voxels.
    n
        Voxels along an edge of the result (n, n, n).
    """
    return zoom(values, n / len(values), order=3, mode="nearest", grid_mode=True)
