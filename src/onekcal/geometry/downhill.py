"""Whether a relaxed geometry is a minimum or a saddle point, and the way down from it.

The lowest eigenpair of the Hessian H tells, relative to Lindh's model P of H, among all
displacements V that are neither translation nor rotation:

    VᵀHV y = λ VᵀPV y   by Lanczos' method, each product Hv by a difference of two gradients

P ≈ H for bonds and angles, so λ ≈ 1 for all but a few directions, and about ten products find the
lowest. One gradient of each difference is that of the stationary point. What the search finds is
measured by a central difference. It is a way down where the energy falls more steeply than `STEEP`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.linalg import cholesky, eigh_tridiagonal, solve_triangular

from onekcal.geometry.hessian import gradient_rise
from onekcal.geometry.inertia import ELECTRON_MASSES, MASSES, internal
from onekcal.geometry.model_hessian import model_hessian
from onekcal.molecules import Molecules
from onekcal.quantum.method import Calculation
from onekcal.units import BOHR, HARTREE, WAVENUMBER

PRODUCTS = 24
"""How many Hessian-vector products are computed at most. About ten are enough."""
RESIDUAL = 0.05
"""The residual that ends the search, in the unit of λ, which is near 1 for a bond."""
PROBE = 0.01
"""Å, the largest movement of an atom in a difference."""
STEEP = 50.0
"""1/cm, imaginary. A direction that falls less steeply is not followed.

It may be what a relaxation leaves undone, or a methyl group on its barrier.
"""


def downhill(calculation: Calculation, molecule: Molecules) -> np.ndarray | None:
    """Find a way down from a stationary point.

    Parameters
    ----------
    calculation
        The molecule under a method.
    molecule
        The molecule at the stationary point.

    Returns
    -------
    ndarray or None
        (n, 3) displacement whose largest movement of an atom is 1. None at a minimum, where no
        direction falls steeply enough, and for elements without a mass here.
    """
    numbers, positions = molecule.numbers.numpy(), molecule.positions.numpy()
    if len(numbers) == 1 or any(int(z) not in MASSES for z in numbers):
        return None
    here = calculation.at(positions).gradient
    assert here is not None
    space = internal(np.ones(len(numbers)), positions)  # (3n, 3n − 6)
    factor = cholesky(space.T @ model_hessian(numbers, positions / BOHR) @ space, lower=True)

    def moved(y: np.ndarray) -> np.ndarray:
        return space @ solve_triangular(factor, y, trans="T", lower=True)

    def product(y: np.ndarray) -> np.ndarray:
        shift = moved(y).reshape(-1, 3)
        step = PROBE / np.linalg.norm(shift, axis=1).max()
        there = calculation.at(positions + step * shift).gradient
        assert there is not None
        return solve_triangular(
            factor, space.T @ (there - here).ravel() / (step / BOHR), lower=True
        )

    way = moved(_lowest(product, space.shape[1]))
    masses = np.repeat([MASSES[int(z)] * ELECTRON_MASSES for z in numbers], 3)
    square = (
        way @ curvature(calculation, positions, way) / (way @ (masses * way))
    )  # Hartree/(electron mass · Bohr²)
    if square > -((STEEP * WAVENUMBER / HARTREE) ** 2):
        return None
    way = way.reshape(-1, 3)
    return way / np.linalg.norm(way, axis=1).max()


def curvature(calculation: Calculation, positions: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Multiply the Hessian with a displacement, by central differences of the gradient.

    Parameters
    ----------
    calculation
        The molecule under a method.
    positions
        (n, 3) Å.
    along
        (3n,) the displacement, in any unit u.

    Returns
    -------
    ndarray
        (3n,) Hartree/Bohr² times u.
    """
    shift = along.reshape(-1, 3)
    step = PROBE / np.linalg.norm(shift, axis=1).max()
    return gradient_rise(calculation, positions, step * shift) / (2 * step / BOHR)


def _lowest(product: Callable[[np.ndarray], np.ndarray], size: int) -> np.ndarray:
    """Return the lowest eigenvector of a symmetric operator on (size,).

    This is Lanczos' method, and all vectors are kept orthogonal.
    """
    vector = np.random.default_rng(0).normal(size=size)
    basis = [vector / np.linalg.norm(vector)]
    diagonal: list[float] = []
    beside: list[float] = []
    while True:
        image = product(basis[-1])
        diagonal.append(float(basis[-1] @ image))
        known = np.array(basis)
        rest = image - known.T @ (known @ image)
        rest -= known.T @ (known @ rest)
        norm = float(np.linalg.norm(rest))
        _, weights = eigh_tridiagonal(diagonal, beside, select="i", select_range=(0, 0))
        if len(basis) == min(size, PRODUCTS) or norm * abs(weights[-1, 0]) < RESIDUAL:
            return known.T @ weights[:, 0]
        basis.append(rest / norm)
        beside.append(norm)
