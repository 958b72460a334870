"""Surfaces of equal value as triangles, by marching tetrahedra.

This way no case is ambiguous, and no table is needed.

Every cell between eight points is cut into six tetrahedra along one of its diagonals. A surface
separates the corners of a tetrahedron one from three (a triangle) or two from two (a quadrangle).
"""

from __future__ import annotations

from itertools import permutations

import numpy as np
from scipy.ndimage import map_coordinates

SLIVER = 0.08
"""The share of an edge by which a vertex stays away from its ends.

Closer to an end, some triangles would have no area and no normal.
"""


def isosurface(values: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Find the surface on which a field has a certain value.

    Parameters
    ----------
    values
        (nx, ny, nz) values on a grid.
    level
        The value; inside are larger values, or smaller ones where it is negative.

    Returns
    -------
    tuple
        Vertices (V, 3) in units of the grid, and triangles (T, 3), counter-clockwise from
        outside.
    """
    flat = (values if level >= 0 else -values).astype(np.float64).ravel() - abs(level)
    strides = np.array([values.shape[1] * values.shape[2], values.shape[2], 1])
    first = np.arange(flat.size).reshape(values.shape)[:-1, :-1, :-1].ravel()
    corners = [sum(strides[[a for a in range(3) if k >> a & 1]]) for k in range(8)]
    above = np.stack([flat[first + corner] > 0 for corner in corners])
    first = first[above.any(0) & ~above.all(0)]  # cells the surface passes through
    parts = [
        _triangles(flat, first[:, None] + np.cumsum([0, *strides[list(order)]]))
        for order in permutations(range(3))
    ]
    edges = np.concatenate(parts)  # (T, 3, 2) each vertex between two points of the grid
    ends, triangles = np.unique(np.sort(edges.reshape(-1, 2), axis=1), axis=0, return_inverse=True)
    low, high = flat[ends[:, 0]], flat[ends[:, 1]]
    share = np.clip(low / (low - high), SLIVER, 1 - SLIVER)[:, None]
    places = np.stack(np.unravel_index(ends, values.shape), -1)  # (V, 2, 3)
    vertices = (1 - share) * places[:, 0] + share * places[:, 1]
    return vertices, _outward(values.shape, edges, vertices, triangles.reshape(-1, 3))


def surface(
    values: np.ndarray, edge: float, level: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the surface on which a field in a cube has a certain value, with its normals.

    Parameters
    ----------
    values
        (n, n, n) values at the centres of voxels.
    edge
        Å, the length of an edge of the cube, whose centre is the origin.
    level
        As in `isosurface`.

    Returns
    -------
    tuple
        Points (V, 3) in Å, normals (V, 3) of length 1 that point outward, and triangles (T, 3).
    """
    vertices, triangles = isosurface(values, level)
    sign = -1 if level >= 0 else 1
    normals = sign * np.stack(
        [map_coordinates(slope, vertices.T, order=1) for slope in np.gradient(values)], 1
    )
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    return (vertices + 0.5) * (edge / len(values)) - edge / 2, normals, triangles


def _triangles(flat: np.ndarray, tetrahedra: np.ndarray) -> np.ndarray:
    """(T, 3, 2) edges of tetrahedra (N, 4) on which vertices of triangles lie, inner end first."""
    inside = flat[tetrahedra] > 0
    found = [np.zeros((0, 3, 2), dtype=np.int64)]
    for mask in range(1, 15):
        chosen = [k for k in range(4) if mask >> k & 1]
        others = [k for k in range(4) if not mask >> k & 1]
        here = tetrahedra[(inside == [k in chosen for k in range(4)]).all(1)]
        edges = [(i, o) for i in chosen for o in others]
        if len(edges) == 4:  # two from two: (i₀,o₀) (i₀,o₁) (i₁,o₁) (i₁,o₀) around
            edges = [edges[0], edges[1], edges[3], edges[0], edges[3], edges[2]]
        found.append(here[:, np.array(edges)].reshape(-1, 3, 2))
    return np.concatenate(found)


def _outward(
    shape: tuple[int, ...], edges: np.ndarray, vertices: np.ndarray, triangles: np.ndarray
) -> np.ndarray:
    """The same triangles, turned so that their normals point outwards."""
    places = np.stack(np.unravel_index(edges, shape), -1)  # (T, 3, 2, 3)
    out = (places[:, :, 1] - places[:, :, 0]).sum(1)
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    wrong = (np.cross(b - a, c - a) * out).sum(1) < 0
    turned = triangles.copy()
    turned[wrong, 1], turned[wrong, 2] = triangles[wrong, 2], triangles[wrong, 1]
    return turned
