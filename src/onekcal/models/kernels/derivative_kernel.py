r"""The local Gaussian kernel with its derivatives by positions; kernelforge computes it.

    k(A, B) = Σ_{a∈A} Σ_{b∈B}  δ(Z_a, Z_b) · exp(−|x_a − x_b|² / 2σ²)
    E(A)    = Σ_B k(A, B) α_B + Σ_B Σ_r ∂k(A, B)/∂r_B α'_B

The derivatives need the gradients ∂x/∂r of the features. For the training molecules they are needed
only in the sums p = Σ_r ∂x/∂r α'_r, here called pulls, which are as large as the features.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np

from onekcal.features.fchl import Environments
from onekcal.models.kernels.packed_cholesky import Array


def _kernels() -> ModuleType:
    """kernelforge's local kernels; it has wheels for Linux only."""
    from kernelforge import local_kernels

    return local_kernels


def full_kernel(known: Environments, gradients: Array, sigma: float) -> Array:
    """Return the kernel of energies and forces of the training molecules.

    Parameters
    ----------
    known
        Environments of N molecules with A atoms in all.
    gradients
        (N, n, d, 3n) Å⁻¹ derivatives of their features.
    sigma
        Width of the Gaussian.

    Returns
    -------
    ndarray
        [[k, ∂k/∂r'], [∂k/∂r, ∂²k/∂r∂r']] with N + 3A rows, packed (`packed_cholesky`).
    """
    return _kernels().kernel_gaussian_full_symm_rfp(
        known.features, gradients, known.charges, known.sizes, sigma
    )


def pulls_of(known: Environments, gradients: Array, weights: Array) -> Array:
    """Return the pulls, the sums of the weights of forces in the space of the features.

    Parameters
    ----------
    known
        Environments of N training molecules with A atoms in all.
    gradients
        (N, n, d, 3n) Å⁻¹ derivatives of their features.
    weights
        (3A,) α', kcal/mol·Å.

    Returns
    -------
    ndarray
        (N, n, d) p, kcal/mol.
    """
    return _kernels().kernel_gaussian_local_compute_alpha_desc(
        gradients, known.charges, known.sizes, weights
    )


def energies(
    asked: Environments, known: Environments, weights: Array, pulls: Array, sigma: float
) -> Array:
    """Return energies of a fit to energies and forces.

    Parameters
    ----------
    asked
        Environments of M molecules.
    known
        Environments of the N training molecules.
    weights
        (N,) α, kcal/mol.
    pulls
        (N, n, d) p, kcal/mol.
    sigma
        Width of the Gaussian.

    Returns
    -------
    ndarray
        (M,) kcal/mol.
    """
    others = (asked.charges, known.charges, asked.sizes, known.sizes, sigma)
    return _kernels().kernel_gaussian_local_matvec(
        asked.features, known.features, weights, *others
    ) + _kernels().kernel_gaussian_local_jacobian_t_matvec(
        asked.features, known.features, pulls, *others
    )


def energy_slopes(
    asked: Environments,
    gradients: Array,
    known: Environments,
    weights: Array,
    pulls: Array,
    sigma: float,
) -> Array:
    """Return the derivatives of energies by positions; forces are their negatives.

    Parameters
    ----------
    asked
        Environments of M molecules with A atoms in all.
    gradients
        (M, n, d, 3n) Å⁻¹ derivatives of their features.
    known, weights, pulls, sigma
        As in `energies`.

    Returns
    -------
    ndarray
        (3A,) kcal/mol/Å.
    """
    _, slopes = _kernels().kernel_gaussian_local_full_matvec(
        asked.features,
        gradients,
        known.features,
        pulls,
        weights,
        asked.charges,
        known.charges,
        asked.sizes,
        known.sizes,
        sigma,
    )
    return slopes


def kernel_slopes(
    asked: Environments, known: Environments, gradients: Array, sigma: float
) -> Array:
    """Return the derivatives of the kernel by the positions of the training molecules.

    Parameters
    ----------
    asked
        Environments of M molecules.
    known
        Environments of training molecules with A atoms in all.
    gradients
        (N, n, d, 3n) Å⁻¹ derivatives of the features of the training molecules.
    sigma
        Width of the Gaussian.

    Returns
    -------
    ndarray
        (M, 3A) Å⁻¹.
    """
    return _kernels().kernel_gaussian_jacobian(
        asked.features,
        known.features,
        gradients,
        asked.charges,
        known.charges,
        asked.sizes,
        known.sizes,
        sigma,
    )


def own_kernel(asked: Environments, sigma: float) -> Array:
    """Return k(A, A) of every molecule.

    Parameters
    ----------
    asked
        Environments of M molecules.
    sigma
        Width of the Gaussian.

    Returns
    -------
    ndarray
        (M,), without unit.
    """
    each = [Environments(*(array[m : m + 1] for array in asked)) for m in range(len(asked.sizes))]
    return np.array([float(_kernels().kernel_gaussian_symm_rfp(*one, sigma)[0]) for one in each])
