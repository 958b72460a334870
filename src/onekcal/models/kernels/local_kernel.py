r"""The local Gaussian kernel as products of matrices, on features projected element by element.

    k(A, B) = Σ_{a∈A} Σ_{b∈B}  δ(Z_a, Z_b) · exp(−|x_a − x_b|² / 2σ²)

Features of one element are redundant: of 720 numbers, some 400 principal axes of the training
environments hold all but 1e-12 of σ². With P the projection on these axes and r = x − Px,

    |x_a − x_b|² = |x_a|² + |x_b|² − 2 Px_a·Px_b − 2 r_a·r_b

and only the last term is left out: lengths are those of the full features. The axes after the first
100 or so hold 1e-5 of σ² together, so that their products may be made in single precision. Sums and
exponentials are float64. Among training molecules and others like them K is right to 1e-10. With a
molecule far off the axes, |r_a| ≈ σ, it is right to 1e-6, the size of r_b/σ. Between two such
molecules it is wrong. It is always smooth and, to rounding, positive semidefinite. Atoms are sorted
by element, then by molecule. Plain torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from onekcal.models.kernels.packed_cholesky import Array, put_row

TOLERANCE = 1e-12
"""Largest mean |r|²/σ² of an element's training environments. Exponents are wrong by no more."""
SINGLE = 1e-5
"""The same for the axes in single precision. It rounds exponents by 1e-7 of this, which is no more
than TOLERANCE.
"""
MOLECULES = 64
"""Rows of the kernel made at a time; with ATOMS, what a tile of exponentials holds: about 20 MB."""
ATOMS = 4096


class Atoms(NamedTuple):
    """Features of the atoms of a few molecules."""

    features: Tensor  # (A, d)
    kinds: Tensor  # (A,) place of the element in the list of elements
    owner: Tensor  # (A,) molecule, ascending


class Projected(NamedTuple):
    """Environments of some molecules along the axes of their elements, one entry an element."""

    points: list[Tensor]  # (n, leading + 2): P(x − middle)/σ, −|x − middle|²/2σ², 1
    tails: list[Tensor]  # (n, dims − leading) P(x − middle)/σ along the other axes, float32
    owner: list[Tensor]  # (n,) molecule of each, ascending
    molecules: int

    def part(self, first: int, stop: int) -> Projected:
        """Return the environments of some of the molecules.

        Parameters
        ----------
        first, stop
            The molecules first … stop − 1.
        """
        spans = [
            slice(*torch.searchsorted(own, torch.tensor([first, stop])).tolist())
            for own in self.owner
        ]
        return Projected(
            [x[span] for x, span in zip(self.points, spans)],
            [x[span] for x, span in zip(self.tails, spans)],
            [own[span] - first for own, span in zip(self.owner, spans)],
            min(stop, self.molecules) - first,
        )


class Axes:
    """Middle and leading principal axes of each element's environments, for one σ.

    Parameters
    ----------
    blocks
        All training environments. The axes of one element are found at a time.
    elements
        Number of elements.
    sigma
        Width σ.
    """

    def __init__(self, blocks: list[Atoms], elements: int, sigma: float) -> None:
        self.sigma = sigma
        self.middle: list[Tensor] = []  # (d,)
        self.axes: list[Tensor] = []  # (d, leading)
        self.others: list[Tensor] = []  # (d, dims − leading)
        for kind in range(elements):
            count = sum(int((block.kinds == kind).sum()) for block in blocks)
            first = next((own for own in _of(kind, blocks) if len(own)), blocks[0].features[:1])
            self.middle.append(first.mean(0))  # any point among them keeps lengths short
            rows = (own - self.middle[-1] for own in _of(kind, blocks))
            few = count <= len(self.middle[-1])
            axes, others = _spanning(rows) if few else _principal(rows, count, sigma)
            self.axes.append(axes)
            self.others.append(others)

    def project(self, blocks: Iterable[Atoms], count: int) -> Projected:
        """Return environments along the axes, in units of σ.

        Parameters
        ----------
        blocks
            Environments of some molecules.
        count
            Number of these molecules.
        """
        points: list[list[Tensor]] = [[] for _ in self.axes]
        tails: list[list[Tensor]] = [[] for _ in self.axes]
        owner: list[list[Tensor]] = [[] for _ in self.axes]
        for block in blocks:
            for kind, (middle, axes, others) in enumerate(zip(self.middle, self.axes, self.others)):
                own = block.kinds == kind
                x = (block.features[own] - middle) / self.sigma
                points[kind].append(
                    torch.cat(
                        [x @ axes, -0.5 * x.square().sum(1, keepdim=True), x.new_ones(len(x), 1)], 1
                    )
                )
                tails[kind].append((x @ others).float())
                owner[kind].append(block.owner[own])
        joined = [[torch.cat(each) for each in lists] for lists in (points, tails, owner)]
        return Projected(joined[0], joined[1], joined[2], count)


def _of(kind: int, blocks: list[Atoms]) -> Iterator[Tensor]:
    return (block.features[block.kinds == kind] for block in blocks)


def _principal(rows: Iterable[Tensor], count: int, sigma: float) -> tuple[Tensor, Tensor]:
    """(d, leading) and (d, others) principal axes of `count` rows (n, d)."""
    square = sum((x.T @ x for x in rows), torch.zeros((), dtype=torch.float64))
    variance, axes = torch.linalg.eigh(square / count)  # ascending
    left = variance.clamp(min=0).cumsum(0) / sigma**2
    off, rest = int((left <= TOLERANCE).sum()), int((left <= SINGLE).sum())
    return axes[:, rest:].contiguous(), axes[:, off:rest].contiguous()


def _spanning(rows: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """(d, n) and (d, 0) axes that leave nothing of rows (n, d) fewer than d."""
    axes = torch.linalg.qr(torch.cat([*rows]).T).Q
    return axes, axes[:, :0]


def symmetric(known: Projected) -> Array:
    """Return the kernel of molecules among themselves.

    Parameters
    ----------
    known
        Environments of N molecules.

    Returns
    -------
    ndarray
        K, packed (`packed_cholesky`).
    """
    packed = np.empty(known.molecules * (known.molecules + 1) // 2)
    for first in range(0, known.molecules, MOLECULES):
        rows = known.part(first, first + MOLECULES)
        for m, row in enumerate(_strip(rows, known.part(first, known.molecules)).T.numpy()):
            put_row(packed, first + m, row[m:], known.molecules)
    return packed


def rectangular(asked: Projected, known: Projected) -> Tensor:
    """Return the kernel between two lists of molecules.

    Parameters
    ----------
    asked, known
        Environments of M and of N molecules.

    Returns
    -------
    Tensor
        (M, N).
    """
    out = torch.empty(asked.molecules, known.molecules, dtype=torch.float64)
    for first in range(0, asked.molecules, MOLECULES):
        out[first : first + MOLECULES] = _strip(asked.part(first, first + MOLECULES), known).T
    return out


def matvec(asked: Projected, known: Projected, weights: Tensor) -> Tensor:
    """Return K · weights without making K.

    Every known environment has the weight of its molecule.

    Parameters
    ----------
    asked, known
        Environments of M and of N molecules.
    weights
        (N,) kcal/mol.

    Returns
    -------
    Tensor
        (M,) kcal/mol.
    """
    out = torch.zeros(asked.molecules, dtype=torch.float64)
    for first in range(0, asked.molecules, MOLECULES):
        rows = asked.part(first, first + MOLECULES)
        for kind, span, similar in _tiles(rows, known):
            out[first : first + MOLECULES].index_add_(
                0, rows.owner[kind], similar @ weights[known.owner[kind][span]]
            )
    return out


def _strip(rows: Projected, columns: Projected) -> Tensor:
    """K transposed, (columns, rows): sums over atoms are fast along the longer side."""
    out = torch.zeros(columns.molecules, rows.molecules, dtype=torch.float64)
    for kind, span, similar in _tiles(rows, columns):
        by_molecule = similar.new_zeros(rows.molecules, similar.shape[1]).index_add_(
            0, rows.owner[kind], similar
        )
        out.index_add_(0, columns.owner[kind][span], by_molecule.T.contiguous())
    return out


def _tiles(rows: Projected, columns: Projected) -> Iterator[tuple[int, slice, Tensor]]:
    """Give an element, some of its columns, and exp(−|x − z|²/2σ²) of all rows with these."""
    for kind, (x, z) in enumerate(zip(rows.points, columns.points)):
        if not len(x):
            continue
        swapped = torch.cat([x[:, :-2], x[:, -1:], x[:, -2:-1]], 1)  # so that lengths meet ones
        for first in range(0, len(z), ATOMS):
            span = slice(first, first + ATOMS)
            exponents = (rows.tails[kind] @ columns.tails[kind][span].T).double()
            yield kind, span, exponents.addmm_(swapped, z[span].T).exp_()
