"""SLATM, the spectrum of London and Axilrod-Teller-Muto potentials: one vector a molecule.

    one body     Z · n(Z)                                                for each element
    two body     Σ_{i<j}  Z_i Z_j · g(r − r_ij; σ₂) · Δr / r^p           for each pair of elements
    three body   Σ_{i-j-k}  ⅓ Z_i Z_j Z_k · (1 + cos θ · cos φ_i · cos φ_k) / (r_ij r_ik r_jk)³
                            · g(θ − φ_j; σ₃) · Δθ
                 for each central element j with each pair of elements i, k

g is the normalised Gaussian. φ are the angles of the triangle of three atoms, all within `cutoff`
of each other. r runs over a grid from 0.1 Å to the cut-off, θ over one from −20° to 200°. Huang,
von Lilienfeld, Nature Chem. 12, 945 (2020).

The caller fixes the elements (those of the training set), so that every vector has the same
entries. Every triple of elements has its place, also where the training set lacks it. Lengths are
Å; the entries are used without a unit. Everything is torch, float64 and differentiable. At a
straight angle, where φ has a cusp, its derivative is taken as 0.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from onekcal.features.known_elements import check_elements
from onekcal.molecules import Molecules

CUTOFF = 4.8
"""Å. Pairs and triples of atoms that are farther apart do not count."""
NEAREST = 0.1
"""Å, where the radial grid begins."""
MARGIN = math.radians(20.0)
"""rad, how far the angular grid reaches beyond 0 and π, so that Gaussians at its ends are whole."""
SIGMAS = (0.05, 0.05)
"""Widths of the Gaussians: Å, rad."""
STEPS = (0.03, 0.03)
"""Spacings of the grids: Å, rad.

The grids are stretched by up to a percent until they end on the cut-off and beyond π. The weights
Δr and Δθ stay as they are here, as in the implementations that the published numbers come from.
"""
POWER = 6
BLOCK = 4
"""Molecules at a time. The Gaussians of all their triples stay in the processor's cache."""


def slatm(molecules: Molecules, elements: list[int], cutoff: float = CUTOFF) -> Tensor:
    """Compute the SLATM vectors of molecules.

    Parameters
    ----------
    molecules
        The molecules.
    elements
        Nuclear charges, ascending.
    cutoff
        Å.

    Returns
    -------
    Tensor
        (M, width) float64; `blocks` says where which entries stand.
    """
    check_elements(molecules, elements, "SLATM features")
    parts = [
        _spectrum(molecules[m : m + BLOCK], elements, cutoff)
        for m in range(0, len(molecules), BLOCK)
    ]
    return (
        torch.cat(parts)
        if parts
        else torch.zeros(0, sum(blocks(elements, cutoff)), dtype=torch.float64)
    )


def blocks(elements: list[int], cutoff: float = CUTOFF) -> list[int]:
    """Return the lengths of the parts of a vector, in order.

    All one-body terms come first, then each pair of elements, then each triple. Pairs are (a ≤ b)
    in the order of `elements`. Triples go from one central element to the next, each with every
    pair.

    Parameters
    ----------
    elements
        Nuclear charges.
    cutoff
        Å.
    """
    radial, angular = _grids(cutoff)
    pairs = len(elements) * (len(elements) + 1) // 2
    return [len(elements), *[len(radial)] * pairs, *[len(angular)] * (len(elements) * pairs)]


def _grids(cutoff: float) -> tuple[Tensor, Tensor]:
    """r (Å) and θ (rad)."""
    turn = math.pi + 2 * MARGIN
    counts = int((cutoff - NEAREST) / STEPS[0]) + 1, int(turn / STEPS[1]) + 1
    return (
        torch.linspace(NEAREST, cutoff, counts[0], dtype=torch.float64),
        torch.linspace(-MARGIN, turn - MARGIN, counts[1], dtype=torch.float64),
    )


def _spectrum(molecules: Molecules, elements: list[int], cutoff: float) -> Tensor:
    """(M, width) of a few molecules."""
    numbers, positions = molecules.pad()
    # (M, n) place in `elements`; padding is masked below
    kind = torch.searchsorted(torch.tensor(elements), numbers)
    separation = positions[:, None] - positions[:, :, None]  # (M, n, n, 3) from i to j
    real = numbers > 0
    near = real[:, :, None] & real[:, None, :] & ~torch.eye(numbers.shape[1], dtype=torch.bool)
    # padding and i = j are on one point; their distance is replaced before the square root,
    # because the gradient of the root would be infinite there
    distance = torch.where(near, separation.square().sum(-1), 1.0).sqrt()  # (M, n, n) Å
    near = near & (distance <= cutoff)
    one = molecules.composition(elements) * torch.tensor(elements)  # (M, elements)
    two = _two_body(numbers, kind, distance, near, elements, cutoff)
    three = _three_body(numbers, kind, separation, distance, near, elements, cutoff)
    return torch.cat([one, two, three], dim=1)


def _pair_table(count: int) -> Tensor:
    """(count, count) the place of a pair of elements among all unordered pairs."""
    table = torch.zeros(count, count, dtype=torch.int64)
    i, j = torch.triu_indices(count, count)
    table[i, j] = table[j, i] = torch.arange(len(i))
    return table


def _gaussian(grid: Tensor, centre: Tensor, sigma: float) -> Tensor:
    """(terms, grid) Gaussians of height 1; the norm is applied at the end, to fewer numbers.

    −(x − c)² is multiplied out into a product of two thin matrices: one pass over the large array
    instead of three.
    """
    x, c = grid / (math.sqrt(2.0) * sigma), centre / (math.sqrt(2.0) * sigma)
    left = torch.stack([-c.square(), 2 * c, -torch.ones_like(c)], dim=1)  # (terms, 3)
    return torch.exp(left @ torch.stack([torch.ones_like(x), x, x.square()]))


def _norm(sigma: float) -> float:
    return 1 / math.sqrt(2 * math.pi * sigma**2)


def _two_body(
    numbers: Tensor,
    kind: Tensor,
    distance: Tensor,
    near: Tensor,
    elements: list[int],
    cutoff: float,
) -> Tensor:
    """(M, pairs of elements × grid)."""
    radial, _ = _grids(cutoff)
    pair = _pair_table(len(elements))
    m, i, j = torch.nonzero(near.triu(1), as_tuple=True)  # every pair of atoms once
    strength = numbers[m, i] * numbers[m, j]
    smeared = strength[:, None] * _gaussian(radial, distance[m, i, j], SIGMAS[0])  # (pairs, grid)
    count = int(pair.max()) + 1
    spectrum = smeared.new_zeros(len(numbers) * count, len(radial))
    spectrum = spectrum.index_add(0, m * count + pair[kind[m, i], kind[m, j]], smeared)
    return (spectrum * (_norm(SIGMAS[0]) * STEPS[0] / radial**POWER)).reshape(len(numbers), -1)


def _three_body(
    numbers: Tensor,
    kind: Tensor,
    separation: Tensor,
    distance: Tensor,
    near: Tensor,
    elements: list[int],
    cutoff: float,
) -> Tensor:
    """(M, elements × pairs of elements × grid)."""
    _, angular = _grids(cutoff)
    pair = _pair_table(len(elements))
    triangles = (
        near[:, :, :, None] & near[:, :, None, :] & near.triu(1)[:, None]
    )  # (M, centre j, i < k)
    m, j, i, k = torch.nonzero(triangles, as_tuple=True)
    to_i, to_k, i_to_k = (
        separation[m, j, i],
        separation[m, j, k],
        separation[m, i, k],
    )  # (triples, 3)
    r_ij, r_jk, r_ik = distance[m, j, i], distance[m, j, k], distance[m, i, k]
    # atan2 of cross and dot product: unlike the arc cosine, it has a derivative everywhere
    centre = torch.atan2(torch.linalg.cross(to_i, to_k).norm(dim=1), (to_i * to_k).sum(1))  # rad
    others = (
        -(to_i * i_to_k).sum(1) * (to_k * i_to_k).sum(1) / (r_ij * r_jk * r_ik**2)
    )  # cos φ_i · cos φ_k
    strength = numbers[m, i] * numbers[m, j] * numbers[m, k] / 3.0 / (r_ij * r_jk * r_ik) ** 3
    shape = torch.stack([strength, strength * others], dim=1) @ torch.stack(
        [torch.ones_like(angular), angular.cos()]
    )
    smeared = shape * _gaussian(angular, centre, SIGMAS[1])  # (triples, grid)
    pairs = int(pair.max()) + 1
    count = len(elements) * pairs
    spectrum = smeared.new_zeros(len(numbers) * count, len(angular))
    spectrum = spectrum.index_add(
        0, m * count + kind[m, j] * pairs + pair[kind[m, i], kind[m, k]], smeared
    )
    return (spectrum * (_norm(SIGMAS[1]) * STEPS[1])).reshape(len(numbers), -1)
