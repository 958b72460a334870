"""The Hessian of one molecule, from differences of gradients."""

from __future__ import annotations

import numpy as np

from onekcal.quantum.method import Calculation
from onekcal.units import BOHR

STEP = 0.005
"""Å, how far each coordinate is displaced to either side."""


def hessian(calculation: Calculation, positions: np.ndarray, step: float = STEP) -> np.ndarray:
    """Compute the second derivatives of the energy by central differences of the gradient.

    Parameters
    ----------
    calculation
        The molecule under a method.
    positions
        (n, 3) Å.
    step
        Å, how far each coordinate is displaced to either side.

    Returns
    -------
    ndarray
        (3n, 3n) Hartree/Bohr², symmetric.
    """
    count = positions.size
    rows = np.zeros((count, count))
    for coordinate in range(count):
        shift = np.zeros(count)
        shift[coordinate] = step
        rise = gradient_rise(calculation, positions, shift.reshape(-1, 3))
        rows[coordinate] = rise / (2 * step / BOHR)
    return 0.5 * (rows + rows.T)


def gradient_rise(calculation: Calculation, positions: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Return by how much the gradient rises from one side of a geometry to the other.

    Parameters
    ----------
    calculation
        The molecule under a method.
    positions
        (n, 3) Å.
    shift
        (n, 3) Å, added to the positions on one side and subtracted on the other.

    Returns
    -------
    ndarray
        (3n,) Hartree/Bohr.
    """
    up, down = (
        calculation.at(positions + shift).gradient,
        calculation.at(positions - shift).gradient,
    )
    assert up is not None
    assert down is not None
    return (up - down).ravel()
