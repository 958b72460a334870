"""The Coulomb matrix and its permutation-invariant forms.

    C_ii = ½ Z_i^2.4        C_ij = Z_i Z_j / |R_i − R_j|        (atomic units)

Rupp et al., Phys. Rev. Lett. 108, 058301 (2012); Montavon et al., NeurIPS 25 (2012). Positions are
converted to Bohr here. Molecules are padded with zero charges to a common size, which adds zero
rows and columns.

Functions of `Molecules` are torch, float64 and differentiable where the feature is. The
scikit-learn transformers take each symmetric matrix as its packed lower triangle, n(n+1)/2 numbers
in row order. A row of another length is filled up with zeros to the next triangular number, so any
table of numbers is valid input.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from onekcal.molecules import Molecules
from onekcal.units import BOHR


def coulomb_matrix(molecules: Molecules, size: int | None = None) -> Tensor:
    """Return the Coulomb matrices of molecules.

    Parameters
    ----------
    molecules
        The molecules.
    size
        Rows and columns of a matrix. None takes the atoms of the largest molecule.

    Returns
    -------
    Tensor
        (M, size, size) in atomic units.
    """
    numbers, positions = molecules.pad(size)
    return coulomb_of_padded(numbers.to(positions.dtype), positions)


def coulomb_of_padded(charges: Tensor, positions: Tensor) -> Tensor:
    """Return the Coulomb matrices of padded molecules.

    Parameters
    ----------
    charges
        (M, n) nuclear charges, 0 where there is no atom.
    positions
        (M, n, 3) Å.

    Returns
    -------
    Tensor
        (M, n, n) in atomic units.
    """
    count = charges.shape[1]
    i, j = torch.tril_indices(count, count, -1, device=charges.device)
    separation = (positions[:, i] - positions[:, j]) / BOHR  # (M, pairs, 3)
    real = (charges[:, i] > 0) & (charges[:, j] > 0)
    # all padding is on one point; its distance is replaced before the square root, because the
    # gradient of the root would be infinite there
    distance = torch.where(real, separation.square().sum(-1), 1.0).sqrt()  # (M, pairs) Bohr
    entries = torch.where(real, charges[:, i] * charges[:, j] / distance, 0.0)
    matrix = torch.diag_embed(0.5 * charges**2.4)
    row = torch.arange(len(charges), device=charges.device)[:, None]
    return matrix.index_put((row, i, j), entries).index_put((row, j, i), entries)


def sorted_eigenvalues(matrices: Tensor) -> Tensor:
    """Return the absolute eigenvalues, the largest first.

    Parameters
    ----------
    matrices
        (M, n, n) symmetric.

    Returns
    -------
    Tensor
        (M, n) values.
    """
    return torch.linalg.eigvalsh(matrices).abs().sort(dim=-1, descending=True).values


def sorted_by_norm(matrices: Tensor, noise: Tensor | None = None) -> Tensor:
    """Bring rows and columns into the order of falling row norms.

    Parameters
    ----------
    matrices
        (M, n, n) symmetric.
    noise
        (M, n) numbers added to the norms before they are sorted. None adds nothing.
    """
    norms = matrices.norm(dim=-1)
    return _ordered(matrices, norms if noise is None else norms + noise)


def sorted_columns_only(matrices: Tensor) -> Tensor:
    """Sort rows and columns by falling row sum, then the columns alone by falling norm.

    The result is not symmetric, and its rows and columns no longer belong to the same atoms. A
    published study computed with it (docs/papers/qm7-classical.md).

    Parameters
    ----------
    matrices
        (M, n, n) symmetric.
    """
    matrices = _ordered(matrices, matrices.abs().sum(-1))
    columns = matrices.norm(dim=1).argsort(dim=-1, descending=True, stable=True)
    return matrices.gather(2, columns[:, None, :].expand_as(matrices))


def _ordered(matrices: Tensor, keys: Tensor) -> Tensor:
    order = keys.argsort(dim=-1, descending=True, stable=True)
    rows = matrices.gather(1, order[:, :, None].expand_as(matrices))
    return rows.gather(2, order[:, None, :].expand_as(matrices))


def packed(matrices: Tensor) -> Tensor:
    """Return the lower triangles, row by row.

    Parameters
    ----------
    matrices
        (M, n, n) symmetric. The result is (M, n(n+1)/2).
    """
    i, j = torch.tril_indices(matrices.shape[-1], matrices.shape[-1])
    return matrices[:, i, j]


def unpacked(rows: Tensor) -> Tensor:
    """Return the symmetric matrices of packed lower triangles.

    Parameters
    ----------
    rows
        (M, d) lower triangles. Zeros fill them up to the next triangular number n(n+1)/2.

    Returns
    -------
    Tensor
        (M, n, n) matrices.
    """
    size = math.ceil((math.sqrt(8 * rows.shape[1] + 1) - 1) / 2)
    i, j = torch.tril_indices(size, size)
    matrix = rows.new_zeros(len(rows), size, size)
    count = rows.shape[1]
    matrix[:, i[:count], j[:count]] = rows
    matrix[:, j[:count], i[:count]] = rows
    return matrix


def _matrices(transformer: BaseEstimator, X: npt.ArrayLike) -> Tensor:
    """Check a table as scikit-learn does and return its symmetric matrices (M, n, n)."""
    check_is_fitted(transformer, "n_features_in_")
    return unpacked(
        torch.from_numpy(np.array(validate_data(transformer, X, dtype=np.float64, reset=False)))
    )


class SortedEigenvalues(TransformerMixin, BaseEstimator):
    """Packed symmetric matrices (M, d) → absolute eigenvalues (M, n), the largest first."""

    def fit(self, X: npt.ArrayLike, y: object = None) -> SortedEigenvalues:
        """Note the number of columns of `X` (M, d); `y` is not used."""
        validate_data(self, X, dtype=np.float64)
        return self

    def transform(self, X: npt.ArrayLike) -> np.ndarray:
        """Return the eigenvalues (M, n) of packed matrices `X` (M, d)."""
        return sorted_eigenvalues(_matrices(self, X)).numpy()


class SortedCoulomb(TransformerMixin, BaseEstimator):
    """Packed symmetric matrices (M, d) → the same with rows and columns by falling norm.

    Parameters
    ----------
    full
        False gives lower triangles (M, n(n+1)/2). True gives all n² entries, so that a distance
        between two rows counts every off-diagonal entry twice.
    """

    def __init__(self, full: bool = False) -> None:
        self.full = full

    def fit(self, X: npt.ArrayLike, y: object = None) -> SortedCoulomb:
        """Note the number of columns of `X` (M, d); `y` is not used."""
        validate_data(self, X, dtype=np.float64)
        return self

    def transform(self, X: npt.ArrayLike) -> np.ndarray:
        """Return the sorted form of packed matrices `X` (M, d)."""
        matrices = sorted_by_norm(_matrices(self, X))
        return (matrices.flatten(1) if self.full else packed(matrices)).numpy()


class RandomlySortedCoulomb(TransformerMixin, BaseEstimator):
    """Packed symmetric matrices (M, d) → one randomly sorted form of each, (M, n(n+1)/2).

    Rows are sorted by their norm plus Gaussian noise. `transform` gives the same result at every
    call for the same input. Other values of `random_state` give other orderings, which augment a
    training set (Montavon et al. 2012).

    Parameters
    ----------
    noise
        Standard deviation of the noise, in the unit of the matrices (atomic units).
    random_state
        Seed of the noise.
    """

    def __init__(self, noise: float = 1.0, random_state: int = 0) -> None:
        self.noise = noise
        self.random_state = random_state

    def fit(self, X: npt.ArrayLike, y: object = None) -> RandomlySortedCoulomb:
        """Note the number of columns of `X` (M, d); `y` is not used."""
        validate_data(self, X, dtype=np.float64)
        return self

    def transform(self, X: npt.ArrayLike) -> np.ndarray:
        # sorted first, so that an atom has the same noise in whatever order the input lists atoms
        """Return the randomly sorted form of packed matrices `X` (M, d)."""
        matrices = sorted_by_norm(_matrices(self, X))
        # one draw for all rows of the table, so that a molecule's ordering does not depend on its
        # neighbours
        draw = check_random_state(self.random_state).normal(0, self.noise, matrices.shape[1])
        noise = torch.from_numpy(draw).expand(matrices.shape[:2])
        return packed(sorted_by_norm(matrices, noise)).numpy()
