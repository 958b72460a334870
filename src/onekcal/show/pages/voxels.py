"""Pictures and pages of fields: surfaces of equal value beside the voxels that are stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from onekcal.fields.portrait import Portrait, resampled
from onekcal.show.endings import HTML, writable
from onekcal.show.pages import embed, packed
from onekcal.show.render.isosurface import surface
from onekcal.show.render.raycast import NEGATIVE, POSITIVE, colors_of, picture, shades, view
from onekcal.system.files import whole_file

LEVELS: dict[str, tuple[float, ...]] = {
    "lol": (0.6,),
    "elf": (0.85,),
    "rho": (0.12,),
    "tau": (0.1,),
    "esp": (0.04, -0.04),
    "atom": (0.5,),
    "gauss": (0.4,),
    "wave": (0.4,),
}
"""Values of surfaces by kind of field, at which lone pairs and bonds are apart from each other."""
REACHED, LOWERED = 1.05, 0.75
"""If a field does not exceed such a value by this factor, this share of its maximum is taken."""
HIGHEST_SHARE = 0.03
"""The share of the cube inside the surface of a field that is not in `LEVELS` (nep)."""
EYE = view(-72, 68)
"""From above the plane of the heavy atoms, a little from the side."""
TURNED = 64
"""Points along an edge of the field on the page."""
ZOOM = 1.6
"""Factor by which the page begins closer than the whole cube."""
Drawn = Any
"""A figure, a panel or an image of matplotlib."""
PIXELS, GIF_PIXELS = 960, 420
DPI, GIF_DPI = 150, 80
PAUSE = 250
"""Milliseconds between the layers of a GIF."""
PLAIN, SIGNED = "viridis", "RdBu"
"""matplotlib's names of the colours of layers."""


def levels_of(portrait: Portrait) -> tuple[float, ...]:
    """Choose the values of the surfaces of a field.

    Parameters
    ----------
    portrait
        The field.

    Returns
    -------
    tuple of float
        Values in the unit of the field.
    """
    known = LEVELS.get(portrait.name.partition(":")[0].partition("-")[0])
    if known is not None:  # coarse voxels miss what is highest
        share = LOWERED * float(portrait.fine.max()) / max(known)
        return (
            known
            if share > REACHED * LOWERED or blocky(portrait)
            else tuple(share * level for level in known)
        )
    level = float(np.quantile(np.abs(portrait.fine), 1 - HIGHEST_SHARE))
    return (level, -level) if _scale(portrait)[1] else (level,)


def blocky(portrait: Portrait) -> bool:
    """Tell whether a field has no values between its voxels.

    Parameters
    ----------
    portrait
        The field.

    Returns
    -------
    bool
        True for atoms in voxels.
    """
    return portrait.name.startswith("atom:")


def save(
    portraits: Sequence[Portrait], path: Path, title: str, levels: Sequence[float] | None = None
) -> None:
    """Write fields, whole or not at all: .html to turn, .png of one layer, .gif of all layers.

    Parameters
    ----------
    portraits
        One for each field.
    path
        The file.
    title
        The title.
    levels
        Values of the surfaces; None: those of `levels_of`.
    """
    writable(path, "a field", (*HTML, ".png", ".gif"))
    kind = path.suffix.lower()
    (png if kind == ".png" else gif if kind == ".gif" else html)(portraits, path, title, levels)


def png(
    portraits: Sequence[Portrait], path: Path, title: str, levels: Sequence[float] | None = None
) -> None:
    """Draw a row for each field: its surface, and the stored layer in the molecule's plane.

    Parameters
    ----------
    portraits
        One for each field.
    path
        The file.
    title
        The title.
    levels
        Values of the surfaces; None: those of `levels_of`.
    """
    writable(path, "a picture of a field", (".png",))
    with _figure(portraits, title, levels, PIXELS) as (figure, _), whole_file(path) as part:
        figure.savefig(part, dpi=DPI, format="png", bbox_inches="tight")


def gif(
    portraits: Sequence[Portrait], path: Path, title: str, levels: Sequence[float] | None = None
) -> None:
    """Draw the same, going through all layers from below; several grids go in step.

    Parameters
    ----------
    portraits
        One for each field.
    path
        The file.
    title
        The title.
    levels
        Values of the surfaces; None: those of `levels_of`.
    """
    from PIL import Image

    writable(path, "a picture of a field", (".gif",))
    frames = []
    with _figure(portraits, title, levels, GIF_PIXELS) as (figure, layers):
        figure.set_dpi(GIF_DPI)
        for share in np.linspace(0, 1, max(len(one.voxels) for one in portraits)):
            for portrait, (image, axis) in zip(portraits, layers):
                k = round(share * (len(portrait.voxels) - 1))
                image.set_data(portrait.voxels[:, :, k].T)
                axis.set_title(_heading(portrait, k), fontsize=11)
            figure.canvas.draw()
            frames.append(Image.fromarray(np.asarray(figure.canvas.buffer_rgba())).convert("RGB"))
            figure.set_layout_engine("none")  # what was laid out for the first stays where it is
    with whole_file(path) as part:
        frames[0].save(
            part, format="GIF", save_all=True, append_images=frames[1:], duration=PAUSE, loop=0
        )


@contextmanager
def _figure(
    portraits: Sequence[Portrait], title: str, levels: Sequence[float] | None, width: int
) -> Iterator[tuple[Drawn, list[Drawn]]]:
    """The figure, and of each field the image of its layer with its axes."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        len(portraits), 2, figsize=(11, 5.2 * len(portraits)), squeeze=False, width_ratios=[1.25, 1]
    )
    try:
        figure.set_layout_engine("constrained", h_pad=0.15)
        layers = []
        for (left, right), portrait in zip(axes, portraits):
            drawn = tuple(levels or levels_of(portrait))
            smooth = (
                portrait.fine
                if blocky(portrait)
                else resampled(portrait.fine, 2 * min(len(portrait.fine), TURNED))
            )
            seen = picture(portrait.placed, smooth, portrait.edge, drawn, EYE, width)
            left.imshow(seen, interpolation="antialiased")
            left.set_axis_off()
            left.set_title(
                f"{portrait.title}\nsurface at {', '.join(f'{level:.3g}' for level in drawn)}",
                fontsize=11,
            )
            layers.append((_layer(figure, right, portrait), right))
        figure.suptitle(title, fontsize=13, x=0.01, ha="left")
        yield figure, layers
    finally:
        plt.close(figure)


def _scale(portrait: Portrait) -> tuple[float, bool]:
    """The value at which colours of layers end, and whether there are values of both signs."""
    signed = bool(portrait.voxels.min() < 0) and portrait.name.startswith(("esp", "wave", "cube"))
    return float(np.quantile(np.abs(portrait.voxels), 0.998)) or float(
        np.abs(portrait.voxels).max()
    ) or 1.0, signed


def _heading(portrait: Portrait, k: int) -> str:
    step = portrait.box / len(portrait.voxels)
    return (
        f"{len(portrait.voxels)}³ voxels of {step:.2f} Å\nlayer z = "
        f"{(k + 0.5) * step - portrait.box / 2:+.2f} Å, "
        "atoms above and below too"
    )


def _layer(figure: Drawn, axis: Drawn, portrait: Portrait) -> Drawn:
    """Draw the stored layer nearest to z = 0 and the atoms as circles; return the image."""
    n, half = len(portrait.voxels), portrait.box / 2
    limit, signed = _scale(portrait)
    ends = {"vmin": -limit if signed else 0, "vmax": limit, "cmap": SIGNED if signed else PLAIN}
    image = axis.imshow(
        portrait.voxels[:, :, n // 2].T, origin="lower", extent=(-half, half, -half, half), **ends
    )
    r, numbers = portrait.placed.positions.numpy(), portrait.placed.numbers.numpy()
    inside = (np.abs(r[:, :2]) < half).all(1)
    axis.scatter(
        r[inside, 0],
        r[inside, 1],
        s=34,
        c=colors_of(numbers)[inside],
        edgecolors="white",
        linewidths=1.2,
    )
    axis.set(xlabel="x (Å)", ylabel="y (Å)")
    axis.set_title(_heading(portrait, n // 2), fontsize=11)
    figure.colorbar(image, ax=axis, shrink=0.85)
    return image


def html(
    portraits: Sequence[Portrait], path: Path, title: str, levels: Sequence[float] | None = None
) -> None:
    """Write the page of fields into a file that needs no network.

    Parameters
    ----------
    portraits
        One for each field.
    path
        The file.
    title
        The title.
    levels
        Values of the surfaces; None: those of `levels_of`.
    """
    writable(path, "a field that turns", HTML)
    text = page(portraits, title, levels)
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8")


def page(portraits: Sequence[Portrait], title: str, levels: Sequence[float] | None = None) -> str:
    """Make the page of fields: surfaces to turn, and voxels layer by layer, one field at a time.

    Parameters
    ----------
    portraits
        One for each field.
    title
        The title of the page.
    levels
        Values of the surfaces; None: those of `levels_of`.

    Returns
    -------
    str
        HTML that needs no network.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup
    from matplotlib import colormaps
    from matplotlib.colors import to_hex
    from scipy.spatial.transform import Rotation

    placed = portraits[0].placed
    data = {
        "molecules": packed.molecules(placed),
        "elements": packed.elements(),
        "zoom": ZOOM,
        "reach": float(placed.positions.abs().max()) + 0.3,
        "middle": placed.positions.numpy().mean(0).tolist(),
        "quaternion": Rotation.from_matrix(EYE).as_quat().tolist(),
        "palettes": {
            key: [to_hex(colormaps[name](x)) for x in np.linspace(0, 1, 64)]
            for key, name in (("plain", PLAIN), ("signed", SIGNED))
        },
        "fields": [
            {
                "title": one.title,
                "surfaces": _surfaces(one, tuple(levels or levels_of(one))),
                **_layers(one),
            }
            for one in portraits
        ],
    }
    text = Environment(autoescape=True, undefined=StrictUndefined).from_string(
        embed.part("field.html")
    )
    return text.render(
        title=title,
        fields=[one.title for one in portraits],
        data=Markup(embed.as_json(data)),
        part=lambda name: Markup(embed.part(name)),
    )


def _layers(portrait: Portrait) -> dict[str, object]:
    """The voxels, those of large grids thinned out, and how they are coloured."""
    limit, signed = _scale(portrait)
    values = (
        portrait.voxels if len(portrait.voxels) <= TURNED else resampled(portrait.voxels, TURNED)
    )
    return {
        "n": len(values),
        "box": portrait.box,
        "voxels": packed.halved(values),
        "limit": limit,
        "signed": signed,
    }


def _surfaces(portrait: Portrait, levels: tuple[float, ...]) -> list[dict[str, object]]:
    """Triangles, normals and colours of each level, coloured like the picture."""
    values = portrait.fine if blocky(portrait) else resampled(portrait.fine, TURNED)
    middle = portrait.placed.positions.numpy().mean(0)  # about which the page has its molecules
    found = []
    for level in levels:
        points, normals, triangles = surface(values, portrait.edge, level)
        one = POSITIVE if level > 0 else NEGATIVE
        tint = (
            shades(points, portrait.placed)
            if len(levels) == 1
            else np.broadcast_to(one, points.shape)
        )
        found.append(
            {
                "level": level,
                "points": packed.halved(points - middle),
                "normals": packed.halved(normals),
                "triangles": packed.floats(triangles),
                "colors": packed.halved(tint),
            }
        )
    return found
