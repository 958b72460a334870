"""Pairs of near geometries of one molecule, one turned onto the other."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from onekcal.molecules import Molecules


def near_frames(
    molecules: Molecules, most: int, groups: int = 40, sample: int = 2000
) -> Iterator[tuple[Tensor, Tensor]]:
    """Find for frames of one molecule the frame whose distances are nearest to each.

    Parameters
    ----------
    molecules
        Frames of one molecule or of several.
    most
        Pairs of one molecule.
    groups
        Molecules that are looked at, those with most frames first.
    sample
        Frames of one molecule that are looked at.

    Yields
    ------
    tuple of Tensor
        (P,) rows of the first and of the second frame of each pair.
    """
    frames: dict[bytes, list[int]] = {}
    bounds, numbers = molecules.offsets.tolist(), molecules.numbers.numpy()
    for m, (a, b) in enumerate(zip(bounds[:-1], bounds[1:])):
        if b - a > 1:
            frames.setdefault(numbers[a:b].tobytes(), []).append(m)
    for rows in sorted(frames.values(), key=len, reverse=True)[:groups]:
        if len(rows) < 2:
            return
        size = bounds[rows[0] + 1] - bounds[rows[0]]
        few = max(2, min(sample, 10_000_000 // size**2))
        some = torch.tensor(_runs(rows, few))
        places = molecules.positions[molecules.atoms_of(some)].reshape(len(some), size, 3)
        i, j = torch.triu_indices(size, size, 1)
        apart = (places[:, i] - places[:, j]).norm(dim=2)
        unlike = torch.cdist(apart, apart).fill_diagonal_(torch.inf)
        unlike[unlike < 1e-6] = torch.inf  # a copy of the frame tells nothing
        near, partner = unlike.min(1)
        keep = near.argsort()[:most]
        keep = keep[torch.isfinite(near[keep])]
        pairs = torch.stack([some[keep], some[partner[keep]]], 1).sort(1).values.unique(dim=0)
        if len(pairs):
            yield pairs[:, 0], pairs[:, 1]


def _runs(rows: list[int], most: int, run: int = 10) -> list[int]:
    """About `most` rows in evenly spaced runs.

    In a trajectory the next frames in time are near ones.
    """
    stride = run * -(-len(rows) // most)
    return [row for start in range(0, len(rows), stride) for row in rows[start : start + run]]


def turned(
    molecules: Molecules, forces: Tensor, first: Tensor, second: Tensor
) -> tuple[Tensor, Tensor]:
    """Turn the second frame of each pair onto the first (Kabsch).

    Parameters
    ----------
    molecules
        The frames.
    forces
        (A, 3) in any unit.
    first, second
        (P,) rows of frames of one molecule of n atoms.

    Returns
    -------
    tuple of Tensor
        (P, n, 3) Å steps from the first to the second, and (P, n, 3) sums of their forces.
    """
    size = int(molecules.sizes[first[0]])
    one, two = (molecules.atoms_of(rows) for rows in (first, second))
    a, b = (molecules.positions[atoms].reshape(-1, size, 3) for atoms in (one, two))
    a, b = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
    u, _, vt = torch.linalg.svd(b.mT @ a)
    turn = u @ vt  # it may be a mirror image, which has the same energy and mirrored forces
    pull = forces.to(torch.float64)
    return b @ turn - a, pull[one].reshape(-1, size, 3) + pull[two].reshape(-1, size, 3) @ turn
