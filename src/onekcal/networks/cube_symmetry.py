"""The symmetries of a cube of voxels: which of them change places."""

from __future__ import annotations

from itertools import permutations, product

import torch
from torch import Tensor

SYMMETRIES = ("none", "signs", "cube")


def orbits(symmetry: str) -> Tensor:
    """Return which voxels of a 3×3×3 kernel have equal weights.

    Parameters
    ----------
    symmetry
        "none" makes 27 classes of one voxel each; "signs" makes 8, by the distances from the centre
        along x, y and z; "cube" makes 4, by how many of these distances are 0.

    Returns
    -------
    Tensor
        (3, 3, 3) int64 number of the class.
    """
    far = torch.tensor([1, 0, 1])
    if symmetry == "signs":
        return 4 * far[:, None, None] + 2 * far[:, None] + far
    if symmetry == "cube":
        return far[:, None, None] + far[:, None] + far
    return torch.arange(27).view(3, 3, 3)


def motions(symmetry: str, n: int) -> Tensor:
    """Return the motions of a symmetry. The first is none at all.

    Parameters
    ----------
    symmetry
        "none"; "signs", the 8 reversals of axes; "cube", all 48 rotations and reflections. A mirror
        image of a molecule has its energy.
    n
        Voxels along an edge.

    Returns
    -------
    Tensor
        (G, n³) int64: for each motion, the voxel that each voxel's value comes from.
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
