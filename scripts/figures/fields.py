"""The papers' figures of molecules in space: voxels, fields, and what one atom sees of its
surroundings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from onekcal.geometry.bonds import bonded
from onekcal.show.plots import ACCENT, FAINT, INK, SECOND, canvas, dressed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from onekcal.fields.portrait import Portrait
    from onekcal.molecules import Molecules

FAINTEST = 0.05
"""Voxels of LOL below are left out, as nothing is there."""


def discrete_voxels(molecule: Molecules, n: int = 14) -> Figure:
    """Draw 3D-DenseNet's figure 1: the voxels that hold an atom, in the colours of the elements.

    Parameters
    ----------
    molecule
        One molecule.
    n
        Voxels along an edge of the cube.

    Returns
    -------
    Figure
        A figure of matplotlib.
    """
    from onekcal.show.render.raycast import colors_of

    portrait = _portraits(molecule, ["atom:Z"], n)[0]
    filled = portrait.voxels > 0
    colors = np.zeros((*filled.shape, 4))
    for z in molecule.elements:
        colors[np.isclose(portrait.voxels, z)] = (*colors_of(np.array([z]))[0], 0.95)
    return _cube(portrait, filled, colors, f"{molecule.formulas[0]}: nuclei on {n}³ voxels")


def lol_voxels(molecule: Molecules, n: int = 14) -> Figure:
    """Draw 3D-DenseNet's figure 2: LOL on voxels, without the nearer half of the cube.

    Parameters
    ----------
    molecule
        One molecule.
    n
        Voxels along an edge of the cube.

    Returns
    -------
    Figure
        A figure of matplotlib.
    """
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable

    portrait = _portraits(molecule, ["lol"], n)[0]
    filled = portrait.voxels > FAINTEST
    filled[:, : n // 2] = False
    colors = colormaps["viridis"](portrait.voxels)
    figure = _cube(
        portrait, filled, colors, f"{molecule.formulas[0]}: LOL on {n}³ voxels, cut in half"
    )
    figure.colorbar(ScalarMappable(cmap="viridis"), ax=figure.axes[0], shrink=0.6, label="LOL")
    return figure


def _cube(portrait: Portrait, filled: np.ndarray, colors: np.ndarray, title: str) -> Figure:
    """Voxels as cubes in a frame of Å."""
    figure = canvas(5.6, 4.6)
    axes: Any = figure.add_subplot(projection="3d")
    edges = np.linspace(-portrait.box / 2, portrait.box / 2, len(filled) + 1)
    axes.voxels(
        *np.meshgrid(edges, edges, edges, indexing="ij"),
        filled,
        facecolors=colors,
        edgecolor=(1, 1, 1, 0.25),
        linewidth=0.3,
    )
    half = portrait.box / 2
    axes.set(
        xlim=(-half, half),
        ylim=(-half, half),
        zlim=(-half, half),
        xlabel="x (Å)",
        ylabel="y (Å)",
        zlabel="z (Å)",
    )
    axes.set_box_aspect((1, 1, 1))
    axes.view_init(elev=24, azim=-62)
    axes.tick_params(labelsize=8, labelcolor=INK)
    axes.set_title(title, loc="left", fontsize=11, color=INK)
    return figure


def field_surfaces(molecule: Molecules, n: int = 14) -> Figure:
    """Draw 3D-DenseNet's inputs: surfaces of LOL, ELF and NEP above the stored voxels.

    Parameters
    ----------
    molecule
        One molecule.
    n
        Voxels along an edge of the cube.

    Returns
    -------
    Figure
        A figure of matplotlib.
    """
    from onekcal.fields.portrait import resampled
    from onekcal.show.pages.voxels import EYE, levels_of
    from onekcal.show.render.raycast import picture

    figure = canvas(9.4, 6.0)
    grid = figure.subplots(2, 3, height_ratios=[1, 1.1])
    for column, portrait in enumerate(_portraits(molecule, ["lol", "elf", "nep"], n, fine=True)):
        above, below = grid[:, column]
        levels = levels_of(portrait)
        smooth = resampled(portrait.fine, 2 * len(portrait.fine))
        above.imshow(picture(portrait.placed, smooth, portrait.edge, levels, EYE, 480))
        above.set_aspect("equal", adjustable="datalim")
        above.set_axis_off()
        above.set_title(f"{portrait.name.upper()} = {levels[0]:.3g}", fontsize=11, color=INK)
        _layer(figure, below, portrait)
    return figure


def _layer(figure: Figure, axes: Axes, portrait: Portrait) -> None:
    """The stored voxels of one layer, next to the plane of the molecule."""
    half = portrait.box / 2
    k = len(portrait.voxels) // 2
    image = axes.imshow(
        portrait.voxels[:, :, k].T, origin="lower", extent=(-half, half, -half, half), vmin=0
    )
    r = portrait.placed.positions.numpy()
    axes.scatter(r[:, 0], r[:, 1], s=12, color="white", edgecolors=INK, linewidths=0.6)
    dressed(axes, "", "x (Å)", "y (Å)" if portrait.name == "lol" else "").grid(False)
    figure.colorbar(image, ax=axes, shrink=0.8)


def _portraits(molecule: Molecules, kinds: list[str], n: int, fine: bool = False) -> list[Portrait]:
    from onekcal.fields.compute import request
    from onekcal.fields.portrait import portraits

    return portraits(molecule, request(kinds, "gfn2", n), fine=fine)


def atom_neighbourhood(molecule: Molecules, centre: int = 0, radius: float = 3.0) -> Figure:
    """Draw AtomCloudNet's figure 1: the atoms within a radius of one atom.

    Parameters
    ----------
    molecule
        One molecule.
    centre
        The atom in the middle, from 0.
    radius
        Å.

    Returns
    -------
    Figure
        A figure of matplotlib.
    """
    from matplotlib.patches import Circle

    from onekcal.molecules import SYMBOLS
    from onekcal.show.render.raycast import colors_of

    r, numbers = molecule.positions.numpy(), molecule.numbers.numpy()
    flat = (r - r[centre]) @ np.linalg.svd(r - r.mean(0), full_matrices=False)[
        2
    ].T  # along the axis of least variance
    apart = np.linalg.norm(r - r[centre], axis=1)
    figure = canvas(5.4, 4.8)
    axes = figure.subplots()
    axes.add_patch(Circle((0, 0), radius, color=ACCENT, alpha=0.08, lw=0))
    axes.add_patch(Circle((0, 0), radius, fill=False, color=ACCENT, ls="--", lw=1.2))
    for i, j in _bonds(r, numbers):
        axes.plot(*flat[[i, j], :2].T, color=FAINT, lw=4, solid_capstyle="round", zorder=1)
    for k in np.flatnonzero((apart < radius) & (apart > 0)):
        axes.plot(*flat[[centre, k], :2].T, color=SECOND, lw=0.9, ls=":", zorder=2)
    colors = np.where(
        (apart < radius)[:, None], colors_of(numbers), 0.5 + 0.5 * colors_of(numbers)
    )  # pale beyond
    axes.scatter(
        flat[:, 0],
        flat[:, 1],
        s=np.where(numbers == 1, 190, 380),
        c=colors,
        zorder=3,
        edgecolors=[
            ACCENT if k == centre else (INK if d < radius else FAINT) for k, d in enumerate(apart)
        ],
        linewidths=[3.0 if k == centre else 1.2 for k in range(len(r))],
    )
    for point, z in zip(flat, numbers):
        axes.annotate(
            SYMBOLS[z], point[:2], ha="center", va="center", fontsize=9, color=INK, zorder=4
        )
    axes.set_aspect("equal")
    inside = int(((apart < radius) & (apart > 0)).sum())
    axes.set_title(
        f"{molecule.names[0]}: {inside} neighbours within {radius:g} Å",
        loc="left",
        fontsize=11,
        color=INK,
    )
    axes.set_axis_off()
    return figure


def _bonds(r: np.ndarray, numbers: np.ndarray) -> list[tuple[int, int]]:
    return [(int(i), int(j)) for i, j in np.argwhere(np.triu(bonded(numbers, r), 1))]
