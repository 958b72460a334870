"""Symmetric matrices packed to half their size, and what Cholesky factorisation leaves there.

The layout is LAPACK's rectangular full packed format, TRANSR = 'N', UPLO = 'U' (Gustavson et al.,
ACM Trans. Math. Softw. 37, 18, 2010): `count`·(`count` + 1)/2 numbers in which Cholesky runs at
full speed. kernelforge packs its kernels so and overwrites them with the factor U, UᵀU = K + λ.
Everything here works in place or on elements, never on the full square.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from onekcal.errors import ConfigError

Array = npt.NDArray[np.float64]
"""Numbers in double precision."""
Places = npt.NDArray[np.int64]
"""Numbers of rows, columns or places."""
MOST_ROWS = 46_340
"""Most rows of the inverse and of triangular solutions: LAPACK counts n·(n + 1) in 32 bits."""


def _layout(count: int) -> tuple[int, int]:
    """The first column that stands upright (the triangle before it is turned), and their length."""
    return count // 2, count + 1 - count % 2


def place(row: Places, column: Places, count: int) -> Places:
    """Return where elements of a matrix lie in the packed array.

    Parameters
    ----------
    row, column
        Numbers of rows and columns, row ≤ column.
    count
        Rows of the matrix.
    """
    half, height = _layout(count)
    return np.where(
        column >= half, row + (column - half) * height, half + 1 + column + row * height
    )


def put_row(packed: Array, row: int, values: Array, count: int) -> None:
    """Store the part of a row from the diagonal on.

    Parameters
    ----------
    packed
        The packed array; it is changed.
    row
        Number of the row.
    values
        Elements (row, row), (row, row + 1) … (row, count − 1).
    count
        Rows of the matrix.
    """
    half, height = _layout(count)
    first = max(half, row)
    columns = packed.reshape(-1, height)
    columns[first - half :, row] = values[first - row :]
    if row < half:
        columns[row, half + 1 + row : 2 * half + 1] = values[: half - row]


def add_to_diagonal(packed: Array, values: Array) -> None:
    """Add numbers to the diagonal, in place.

    Parameters
    ----------
    packed
        The packed array; it is changed.
    values
        (rows,).
    """
    each = np.arange(len(values))
    packed[place(each, each, len(values))] += values


def solve(packed: Array, right: Array, noise: Array) -> Array:
    """Return (K + diag(noise))⁻¹ right.

    Parameters
    ----------
    packed
        K, packed; it becomes the Cholesky factor.
    right
        (rows,).
    noise
        (rows,) λ of each row.

    Raises
    ------
    ConfigError
        The matrix is not positive definite.
    """
    from kernelforge import kernelmath

    add_to_diagonal(packed, noise)
    try:
        return np.array(kernelmath.cho_solve_rfp(packed, right, l2=0.0))
    except RuntimeError as problem:
        raise ConfigError(
            f"the kernel of {len(right):,} observations is not positive definite at regularization "
            f"{noise.min():g}; raise `regularization` or lower `sigma`"
        ) from problem


def left_out(factor: Array, weights: Array, groups: Iterable[Places]) -> Array:
    """Return y − ŷ of every group of observations, with ŷ from the fit to all others.

    By the block inverse, r_G = [(K + λ)⁻¹]_GG⁻¹ α_G; for single observations α_i / (K + λ)⁻¹_ii.

    Parameters
    ----------
    factor
        The packed Cholesky factor; it becomes the inverse.
    weights
        (rows,) α of the fit to all observations.
    groups
        Row numbers of each group.

    Returns
    -------
    ndarray
        (rows,) in the unit of y.
    """
    from scipy.linalg import lapack

    check_rows(len(weights))
    inverse, _ = lapack.dpftri(len(weights), factor, overwrite_a=True)
    residuals = np.empty_like(weights)
    for group in groups:
        row, column = np.meshgrid(group, group, indexing="ij")
        block = inverse[place(np.minimum(row, column), np.maximum(row, column), len(weights))]
        residuals[group] = np.linalg.solve(block, weights[group])
    return residuals


def explained(factor: Array, cross: Array) -> Array:
    """Return kᵀ (K + λ)⁻¹ k as |U⁻ᵀ k|².

    Parameters
    ----------
    factor
        The packed Cholesky factor U.
    cross
        (M, rows), one k a row.

    Returns
    -------
    ndarray
        (M,).
    """
    from scipy.linalg import lapack

    check_rows(cross.shape[1])
    solved = lapack.dtfsm(1.0, factor, np.asfortranarray(cross.T), trans="T")  # (rows, M)
    return np.square(solved).sum(0)


def check_rows(rows: int) -> None:
    """Refuse more observations than the inverse and triangular solutions can take.

    Parameters
    ----------
    rows
        Number of observations.

    Raises
    ------
    ConfigError
        Says how many there may be.
    """
    if rows > MOST_ROWS:
        raise ConfigError(
            f"leave-one-out and variance take at most {MOST_ROWS:,} observations, got {rows:,}; "
            "lower `choose_on`, or fit without `keep_factor`"
        )
