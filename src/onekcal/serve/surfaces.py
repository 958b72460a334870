"""Surfaces around a molecule: LOL, ELF, and the electrostatic potential on the electron density.

Electrons are those of GFN2-xTB. LOL and ELF are drawn where they have one value, in the colours of
the nearest atoms. The potential colours the surface on which the density is 0.002 e/Bohr³.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np
import torch

from onekcal.errors import unknown
from onekcal.fields.compute import of_orbitals, request
from onekcal.fields.electrostatic import total_potential
from onekcal.fields.grid import cube
from onekcal.fields.kinds import ELECTRONIC
from onekcal.molecules import Molecules
from onekcal.quantum.orbitals.named import orbitals
from onekcal.quantum.orbitals.orbitals import Orbitals
from onekcal.show.pages.voxels import LEVELS
from onekcal.show.render.isosurface import surface as triangulated
from onekcal.show.render.raycast import NEGATIVE, POSITIVE, shades
from onekcal.system.threads import on_one_thread
from onekcal.units import BOHR, HARTREE

Surface = Literal["lol", "elf", "esp"]
SURFACES: tuple[Surface, ...] = get_args(Surface)
AROUND = 3.2
"""Å, the room left around the nuclei."""
STEP, MOST = 0.14, 72
"""Å between points of the grid, and the most points along an edge."""
DENSITY = 0.002
"""e/Bohr³, the surface that the potential colours."""
FULL = 0.98
"""The share of the surface whose potential is below the one that has the full colour."""


@on_one_thread
def surface(molecule: Molecules, kind: str) -> dict[str, Any]:
    """Compute a surface around a molecule.

    Parameters
    ----------
    molecule
        One molecule (Å).
    kind
        "lol", "elf" or "esp".

    Returns
    -------
    dict
        "kind" and "title"; "level", the value of the field on the surface; "points" and "normals"
        (V, 3) in the molecule's coordinates (Å), "triangles" (T, 3) and "colors" (V, 3) from 0 to
        255. Of the potential, "limit" is where the colours end and "lowest" and "highest" are its
        ends (kcal/mol per unit charge).
    """
    if kind not in SURFACES:
        unknown("surface", kind, SURFACES)
    electrons = orbitals(molecule, "gfn2")
    middle = (molecule.positions.amax(0) + molecule.positions.amin(0)) / 2
    placed = replace(molecule, positions=molecule.positions - middle)
    edge = 2 * (float(placed.positions.abs().max()) + AROUND)
    n = min(MOST, round(edge / STEP))
    field = "rho" if kind == "esp" else kind
    kinds = request([field]).kinds
    points = (cube(n, edge) + middle) / BOHR
    values = of_orbitals(electrons, points, kinds).reshape(n, n, n).numpy()
    level = DENSITY if kind == "esp" else LEVELS[kind][0]
    vertices, normals, triangles = triangulated(values, edge, level)
    told: dict[str, Any] = {"kind": kind, "title": ELECTRONIC[kind], "level": level}
    if kind == "esp":
        colors, more = _potential(electrons, vertices + middle.numpy())
        told |= more
    else:
        colors = shades(vertices, placed)
    return told | {
        "points": np.round(vertices + middle.numpy(), 3).tolist(),
        "normals": np.round(normals, 2).tolist(),
        "triangles": triangles.tolist(),
        "colors": np.round(255 * colors).astype(int).tolist(),
    }


def _potential(electrons: Orbitals, vertices: np.ndarray) -> tuple[np.ndarray, dict[str, float]]:
    """Colours of the potential at points: red below, white at, blue above zero."""
    values = total_potential(electrons, torch.as_tensor(vertices) / BOHR).numpy() * HARTREE
    limit = float(np.quantile(np.abs(values), FULL)) if len(values) else 1.0
    share = np.clip(values / limit, -1.0, 1.0)[:, None]
    ends = np.where(share < 0, NEGATIVE, POSITIVE)
    colors = 1.0 + (ends - 1.0) * np.abs(share)
    lowest, highest = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
    return colors, {"limit": limit, "lowest": lowest, "highest": highest}
