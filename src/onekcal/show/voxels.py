"""Fields to look at: surfaces of equal value beside the voxels that are stored (PNG), or to turn with the mouse (HTML)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import map_coordinates

from onekcal.errors import InputError
from onekcal.features.fields.portrait import Portrait, resampled
from onekcal.show import embed
from onekcal.show.isosurface import isosurface
from onekcal.show.raycast import NEGATIVE, POSITIVE, colors_of, picture, shades, view

LEVELS: dict[str, tuple[float, ...]] = {
    "lol": (0.6,), "elf": (0.85,), "rho": (0.12,), "tau": (0.1,), "esp": (0.04, -0.04), "atom": (0.5,), "gauss": (0.4,),
    "wave": (0.4,),
}
"""Where surfaces are drawn when nothing is said: lone pairs and bonds apart from each other."""
HIGHEST_SHARE = 0.03
"""Of a field that is not in `LEVELS` (nep), the share of the cube that its surface encloses."""
EYE = view(-72, 68)
"""From above the plane of the heavy atoms, a little from the side."""
TURNED = 64
"""Points along an edge of what can be turned."""
ZOOM = 2.1
"""Of the page, beyond the distance from which a molecule and much around it are seen."""
PIXELS = 960
DPI = 150


def levels_of(portrait: Portrait) -> tuple[float, ...]:
    """Where surfaces are drawn when nothing is said."""
    known = LEVELS.get(portrait.name.partition(":")[0].partition("-")[0])
    return known or (float(np.quantile(portrait.fine, 1 - HIGHEST_SHARE)),)


def blocky(portrait: Portrait) -> bool:
    """Is it a field of voxels, with nothing between them?"""
    return portrait.name.startswith("atom:")


def png(portraits: Sequence[Portrait], path: Path, title: str, levels: Sequence[float] | None = None) -> None:
    """A row for each field: its surface, and the layer of stored voxels that lies in the molecule's plane."""
    import matplotlib.pyplot as plt

    _check(path, (".png",))
    figure, axes = plt.subplots(len(portraits), 2, figsize=(11, 5.2 * len(portraits)), squeeze=False, width_ratios=[1.25, 1])
    figure.set_layout_engine("constrained", h_pad=0.15)
    part = path.with_name(path.name + ".part")
    try:
        for (left, right), portrait in zip(axes, portraits):
            drawn = tuple(levels or levels_of(portrait))
            smooth = portrait.fine if blocky(portrait) else resampled(portrait.fine, 2 * len(portrait.fine))
            seen = picture(portrait.placed, smooth, portrait.edge, drawn, EYE, PIXELS)
            left.imshow(seen, interpolation="antialiased")
            left.set_axis_off()
            left.set_title(f"{portrait.title}\nsurface at {', '.join(f'{level:.3g}' for level in drawn)}", fontsize=11)
            _layer(figure, right, portrait)
        figure.suptitle(title, fontsize=13, x=0.01, ha="left")
        figure.savefig(part, dpi=DPI, format="png", bbox_inches="tight")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
        plt.close(figure)


def _layer(figure: Any, axis: Any, portrait: Portrait) -> None:
    """The stored voxels nearest to z = 0, seen from above, and the atoms as circles."""
    n, half = len(portrait.voxels), portrait.box / 2
    k = n // 2
    shown = portrait.voxels[:, :, k].T
    signed = shown.min() < 0 and portrait.name.startswith(("esp", "wave"))
    limit = float(np.quantile(np.abs(shown), 0.98)) or 1.0
    ends = {"vmin": -limit, "vmax": limit, "cmap": "RdBu"} if signed else {"vmin": 0, "vmax": max(shown.max(), 1e-9),
                                                                         "cmap": "viridis"}
    image = axis.imshow(shown, origin="lower", extent=(-half, half, -half, half), **ends)
    z = (k + 0.5) * portrait.box / n - half
    r, numbers = portrait.placed.positions.numpy(), portrait.placed.numbers.numpy()
    inside = (np.abs(r[:, :2]) < half).all(1)
    axis.scatter(r[inside, 0], r[inside, 1], s=34, c=colors_of(numbers)[inside], edgecolors="white", linewidths=1.2)
    axis.set(xlabel="x (Å)", ylabel="y (Å)")
    axis.set_title(f"{n}³ voxels of {portrait.box / n:.2f} Å\nlayer z = {z:+.2f} Å, atoms above and below too", fontsize=11)
    figure.colorbar(image, ax=axis, shrink=0.85)


def html(portraits: Sequence[Portrait], path: Path, title: str, levels: Sequence[float] | None = None) -> None:
    """Surfaces that can be turned, one field at a time: one file with everything inside, needs no network."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup
    from scipy.spatial.transform import Rotation

    _check(path, (".html", ".htm"))
    data = {"molecules": embed.molecules(portraits[0].placed), "elements": embed.elements(),
            "zoom": ZOOM, "quaternion": Rotation.from_matrix(EYE).as_quat().tolist(),
            "fields": [{"surfaces": _surfaces(one, tuple(levels or levels_of(one)))} for one in portraits]}
    page = Environment(autoescape=True, undefined=StrictUndefined).from_string(embed.part("field.html"))
    text = page.render(title=title, fields=[one.title for one in portraits], data=Markup(embed.as_json(data)),
                       part=lambda name: Markup(embed.part(name)))
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _surfaces(portrait: Portrait, levels: tuple[float, ...]) -> list[dict[str, Any]]:
    """Triangles, normals and colours of each level, coloured like the picture."""
    values = portrait.fine if blocky(portrait) else resampled(portrait.fine, TURNED)
    slopes = np.gradient(values)
    middle = portrait.placed.positions.numpy().mean(0)  # about which the page has its molecules
    found = []
    for level in levels:
        vertices, triangles = isosurface(values, level)
        normals = np.stack([map_coordinates(slope, vertices.T, order=1) for slope in slopes], 1) * (-1 if level >= 0 else 1)
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
        points = (vertices + 0.5) * (portrait.edge / len(values)) - portrait.edge / 2
        one = POSITIVE if level > 0 else NEGATIVE
        tint = shades(points, portrait.placed) if len(levels) == 1 else np.broadcast_to(one, points.shape)
        found.append({"level": level, "points": embed.halved(points - middle), "normals": embed.halved(normals),
                      "triangles": embed.floats(triangles), "colors": embed.halved(tint)})
    return found


def _check(path: Path, endings: tuple[str, ...]) -> None:
    if path.suffix.lower() not in endings:
        raise InputError(f"expected a file that ends in {' or '.join(endings)}, got {path.name!r}")
    if not path.parent.is_dir():
        raise InputError(f"no folder {path.parent} to write {path.name} in")
