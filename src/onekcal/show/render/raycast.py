"""Pictures of surfaces of equal value around a molecule, by parallel rays.

They need no graphics card and no window. Surfaces are translucent; atoms and bonds are opaque. A
surface takes the colour of the nearest atoms: red belongs to oxygen.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase.data import covalent_radii
from ase.data.colors import jmol_colors
from scipy.ndimage import affine_transform, map_coordinates

from onekcal.geometry.bonds import bonded
from onekcal.molecules import Molecules

LIGHT = np.array([-0.35, 0.5, 0.8])
"""Where the light comes from, in the picture's axes: right, up, towards the eye."""
LAYERS = 6
"""The most surfaces that are seen behind each other."""
OPAQUE = 0.62
"""Opacity of a surface that faces the eye."""
ATOM, STICK = 0.32, 0.11
"""Radius of an atom over its covalent radius, and that of a bond in Å."""
BLUR = 0.12
"""Covalent radii over which the colour of a surface goes from one atom's to the next one's."""
POSITIVE, NEGATIVE = np.array([0.25, 0.45, 0.8]), np.array([0.85, 0.3, 0.25])
"""Colours of surfaces where there are some of either sign."""
STRIDE = 0.1
"""The smallest step along a ray, Å; two surfaces that are closer may be overlooked."""
BLOCK = 8_000_000
"""Samples along rays that are in memory at a time."""
BOND_COLOR = np.array([0.55, 0.6, 0.64])


def view(azimuth: float, elevation: float) -> np.ndarray:
    """Compute the axes of a picture from the direction of the eye.

    Parameters
    ----------
    azimuth, elevation
        Degrees.

    Returns
    -------
    ndarray
        (3, 3) rows right, up and towards the eye, in the molecule's axes.
    """
    a, e = np.radians([azimuth, elevation])
    eye = np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])
    right = np.array([-np.sin(a), np.cos(a), 0.0])
    return np.stack([right, np.cross(eye, right), eye])


def picture(
    placed: Molecules,
    values: np.ndarray,
    box: float,
    levels: Sequence[float],
    axes: np.ndarray,
    width: int = 720,
) -> np.ndarray:
    """Draw surfaces of equal value around a molecule.

    Parameters
    ----------
    placed
        The molecule in the cube (Å).
    values
        (n, n, n) values on voxels that fill the cube.
    box
        The edge of the cube about the origin, Å.
    levels
        The values of the surfaces.
    axes
        (3, 3) rows right, up and towards the eye.
    width
        Pixels.

    Returns
    -------
    ndarray
        (height, width, 3) colours between 0 and 1.
    """
    n = len(values)
    corners = box / 2 * (np.array(np.meshgrid(*[[-1, 1]] * 3)).reshape(3, -1).T @ axes.T)
    inside = _seen(placed, values, box, levels, axes)
    low, high = np.maximum(inside[0], corners.min(0)), np.minimum(inside[1], corners.max(0))
    pixel = (high[0] - low[0]) / width
    x = low[0] + pixel * (np.arange(width) + 0.5)
    y = high[1] - pixel * (np.arange(round((high[1] - low[1]) / pixel)) + 0.5)
    opaque = Opaque(x, y, pixel, axes)
    opaque.molecule(placed)
    depth = np.arange(high[2], low[2], -max(box / n, STRIDE))
    scene = _Scene(placed, values, box, levels, axes)
    seen = np.ones((*opaque.depth.shape, 1))  # what is left of the light that comes from behind
    color = np.zeros((*opaque.depth.shape, 3))
    for block in np.array_split(np.arange(len(y)), -(-len(y) * len(x) * len(depth) // BLOCK)):
        places, which = _hits(_sampled(values, box, axes, x, y[block], depth), levels, depth)
        front = np.argsort(-places, 0)
        for layer in range(len(places)):
            place = np.take_along_axis(places, front[layer][None], 0)[0]
            rows, columns = np.nonzero(place > opaque.depth[block])
            points = np.stack([x[columns], y[block][rows], place[rows, columns]], 1) @ axes
            tint, alpha = scene.surface(points, which[front[layer][rows, columns]])
            rows = block[rows]
            color[rows, columns] += alpha[:, None] * seen[rows, columns] * tint
            seen[rows, columns] *= 1 - alpha[:, None]
    return np.clip(color + seen * opaque.color, 0, 1)


def _seen(
    placed: Molecules, values: np.ndarray, box: float, levels: Sequence[float], axes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest coordinates (3,) of molecule and surfaces, in the picture's axes."""
    n = len(values)
    beyond = np.zeros(values.shape, bool)
    for level in levels:
        beyond |= values > level if level >= 0 else values < level
    places = (np.argwhere(beyond) + 0.5) * (box / n) - box / 2
    points = np.concatenate([placed.positions.numpy(), places]) @ axes.T
    return points.min(0) - 0.5, points.max(0) + 0.5


def _indices(places: np.ndarray, n: int, box: float) -> np.ndarray:
    """Å (…, 3) → fractional indices of voxels (3, …)."""
    return np.moveaxis((places + box / 2) * (n / box) - 0.5, -1, 0)


def _sampled(
    values: np.ndarray,
    box: float,
    axes: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    depth: np.ndarray,
) -> np.ndarray:
    """(depth, y, x) the field along the rays, front first; 0 beyond the cube."""
    steps = np.array(
        [depth[1] - depth[0], -abs(x[1] - x[0]), x[1] - x[0]]
    )  # Å from sample to sample
    turn = np.stack([axes[2], axes[1], axes[0]], 1)  # (3, 3) columns: depth, y, x
    first = _indices(turn @ np.array([depth[0], y[0], x[0]]), len(values), box)
    shape = (len(depth), len(y), len(x))
    return affine_transform(
        values,
        turn * steps * (len(values) / box),
        first,
        shape,
        np.float32,
        order=1,
        mode="constant",
    )


def _hits(
    samples: np.ndarray, levels: Sequence[float], depth: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Depths (sheets, y, x) where rays meet surfaces, else −∞, and the level of each sheet."""
    places, which = [], []
    rows, columns = np.indices(samples.shape[1:])
    for level in levels:
        beyond = samples > level if level >= 0 else samples < level
        crossed = beyond[1:] != beyond[:-1]
        order = np.cumsum(crossed, 0, dtype=np.int8)
        for layer in range(1, LAYERS + 1):
            first = crossed & (order == layer)
            met = first.any(0)
            if not met.any():
                break
            k = first.argmax(0)
            near, far = samples[k, rows, columns], samples[k + 1, rows, columns]
            share = np.clip((level - near) / np.where(far == near, 1.0, far - near), 0, 1)
            places.append(np.where(met, depth[k] + share * (depth[1] - depth[0]), -np.inf))
            which.append(level)
    return np.array(places).reshape(-1, *samples.shape[1:]), np.array(which)


def _shaded(base: np.ndarray, normal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Colours and opacities of a surface: bright towards the light, dense when seen edge on."""
    facing = np.abs(normal[:, 2])
    light = LIGHT / np.linalg.norm(LIGHT)
    outward = normal * np.where(normal[:, 2:] < 0, -1, 1)
    diffuse = np.clip(outward @ light, 0, 1)
    gloss = np.clip(outward @ _halfway(light), 0, 1) ** 40
    color = base * (0.45 + 0.6 * diffuse)[:, None] + 0.35 * gloss[:, None]
    return np.clip(color, 0, 1), OPAQUE + (1 - OPAQUE) * (1 - facing) ** 2


def _halfway(light: np.ndarray) -> np.ndarray:
    """The direction between the light and the eye."""
    half = light + np.array([0.0, 0.0, 1.0])
    return half / np.linalg.norm(half)


class _Scene:
    """Colours and opacities of surfaces where rays meet them."""

    def __init__(
        self,
        placed: Molecules,
        values: np.ndarray,
        box: float,
        levels: Sequence[float],
        axes: np.ndarray,
    ) -> None:
        self.placed, self.box, self.axes = placed, box, axes
        self.slopes = np.gradient(values, box / len(values))
        self.signed = min(levels) < 0 < max(levels)

    def surface(self, points: np.ndarray, levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Colours (P, 3) and opacities (P,) at `points` (P, 3) Å of surfaces at `levels` (P,)."""
        at = _indices(points, len(self.slopes[0]), self.box)
        normal = (
            np.stack(
                [map_coordinates(slope, at, order=1, mode="nearest") for slope in self.slopes], 1
            )
            @ self.axes.T
        )
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
        base = (
            np.where(levels[:, None] > 0, POSITIVE, NEGATIVE)
            if self.signed
            else shades(points, self.placed)
        )
        return _shaded(base, normal)


def shades(points: np.ndarray, placed: Molecules) -> np.ndarray:
    """Mix the colours of the atoms that are nearest to points.

    Parameters
    ----------
    points
        (P, 3) Å.
    placed
        The molecule (Å).

    Returns
    -------
    ndarray
        (P, 3) colours between 0 and 1.
    """
    numbers = placed.numbers.numpy()
    apart = (
        np.linalg.norm(points[:, None] - placed.positions.numpy(), axis=2) / covalent_radii[numbers]
    )
    share = np.exp((apart.min(1, keepdims=True) - apart) / BLUR)
    return (share @ colors_of(numbers)) / share.sum(1, keepdims=True)


def colors_of(numbers: np.ndarray) -> np.ndarray:
    """Look up the colours of atoms.

    They are jmol's; common elements are toned down, so that they are visible on white.

    Parameters
    ----------
    numbers
        (A,) nuclear charges.

    Returns
    -------
    ndarray
        (A, 3) colours between 0 and 1.
    """
    found = jmol_colors[numbers].copy()
    for z, color in {
        1: (0.80, 0.88, 0.94),
        6: (0.58, 0.62, 0.66),
        7: (0.36, 0.47, 0.86),
        8: (0.88, 0.30, 0.24),
        9: (0.45, 0.76, 0.42),
    }.items():
        found[numbers == z] = color
    return found


class Opaque:
    """Spheres on a white ground: the colour and the depth of the nearest, for each pixel.

    Parameters
    ----------
    x, y
        Places of the columns and rows of pixels, Å.
    pixel
        The edge of a pixel, Å.
    axes
        (3, 3) rows right, up and towards the eye.
    """

    def __init__(self, x: np.ndarray, y: np.ndarray, pixel: float, axes: np.ndarray) -> None:
        self.x, self.y, self.pixel, self.axes = x, y, pixel, axes
        self.depth = np.full((len(y), len(x)), -np.inf)
        self.color = np.ones((len(y), len(x), 3))

    def molecule(self, placed: Molecules, least: float = 0.0) -> None:
        """Draw a molecule: atoms as balls, bonds as rows of small balls.

        Parameters
        ----------
        placed
            The molecule (Å).
        least
            Å that each ball is larger than its share of the covalent radius.
        """
        numbers, r = placed.numbers.numpy(), placed.positions.numpy()
        for z, place in zip(numbers, r):
            self.sphere(place, least + ATOM * covalent_radii[z], colors_of(np.array([z]))[0])
        for i, j in np.argwhere(np.triu(bonded(numbers, r), 1)):
            apart = float(np.linalg.norm(r[i] - r[j]))
            for share in np.linspace(0, 1, max(2, int(apart / (0.5 * self.pixel)))):
                self.sphere(r[i] + share * (r[j] - r[i]), STICK, BOND_COLOR)

    def sphere(self, place: np.ndarray, radius: float, color: np.ndarray) -> None:
        """Draw one ball.

        Parameters
        ----------
        place
            (3,) Å, in the molecule's axes.
        radius
            Å.
        color
            (3,) between 0 and 1.
        """
        cx, cy, cz = self.axes @ place
        columns = np.flatnonzero(np.abs(self.x - cx) < radius)
        rows = np.flatnonzero(np.abs(self.y - cy) < radius)
        if not len(rows) or not len(columns):
            return
        part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        dx, dy = (self.x[columns] - cx)[None], (self.y[rows] - cy)[:, None]
        height = np.sqrt(np.maximum(radius**2 - dx**2 - dy**2, 0))
        normal = np.stack(np.broadcast_arrays(dx, dy, height), -1).reshape(-1, 3) / radius
        shade, _ = _shaded(np.broadcast_to(color, normal.shape), normal)
        nearer = (height > 0) & (cz + height > self.depth[part])
        self.depth[part] = np.where(nearer, cz + height, self.depth[part])
        self.color[part] = np.where(
            nearer[..., None], shade.reshape(*height.shape, 3), self.color[part]
        )
