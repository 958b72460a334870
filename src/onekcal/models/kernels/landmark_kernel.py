"""The parts of a kernel on landmarks that know no data set: tensors in, tensors out.

Landmarks are sorted by element; `spans` holds the rows of each element's landmarks. Environments
and landmarks are in units of the kernel's width σ, as in `sparse_kernel.py`, where the equations
stand.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from onekcal.models.kernels.landmarks import gaussian

POOL = 60_000
"""Environments the landmarks are chosen from."""
RARE = 200
"""Of the molecules with an element or of one size, and of their environments, so many are always
drawn, however rare they are: the atoms of small molecules have environments nothing else has.
"""
JITTER = 1e-11
"""Added to the diagonal of the landmarks' kernel, so that rounding leaves it positive."""


def spans_of(counts: Sequence[int]) -> list[slice]:
    """The rows of each element's landmarks, from their numbers."""
    ends = torch.tensor([0, *counts]).cumsum(0).tolist()
    return [slice(a, b) for a, b in zip(ends[:-1], ends[1:])]


def principal_axes(
    blocks: Iterable[tuple[Tensor, Tensor]], elements: int, size: int, dims: int
) -> tuple[Tensor, Tensor]:
    """Mean and leading principal axes of each element's features.

    Parameters
    ----------
    blocks
        Pairs of the kinds (A,) and the features (A, size) of some atoms.
    elements
        Number of kinds.
    size
        Number of features.
    dims
        Number of axes to keep.

    Returns
    -------
    tuple of Tensor
        Means (elements, size) and axes (elements, size, dims), the longest axis first.
    """
    total = torch.zeros(elements, size, dtype=torch.float64)
    square = torch.zeros(elements, size, size, dtype=torch.float64)
    atoms = torch.zeros(elements, dtype=torch.float64)
    for kinds, x in blocks:
        for kind in range(elements):
            own = x[kinds == kind]
            total[kind] += own.sum(0)
            square[kind] += own.T @ own
            atoms[kind] += len(own)
    mean = total / atoms.clamp(min=1)[:, None]
    covariance = square / atoms.clamp(min=1)[:, None, None] - mean[:, :, None] * mean[:, None, :]
    return mean, torch.linalg.eigh(covariance).eigenvectors[:, :, -dims:].flip(2)


def molecule_kernel(
    kinds: Tensor, x: Tensor, owner: Tensor, molecules: int, known: Tensor, spans: list[slice]
) -> Tensor:
    """(molecules, m) Φ of environments x (A, dims), each of the molecule `owner` (A,)."""
    out = []
    for kind, span in enumerate(spans):
        own = torch.nonzero(kinds == kind).flatten()
        zeros = x.new_zeros(molecules, span.stop - span.start)
        out.append(zeros.index_add(0, owner[own], gaussian(x[own], known[span].double())))
    return torch.cat(out, 1)


def slopes(kinds: Tensor, x: Tensor, slope: Tensor, known: Tensor, spans: list[slice]) -> Tensor:
    """(3n, m) −∂Φ/∂R of one molecule, 1/Å, from the slopes (3n, n, dims) of its environments."""
    out = []
    for kind, span in enumerate(spans):
        own, z = torch.nonzero(kinds == kind).flatten(), known[span].double()
        k = gaussian(x[own], z)  # (a, m)
        away = torch.einsum("cad,ad->ca", slope[:, own], x[own])  # (3n, a)
        toward = (
            (slope[:, own] @ z.T).mul_(k).sum(1)
            if len(own)
            else torch.zeros(len(slope), len(z), dtype=k.dtype)
        )
        out.append(away @ k - toward)  # −∂k = k (x − z)·∂x
    return torch.cat(out, 1)


def own_kernel(kinds: Tensor, x: Tensor, owner: Tensor, molecules: int) -> Tensor:
    """(molecules,) k(A, A)."""
    out = x.new_zeros(molecules)
    for kind in kinds.unique().tolist():
        own = torch.nonzero(kinds == kind).flatten()
        same = owner[own, None] == owner[own]
        out.index_add_(0, owner[own], (gaussian(x[own], x[own]) * same).sum(1))
    return out


def pools(kinds: Tensor, sizes: Tensor, order: Tensor, elements: int) -> list[Tensor]:
    """The environments of each element that may become landmarks.

    Parameters
    ----------
    kinds
        (A,) the element of each environment.
    sizes
        (A,) the number of atoms of the molecule each environment belongs to.
    order
        (A,) the order in which environments are drawn.
    elements
        Number of elements.

    Returns
    -------
    list of Tensor
        Rows of environments, one entry an element.
    """
    out = []
    for kind in range(elements):
        own = order[kinds[order] == kind]
        own = own[(turn(sizes[own]) >= RARE).to(torch.uint8).argsort(stable=True)]
        out.append(own[: max(RARE, POOL * len(own) // len(kinds))])
    return out


def farthest(
    kinds: Tensor, x: Tensor, owner: Tensor, molecules: int, known: Tensor, spans: list[slice]
) -> Tensor:
    """(molecules,) largest distance of an atom to its nearest landmark; ∞ where there is none."""
    apart = torch.full((len(x),), math.inf, dtype=torch.float64)
    for kind, span in enumerate(spans):
        own = kinds == kind
        if own.any() and span.stop > span.start:
            apart[own] = torch.cdist(x[own], known[span].double()).min(1).values
    zeros = torch.zeros(molecules, dtype=torch.float64)
    return zeros.scatter_reduce(0, owner, apart, "amax")


def kernel_factor(known: Tensor, spans: list[slice]) -> Tensor | None:
    """(m, m) L of the landmarks' own kernel K = LLᵀ; None where K is not positive definite."""
    lower = torch.zeros(len(known), len(known), dtype=torch.float64)
    for span in spans:
        z = known[span].double()
        factor = cholesky(gaussian(z, z).fill_diagonal_(1), JITTER)
        if factor is None:
            return None
        lower[span, span] = factor
    return lower


def whitened(rows: Tensor, lower: Tensor, spans: list[slice]) -> Tensor:
    """L⁻¹Φᵀ, transposed, element by element."""
    out = torch.empty_like(rows)
    for span in spans:
        out[:, span] = torch.linalg.solve_triangular(
            lower[span, span], rows[:, span].T, upper=False
        ).T
    return out


def cholesky(matrix: Tensor, added: float) -> Tensor | None:
    """The factor of matrix + `added` on the diagonal; None where that is not positive definite."""
    raised = matrix.clone()
    raised.diagonal().add_(added)
    factor, failed = torch.linalg.cholesky_ex(raised)
    # not every LAPACK minds what is no number
    return None if int(failed) or not factor.isfinite().all() else factor


def turn(labels: Tensor) -> Tensor:
    """(n,) how many earlier entries have the same label."""
    order = labels.argsort(stable=True)
    ascending = labels[order]
    turn = torch.empty_like(order)
    turn[order] = torch.arange(len(order)) - torch.searchsorted(ascending, ascending)
    return turn
