"""The symmetries of a cube of voxels: which of them change places."""

from __future__ import annotations

from itertools import permutations, product

import torch
from torch import Tensor

SYMMETRIES = ("none", "signs", "cube")


def orbits(symmetry: str) -> Tensor:
    """(3, 3, 3) int64: voxels with the same number are taken into each other.

    none: 27 of their own; signs: 8, by the distances from the centre along x, y and z; cube: 4, by
    how many of them are 0.
    """
    far = torch.tensor([1, 0, 1])
    if symmetry == "signs":
        return 4 * far[:, None, None] + 2 * far[:, None] + far
    if symmetry == "cube":
        return far[:, None, None] + far[:, None] + far
    return torch.arange(27).view(3, 3, 3)


def motions(symmetry: str, n: int) -> Tensor:
    """(G, n³) int64: the voxel each voxel's value comes from, for the G motions of a symmetry; the
    first is none at all.

    signs: the 8 reversals of axes; cube: all 48 rotations and reflections. A mirror image has the
    same energy.
    """
    if symmetry == "none":
        return torch.arange(n**3)[None]
    voxels = torch.arange(n**3).view(n, n, n)
    orders = list(permutations(range(3))) if symmetry == "cube" else [(0, 1, 2)]
    return torch.stack(
        [
            voxels.permute(order).flip([axis for axis in range(3) if reverse[axis]]).flatten()
            for order in orders
            for reverse in product((0, 1), repeat=3)
        ]
    )
