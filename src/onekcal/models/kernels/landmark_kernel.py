"""The parts of a kernel on landmarks that work on tensors alone.

Landmarks are sorted by element; `spans` holds the rows of each element's landmarks. Environments
and landmarks are in units of the kernel's width σ, as in `sparse_kernel.py`, where the equations
stand.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from onekcal.models.kernels.landmarks import gaussian

POOL = 60_000
"""Landmarks are chosen from this many environments, at most."""
RARE = 200
"""This many molecules of each element and of each size are always drawn, and this many of their
environments: the atoms of small molecules have environments that no other molecule has.
"""


def spans_of(counts: Sequence[int]) -> list[slice]:
    """Return the rows of each element's landmarks.

    Parameters
    ----------
    counts
        Number of landmarks of each element.
    """
    ends = torch.tensor([0, *counts]).cumsum(0).tolist()
    return [slice(a, b) for a, b in zip(ends[:-1], ends[1:])]


def principal_axes(
    blocks: Iterable[tuple[Tensor, Tensor]], elements: int, size: int, dims: int
) -> tuple[Tensor, Tensor]:
    """Return mean and leading principal axes of each element's features.

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
    """Return Φ, the kernel of molecules with landmarks.

    Parameters
    ----------
    kinds
        (A,) the element of each environment.
    x
        (A, dims) environments in units of σ.
    owner
        (A,) the molecule of each environment.
    molecules
        Number of molecules.
    known
        (m, dims) landmarks in units of σ.
    spans
        The landmarks of each element.

    Returns
    -------
    Tensor
        (molecules, m).
    """
    out = []
    for kind, span in enumerate(spans):
        own = torch.nonzero(kinds == kind).flatten()
        zeros = x.new_zeros(molecules, span.stop - span.start)
        out.append(zeros.index_add(0, owner[own], gaussian(x[own], known[span].double())))
    return torch.cat(out, 1)


def slopes(kinds: Tensor, x: Tensor, slope: Tensor, known: Tensor, spans: list[slice]) -> Tensor:
    """Return −∂Φ/∂R of one molecule.

    Parameters
    ----------
    kinds
        (n,) the element of each environment.
    x
        (n, dims) environments in units of σ.
    slope
        (3n, n, dims) Å⁻¹ slopes of the environments by every coordinate.
    known, spans
        As in `molecule_kernel`.

    Returns
    -------
    Tensor
        (3n, m) Å⁻¹.
    """
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
    """Return the kernel of each molecule with itself.

    Parameters
    ----------
    kinds, x, owner, molecules
        As in `molecule_kernel`.

    Returns
    -------
    Tensor
        (molecules,) k(A, A).
    """
    out = x.new_zeros(molecules)
    for kind in kinds.unique().tolist():
        own = torch.nonzero(kinds == kind).flatten()
        same = owner[own, None] == owner[own]
        out.index_add_(0, owner[own], (gaussian(x[own], x[own]) * same).sum(1))
    return out


def pools(kinds: Tensor, sizes: Tensor, order: Tensor, elements: int) -> list[Tensor]:
    """Return the environments of each element that may become landmarks.

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


def turn(labels: Tensor) -> Tensor:
    """Count the earlier entries with the same label.

    Parameters
    ----------
    labels
        (n,) integers.

    Returns
    -------
    Tensor
        (n,) int64, 0 where a label comes for the first time.
    """
    order = labels.argsort(stable=True)
    ascending = labels[order]
    turn = torch.empty_like(order)
    turn[order] = torch.arange(len(order)) - torch.searchsorted(ascending, ascending)
    return turn
