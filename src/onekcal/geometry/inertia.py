"""Masses of isotopes, moments of inertia, and motions that are neither translation nor rotation."""

from __future__ import annotations

import numpy as np

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
