r"""The Coulomb matrix and its permutation-invariant forms.

    C_ii = ½ Z_i^2.4        C_ij = Z_i Z_j / |R_i − R_j|        (atomic units: positions are
    converted to Bohr here)

Rupp et al., Phys. Rev. Lett. 108, 058301 (2012); Montavon et al., NeurIPS 25 (2012). Molecules are
padded with zero charges to a common size, which adds zero rows and columns.

Functions of `Molecules` are torch, float64 and differentiable where the feature is. The
scikit-learn transformers take each symmetric matrix as its packed lower triangle, n(n+1)/2 numbers
in row order; a row of another length is filled up with zeros to the next triangular number, so any
table of numbers is valid input.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from onekcal.molecules import Molecules
from onekcal.units import BOHR


def coulomb_matrix(molecules: Molecules, size: int | None = None) -> Tensor:
    """(M, size, size) in atomic units (Hartree); `size` defaults to the largest molecule."""
    numbers, positions = molecules.pad(size)
    return coulomb_of_padded(numbers.to(positions.dtype), positions)


def coulomb_of_padded(charges: Tensor, positions: Tensor) -> Tensor:
    """(M, n, n) in atomic units, of charges (M, n) that are 0 where there is no atom, and
    positions (M, n, 3) Å.
    """
    count = charges.shape[1]
    i, j = torch.tril_indices(count, count, -1, device=charges.device)
    separation = (positions[:, i] - positions[:, j]) / BOHR  # (M, pairs, 3)
    real = (charges[:, i] > 0) & (charges[:, j] > 0)
    # padding sits on one point: its distance is replaced before the square root, whose gradient
    # would be infinite there
    distance = torch.where(real, separation.square().sum(-1), 1.0).sqrt()  # (M, pairs) Bohr
    entries = torch.where(real, charges[:, i] * charges[:, j] / distance, 0.0)
    matrix = torch.diag_embed(0.5 * charges**2.4)
    row = torch.arange(len(charges), device=charges.device)[:, None]
    return matrix.index_put((row, i, j), entries).index_put((row, j, i), entries)


def sorted_eigenvalues(matrices: Tensor) -> Tensor:
    """(M, n) absolute eigenvalues, largest first."""
    return torch.linalg.eigvalsh(matrices).abs().sort(dim=-1, descending=True).values


def sorted_by_norm(matrices: Tensor, noise: Tensor | None = None) -> Tensor:
    """(M, n, n) rows and columns in order of falling row norm, or of norm plus `noise` (M, n)."""
    norms = matrices.norm(dim=-1)
    return _ordered(matrices, norms if noise is None else norms + noise)


def sorted_columns_only(matrices: Tensor) -> Tensor:
    """(M, n, n) rows and columns in order of falling row sum, then the columns alone in order of
    falling norm.

    Not symmetric, and its rows and columns no longer belong to the same atoms: half of a sort, kept
    because a published study computed with it (docs/papers/qm7-classical.md).
    """
    matrices = _ordered(matrices, matrices.abs().sum(-1))
    columns = matrices.norm(dim=1).argsort(dim=-1, descending=True, stable=True)
    return matrices.gather(2, columns[:, None, :].expand_as(matrices))


def _ordered(matrices: Tensor, keys: Tensor) -> Tensor:
    order = keys.argsort(dim=-1, descending=True, stable=True)
    rows = matrices.gather(1, order[:, :, None].expand_as(matrices))
    return rows.gather(2, order[:, None, :].expand_as(matrices))


def packed(matrices: Tensor) -> Tensor:
    """(M, n(n+1)/2) lower triangles, row by row."""
    i, j = torch.tril_indices(matrices.shape[-1], matrices.shape[-1])
    return matrices[:, i, j]


def unpacked(rows: Tensor) -> Tensor:
    """(M, n, n) symmetric matrices of packed lower triangles (M, d), zero-filled to the next
    triangular number.
    """
    size = math.ceil((math.sqrt(8 * rows.shape[1] + 1) - 1) / 2)
    i, j = torch.tril_indices(size, size)
    matrix = rows.new_zeros(len(rows), size, size)
    count = rows.shape[1]
    matrix[:, i[:count], j[:count]] = rows
    matrix[:, j[:count], i[:count]] = rows
    return matrix


def _matrices(transformer: Any, X: Any) -> Tensor:
    """(M, n, n) symmetric matrices of the table a fitted transformer is asked about, checked as
    scikit-learn does.
    """
    check_is_fitted(transformer, "n_features_in_")
    return unpacked(
        torch.from_numpy(np.array(validate_data(transformer, X, dtype=np.float64, reset=False)))
    )


class SortedEigenvalues(TransformerMixin, BaseEstimator):
    """Packed symmetric matrices (M, d) → absolute eigenvalues (M, n), largest first."""

    def fit(self, X: Any, y: Any = None) -> SortedEigenvalues:
        validate_data(self, X, dtype=np.float64)
        return self

    def transform(self, X: Any) -> np.ndarray:
        return sorted_eigenvalues(_matrices(self, X)).numpy()


class SortedCoulomb(TransformerMixin, BaseEstimator):
    """Packed symmetric matrices (M, d) → the same, rows and columns in order of falling norm (M,
    n(n+1)/2).

    `full` gives all n² entries instead, so that a distance counts every off-diagonal one twice.
    """

    def __init__(self, full: bool = False) -> None:
        self.full = full

    def fit(self, X: Any, y: Any = None) -> SortedCoulomb:
        validate_data(self, X, dtype=np.float64)
        return self

    def transform(self, X: Any) -> np.ndarray:
        matrices = sorted_by_norm(_matrices(self, X))
        return (matrices.flatten(1) if self.full else packed(matrices)).numpy()


class RandomlySortedCoulomb(TransformerMixin, BaseEstimator):
    """Packed symmetric matrices → one randomly sorted form of each (M, n(n+1)/2): rows by norm
    plus Gaussian noise.

    `noise` is the standard deviation added to the row norms (atomic units). `transform` is the same
    at every call for the same input; other `random_state`s give other orderings, which is how a
    training set is augmented (Montavon et al. 2012).
    """

    def __init__(self, noise: float = 1.0, random_state: int = 0) -> None:
        self.noise = noise
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> RandomlySortedCoulomb:
        validate_data(self, X, dtype=np.float64)
        return self

    def transform(self, X: Any) -> np.ndarray:
        # sorted first, so that the same noise meets the same atom however the input lists its atoms
        matrices = sorted_by_norm(_matrices(self, X))
        # one draw for all rows of the table, so that a molecule's ordering does not depend on its
        # neighbours
        draw = check_random_state(self.random_state).normal(0, self.noise, matrices.shape[1])
        noise = torch.from_numpy(draw).expand(matrices.shape[:2])
        return packed(sorted_by_norm(matrices, noise)).numpy()
