"""The Hessian of one molecule, and motions that are neither translation nor rotation.

The Hessian comes from differences of gradients.
"""

from __future__ import annotations

import numpy as np

from onekcal.quantum.method import Calculation
from onekcal.units import BOHR

STEP = 0.005
"""Å, how far each coordinate is displaced to either side."""
ELECTRON_MASSES = 1822.888486209
"""Electron masses in one dalton."""
MASSES = {
    1: 1.00782503, 2: 4.00260325, 3: 7.016003, 4: 9.012183, 5: 11.009305, 6: 12.0,
    7: 14.003074, 8: 15.99491462,
    9: 18.99840316, 10: 19.99244, 11: 22.989769, 12: 23.985042, 13: 26.981538, 14: 27.976927,
    15: 30.973762,
    16: 31.97207117, 17: 34.96885268, 18: 39.96238312, 34: 79.916522, 35: 78.918338, 53: 126.904472,
}  # fmt: skip
"""Masses of the most abundant isotopes, dalton."""
FLAT = 1e-3
"""A molecule is linear where a moment of inertia is below this share of the largest."""


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


def shape_of(masses: np.ndarray, positions: np.ndarray) -> str:
    """Tell by the moments of inertia whether a molecule is an "atom", "linear" or "bent".

    Parameters
    ----------
    masses
        (n,) in any unit.
    positions
        (n, 3) in any unit.
    """
    if len(masses) == 1:
        return "atom"
    moments = np.linalg.eigvalsh(inertia(masses, positions))
    return "linear" if moments[0] < FLAT * moments[-1] else "bent"


def inertia(masses: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return the tensor of inertia about the centre of mass.

    Parameters
    ----------
    masses
        (n,) in any unit.
    positions
        (n, 3) in any unit.

    Returns
    -------
    ndarray
        (3, 3) in the unit of the masses times the square of that of the positions.
    """
    r = positions - masses @ positions / masses.sum()
    return np.einsum("a,ax,ay->xy", masses, r, -r) + np.eye(3) * (masses * (r**2).sum(1)).sum()


def internal(masses: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return the displacements that neither move nor turn a molecule.

    Parameters
    ----------
    masses
        (n,) in any unit.
    positions
        (n, 3) in any unit.

    Returns
    -------
    ndarray
        (3n, vibrations), mass-weighted and orthonormal columns.
    """
    r = positions - masses @ positions / masses.sum()
    axes = np.linalg.eigh(inertia(masses, positions))[1].T
    rigid = [np.tile(axis, (len(masses), 1)) for axis in np.eye(3)]
    rigid += [
        np.cross(axis, r) for axis in axes[1 if shape_of(masses, positions) == "linear" else 0 :]
    ]
    rigid = [(np.sqrt(masses)[:, None] * motion).ravel() for motion in rigid]
    return np.linalg.svd(np.array(rigid).T)[0][:, len(rigid) :]
