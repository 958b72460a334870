r"""Densities of neighbours in radial functions and directions, and products that do not turn.

    g_ν(r) = √(2/r_c) sin(νπr/r_c)/r · (1 − r²/r_c²)³ below r_c, else 0
    Y⁰ = 1,   Y¹ = r̂,   Y² = the five orthonormal components of r̂r̂ᵀ − ⅓

The pairs of a padded molecule are one dense block, so that a sum over neighbours is one product of
two matrices. Such expansions and their products: Drautz, Phys. Rev. B 99, 014104 (2019).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor


class Expansion(NamedTuple):
    """g_ν(r_ij) Y^l(r̂_ij) of every pair, a block for each component of Y^l."""

    radial: Tensor  # (B, n·N, n): rows (i, ν), columns j
    vectors: Tensor  # (B, 3, n·N, n)
    tensors: Tensor  # (B, 5, n·N, n)


def expand(positions: Tensor, pairs: Tensor, radial: int, cutoff: float) -> Expansion:
    """Expand the pairs of a batch.

    Parameters
    ----------
    positions
        (B, n, 3) Å of B molecules, padded to n atoms.
    pairs
        (B, n, n) bool: which places hold two different atoms.
    radial
        Number N of radial functions.
    cutoff
        r_c, Å.

    Returns
    -------
    Expansion
        All pairs of a molecule are held, near or far: 9·N·n² numbers.
    """
    between = (positions[:, None] - positions[:, :, None]).movedim(3, 1)  # (B, 3, i, j)
    square = torch.where(pairs, between.square().sum(1), 1.0)  # without a pair, no gradient
    r = square.sqrt()
    x, y, z = (between / r[:, None]).unbind(1)
    inside = torch.where(pairs, (1.0 - square / cutoff**2).clamp(min=0.0), 0.0)
    fade = (math.sqrt(2.0 / cutoff) * inside**3 / r)[:, :, None]
    waves = torch.arange(1, radial + 1, dtype=r.dtype, device=r.device) * (math.pi / cutoff)
    g = torch.sin(waves[:, None] * r[:, :, None]) * fade  # (B, i, N, j)
    root = math.sqrt(2.0)
    vectors = torch.stack([x, y, z], 1)
    tensors = torch.stack(
        [
            *(root * x * y, root * y * z, root * z * x),
            *((x * x - y * y) / root, (2.0 * z * z - x * x - y * y) / math.sqrt(6.0)),
        ],
        1,
    )
    return Expansion(
        g.flatten(1, 2),
        (vectors[:, :, :, None] * g[:, None]).flatten(2, 3),
        (tensors[:, :, :, None] * g[:, None]).flatten(2, 3),
    )


def neighbour_sums(rows: Tensor, sent: Tensor, n: int, radial: int) -> Tensor:
    """Sum over neighbours what they send.

    Parameters
    ----------
    rows
        (B, K·n·N, j) g_ν(r_ij) Y^l(r̂_ij) of K components; or (B, n·N, K·j), whose products with
        what turns, sent as (B, K·j, s), are summed over the components.
    sent
        (B, j, s) what is sent.
    n
        Atoms i.
    radial
        Number N of radial functions.

    Returns
    -------
    Tensor
        (B, K, n, N·s).
    """
    return (rows @ sent).unflatten(1, (-1, n, radial)).flatten(3)


def turned_products(v: Tensor, t: Tensor) -> list[Tensor]:
    """Return |v|², |T|², v·Tv and det T, which do not change when both are turned.

    Parameters
    ----------
    v
        (B, 3, …) vectors.
    t
        (B, 5, …) orthonormal components √2·xy, √2·yz, √2·zx, (xx − yy)/√2, (2zz − xx − yy)/√6 of
        symmetric tensors without a trace.
    """
    x, y, z = v.unbind(1)
    xy, yz, zx, apart, along = (
        c * f for c, f in zip(t.unbind(1), (0.5**0.5, 0.5**0.5, 0.5**0.5, 0.5**0.5, 6**-0.5))
    )
    xx, yy, zz = apart - along, -apart - along, 2.0 * along
    turned = xx * x * x + yy * y * y + zz * z * z + 2.0 * (xy * x * y + yz * y * z + zx * z * x)
    det = xx * (yy * zz - yz * yz) - xy * (xy * zz - yz * zx) + zx * (xy * yz - yy * zx)
    return [v.square().sum(1), t.square().sum(1), turned, det]
