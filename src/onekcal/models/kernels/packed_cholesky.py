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
MOST_ROWS = 46_340
"""Of the inverse and of triangular solves: SciPy's LAPACK counts n·(n + 1) with 32 bits."""


def place(row: np.ndarray, column: np.ndarray, count: int) -> np.ndarray:
    """Where the elements (row ≤ column) lie in the packed array."""
    half, height = (
        count // 2,
        count + 1 - count % 2,
    )  # columns from `half` on stand upright, the triangle before is turned
    return np.where(
        column >= half, row + (column - half) * height, half + 1 + column + row * height
    )


def put_row(packed: np.ndarray, row: int, values: np.ndarray, count: int) -> None:
    """Store elements (row, row), (row, row + 1) … (row, count − 1)."""
    half, height = count // 2, count + 1 - count % 2
    first = max(half, row)
    columns = packed.reshape(-1, height)
    columns[first - half :, row] = values[first - row :]
    if row < half:
        columns[row, half + 1 + row : 2 * half + 1] = values[: half - row]


def add_to_diagonal(packed: np.ndarray, values: np.ndarray) -> None:
    """K + diag(values), in place."""
    each = np.arange(len(values))
    packed[place(each, each, len(values))] += values


def solve(packed: np.ndarray, right: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """(K + diag(noise))⁻¹ right; `packed` becomes the Cholesky factor."""
    from kernelforge import kernelmath

    add_to_diagonal(packed, noise)
    try:
        return np.array(kernelmath.cho_solve_rfp(packed, right, l2=0.0))
    except RuntimeError as problem:
        raise ConfigError(
            f"the kernel of {len(right):,} observations is not positive definite at regularization "
            f"{noise.min():g}; raise `regularization` or lower `sigma`"
        ) from problem


def left_out(factor: np.ndarray, weights: np.ndarray, groups: Iterable[np.ndarray]) -> np.ndarray:
    """y − ŷ of every group of observations, ŷ by the fit to all others; `factor` becomes the
    inverse.

    By the block inverse, r_G = [(K + λ)⁻¹]_GG⁻¹ α_G; for single observations α_i / (K + λ)⁻¹_ii.
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


def explained(factor: np.ndarray, cross: np.ndarray) -> np.ndarray:
    """(M,) kᵀ (K + λ)⁻¹ k for every row k of `cross` (M, rows), as |U⁻ᵀ k|²."""
    from scipy.linalg import lapack

    check_rows(cross.shape[1])
    solved = lapack.dtfsm(1.0, factor, np.asfortranarray(cross.T), trans="T")  # (rows, M)
    return np.square(solved).sum(0)


def check_rows(rows: int) -> None:
    """Refuse more observations than the inverse and triangular solves can take."""
    if rows > MOST_ROWS:
        raise ConfigError(
            f"leave-one-out and variance take at most {MOST_ROWS:,} observations, got {rows:,}; "
            "lower `choose_on`, or fit without `keep_factor`"
        )
