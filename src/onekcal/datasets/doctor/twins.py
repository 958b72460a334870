"""Molecules that repeat another one, turned, shifted or reordered: same atoms, same distances.

Two molecules of one composition are compared by their sorted distances, each kind of pair apart.
Sorting never makes two lists differ by more than their entries did. So every pair of equal
geometries is found, up to the tolerance. Mirror images count as equal. A k-d tree over a few
means of each list proposes the candidates.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from onekcal.molecules import Molecules

BUDGET = 4_000_000
"""How many distances are held at once."""
MEANS = 8
"""How many means of a distance list the tree has. They differ by no more than the distances do."""


def blocks(molecules: Molecules) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Give the molecules in blocks of one size.

    Parameters
    ----------
    molecules
        The molecules.

    Yields
    ------
    tuple
        Rows (B,), nuclear charges (B, n) and distances (B, n, n) in Å.
    """
    for size in molecules.sizes.unique().tolist():
        for rows in (molecules.sizes == size).nonzero().flatten().split(max(1, BUDGET // size**2)):
            atoms = molecules.atoms_of(rows)
            positions = molecules.positions[atoms].reshape(len(rows), size, 3)
            apart = torch.cdist(positions, positions, compute_mode="donot_use_mm_for_euclid_dist")
            yield rows, molecules.numbers[atoms].reshape(len(rows), size), apart


def twins(molecules: Molecules, tolerance: float = 0.01, neighbours: int = 8) -> np.ndarray:
    """Find pairs of molecules whose distances agree.

    Parameters
    ----------
    molecules
        The molecules.
    tolerance
        Å. All distances of a pair differ by less.
    neighbours
        How many of the nearest copies of a molecule are found.

    Returns
    -------
    ndarray
        (P, 2) rows a < b.
    """
    means = np.empty((len(molecules), MEANS))
    for rows, charges, apart in blocks(molecules):
        means[rows.numpy()] = _means(_sorted_distances(charges, apart))
    pairs = [_candidates(rows, means, tolerance, neighbours) for rows in _compositions(molecules)]
    near = np.unique(np.concatenate([np.empty((0, 2), dtype=np.int64), *pairs]), axis=0)
    return near[_largest_difference(molecules, near) <= tolerance]


def _sorted_distances(charges: Tensor, apart: Tensor) -> np.ndarray:
    """(B, n(n−1)/2) distances by kind of pair, ascending within each kind."""
    i, j = torch.triu_indices(charges.shape[1], charges.shape[1], 1)
    low, high = (
        torch.minimum(charges[:, i], charges[:, j]),
        torch.maximum(charges[:, i], charges[:, j]),
    )
    kind = (low * 128 + high).to(torch.float64) * 1e6  # farther apart than any distance
    return ((kind + apart[:, i, j]).sort(1).values % 1e6).numpy()


def _means(distances: np.ndarray) -> np.ndarray:
    """(B, MEANS) means of consecutive parts of each list."""
    out = np.zeros((len(distances), MEANS))
    for k, part in enumerate(np.array_split(distances, MEANS, axis=1)):
        if part.shape[1]:
            out[:, k] = part.mean(1)
    return out


def _compositions(molecules: Molecules) -> Iterator[np.ndarray]:
    """Rows of the molecules of each composition that more than one has."""
    counts = molecules.composition(molecules.elements).numpy().astype(np.int64)
    _, group = np.unique(counts, axis=0, return_inverse=True)
    order = np.argsort(group.ravel(), kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(group.ravel()[order])) + 1):
        if len(rows) > 1:
            yield rows


def _candidates(
    rows: np.ndarray, means: np.ndarray, tolerance: float, neighbours: int
) -> np.ndarray:
    from scipy.spatial import cKDTree

    k = min(neighbours + 1, len(rows))
    reach = tolerance * 1.000001 + 1e-9  # rounding of the means
    _, near = cKDTree(means[rows]).query(means[rows], k=k, p=np.inf, distance_upper_bound=reach)
    first, slot = np.nonzero((near < len(rows)) & (near != np.arange(len(rows))[:, None]))
    return np.sort(np.stack([rows[first], rows[near[first, slot]]], 1), 1)


def _largest_difference(molecules: Molecules, pairs: np.ndarray) -> np.ndarray:
    """(P,) Å: the largest difference between the sorted distances of each pair."""
    out = np.full(len(pairs), np.inf)
    if not len(pairs):
        return out
    sizes = molecules.sizes.numpy()[pairs[:, 0]]
    for size in np.unique(sizes):
        where = np.flatnonzero(sizes == size)
        for part in np.array_split(where, 1 + len(where) * size**2 // BUDGET):
            both = []
            for side in (0, 1):
                some = molecules[pairs[part, side].tolist()]
                places = some.positions.reshape(len(part), size, 3)
                apart = torch.cdist(places, places, compute_mode="donot_use_mm_for_euclid_dist")
                both.append(_sorted_distances(some.numbers.reshape(len(part), size), apart))
            out[part] = np.abs(both[0] - both[1]).max(1, initial=0.0)
    return out
