"""The equations of low-rank kernel ridge regression, in the basis of the whitened landmarks.

The equations stand in `sparse_kernel.py`. Landmarks are sorted by element; `spans` holds the rows
of each element's landmarks.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from onekcal.errors import ConfigError
from onekcal.models.kernels.landmarks import gaussian

JITTER = 1e-11
"""Added to the diagonal of the landmarks' kernel, so that rounding leaves it positive."""


class NormalEquations(NamedTuple):
    """The least-squares problem in the basis L⁻¹Φᵀ."""

    gram: Tensor  # (m, m) L⁻¹ΦᵀΦL⁻ᵀ
    right: Tensor  # (m,) L⁻¹Φᵀy
    square: float  # yᵀy
    equations: int


def normal_equations(
    equations: Iterable[tuple[Tensor, Tensor]], lower: Tensor, spans: list[slice]
) -> NormalEquations:
    """Add up the normal equations block by block.

    Parameters
    ----------
    equations
        Blocks of rows of Φ (r, m) and their labels y (r,).
    lower
        (m, m) L, the Cholesky factor of the landmarks' own kernel.
    spans
        The landmarks of each element.
    """
    gram, right, square, count = torch.zeros_like(lower), lower.new_zeros(len(lower)), 0.0, 0
    for phi, values in equations:
        rows = whitened(phi, lower, spans)
        gram.addmm_(rows.T, rows)
        right += rows.T @ values.double()
        square += float(values.double().square().sum())
        count += len(values)
    return NormalEquations(gram, right, square, count)


def solutions(
    gram: Tensor, right: Tensor, regularizations: list[float], stage: str
) -> tuple[dict[float, Tensor], Tensor | None]:
    """Solve the normal equations for every λ at which they can be solved.

    Parameters
    ----------
    gram, right
        (m, m) and (m,), as in `NormalEquations`.
    regularizations
        The values of λ.
    stage
        The name of the stage, for the message.

    Returns
    -------
    tuple
        λ → (m, 1) solution; the Cholesky factor of the last λ, None where it has none.

    Raises
    ------
    ConfigError
        There is no solution at any λ.
    """
    solved, factor = {}, None
    for regularization in regularizations:
        factor = cholesky(gram, regularization)
        if factor is not None:
            solved[regularization] = torch.cholesky_solve(right[:, None], factor)
    if not solved:
        raise ConfigError(
            f"{stage}: {len(gram):,} equations are not positive definite at regularization "
            f"{max(regularizations):g}; raise it"
        )
    return solved, factor


def kernel_factor(known: Tensor, spans: list[slice]) -> Tensor | None:
    """Return the Cholesky factor of the landmarks' own kernel.

    Parameters
    ----------
    known
        (m, dims) landmarks in units of σ.
    spans
        The landmarks of each element.

    Returns
    -------
    Tensor or None
        (m, m) L with K = LLᵀ; None where K is not positive definite.
    """
    lower = torch.zeros(len(known), len(known), dtype=torch.float64)
    for span in spans:
        z = known[span].double()
        factor = cholesky(gaussian(z, z).fill_diagonal_(1), JITTER)
        if factor is None:
            return None
        lower[span, span] = factor
    return lower


def whitened(rows: Tensor, lower: Tensor, spans: list[slice]) -> Tensor:
    """Return rows of Φ in the basis in which the landmarks' own kernel is 1.

    Parameters
    ----------
    rows
        (r, m) of Φ.
    lower
        (m, m) L, which has one block for each element.
    spans
        The landmarks of each element.

    Returns
    -------
    Tensor
        (r, m) ΦL⁻ᵀ.
    """
    out = torch.empty_like(rows)
    for span in spans:
        out[:, span] = torch.linalg.solve_triangular(
            lower[span, span], rows[:, span].T, upper=False
        ).T
    return out


def posterior(rows: Tensor, factor: Tensor, own: Tensor, regularization: float) -> Tensor:
    """Return the posterior variance of energies in units of the noise s².

    Parameters
    ----------
    rows
        (r, m) of Φ, whitened.
    factor
        (m, m) Cholesky factor of L⁻¹ΦᵀΦL⁻ᵀ + λ of the fit.
    own
        (r,) k(A, A).
    regularization
        λ.

    Returns
    -------
    Tensor
        (r,).
    """
    known = torch.linalg.solve_triangular(factor, rows.T, upper=False).square().sum(0)
    # far from all landmarks φ vanishes: without this term the strangest molecule would have the
    # smallest variance
    unknown = own - rows.square().sum(1)
    return known + unknown.clamp(min=0) / regularization


def cholesky(matrix: Tensor, added: float) -> Tensor | None:
    """Return the lower Cholesky factor of a matrix.

    Parameters
    ----------
    matrix
        (m, m) symmetric; it is left as it is.
    added
        Added to the diagonal first.

    Returns
    -------
    Tensor or None
        (m, m); None where the matrix is not positive definite.
    """
    raised = matrix.clone()
    raised.diagonal().add_(added)
    factor, failed = torch.linalg.cholesky_ex(raised)
    # not every LAPACK reports a failure where an entry is not a number
    return None if int(failed) or not factor.isfinite().all() else factor
