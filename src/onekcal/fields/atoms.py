"""Atoms on the voxels of a cube: where they are, or a smooth function around each.

    atom(r)  = Σ_a v_a [a lies in the voxel of r]
    gauss(r) = Σ_a v_a exp(−d_a²/2σ²)                   d_a = |r − R_a|, r a voxel's centre
    wave(r)  = Σ_a v_a exp(−d_a²/2σ²) cos(2π d_a/σ)     Kuzminykh et al.,
                                                        Mol. Pharm. 15, 4378 (2018)

v_a is 1 for the atoms of one element and 0 for the others, or a property of the atom. σ is 1 Å by
default. The smooth functions are evaluated at the centres of the voxels from the exact places of
the atoms: nothing is rounded to a voxel first. Atoms outside the cube are in no voxel, but their
smooth functions reach into it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from onekcal.molecules import Molecules

SIGMA = 1.0
"""Å, σ where the name of a field gives none."""
TOGETHER = 50_000
"""Voxels at a time, of whole molecules. So many stay in a processor's cache."""

RadialFunction = Callable[[Tensor], Tensor]  # squared distances (Å²) → values, may work in place


def gaussian(sigma: float) -> RadialFunction:
    """Return the function exp(−d²/2σ²) of squared distances (Å²).

    Parameters
    ----------
    sigma
        σ, Å.
    """
    return lambda squared: squared.mul_(-0.5 / sigma**2).exp_()


def wave(sigma: float) -> RadialFunction:
    """Return the function exp(−d²/2σ²) cos(2πd/σ) of squared distances (Å²).

    Parameters
    ----------
    sigma
        σ, Å.
    """
    return lambda squared: (
        (squared * (-0.5 / sigma**2)).exp_().mul_((squared.sqrt() * (2 * math.pi / sigma)).cos_())
    )


def summed(placed: Molecules, along: Tensor, values: Tensor, kernel: RadialFunction) -> Tensor:
    """Return Σ_a v_a kernel(|r − R_a|²) at all voxel centres.

    Parameters
    ----------
    placed
        The M molecules in the coordinates of their cubes.
    along
        (n,) Å, the voxel centres along an edge.
    values
        (A,) v_a.
    kernel
        A function of squared distances (Å²). It may change its argument.

    Returns
    -------
    Tensor
        (M, n, n, n) float32.
    """
    n = len(along)
    out = torch.zeros(len(placed), n, n, n)
    order = placed.sizes.argsort()  # like sizes together: little padding
    for rows in order.split(max(1, TOGETHER // n**3)):
        numbers, positions = placed[rows].pad()
        weights = torch.zeros(numbers.shape)
        weights[numbers > 0] = values[placed.atoms_of(rows)].to(torch.float32)
        # squared distances along each edge; those to a voxel are their sums, so no array of
        # atoms × points × 3 is needed
        apart = (
            (along - positions.to(torch.float64)[:, :, :, None]).square().to(torch.float32)
        )  # (m, a, 3, n)
        total = torch.zeros(len(rows), n, n, n)
        one = torch.empty_like(total)
        for a in weights.any(0).nonzero().flatten().tolist():
            x, y, z = apart[:, a].unbind(1)
            torch.add((x[:, :, None] + y[:, None, :])[:, :, :, None], z[:, None, None, :], out=one)
            total.addcmul_(kernel(one), weights[:, a, None, None, None])
        out[rows] = total
    return out


def counted(placed: Molecules, n: int, box: float, values: Tensor) -> Tensor:
    """Sum values of atoms in the voxels where the atoms are.

    Parameters
    ----------
    placed
        The M molecules in the coordinates of their cubes.
    n
        Voxels along an edge.
    box
        Å, the length of an edge.
    values
        (A,) values. Those of atoms outside the cube are left out.

    Returns
    -------
    Tensor
        (M, n, n, n) float32.
    """
    voxel = ((placed.positions + box / 2) * (n / box)).floor().to(torch.int64)  # (A, 3)
    inside = ((voxel >= 0) & (voxel < n)).all(1)
    out = torch.zeros(len(placed), n, n, n)
    i, j, k = voxel[inside].T
    return out.index_put_(
        (placed.owner[inside], i, j, k), values[inside].to(torch.float32), accumulate=True
    )
