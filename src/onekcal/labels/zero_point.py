"""B3LYP's zero-point energy from GFN2-xTB's frequencies.

    ZPE(B3LYP) ≈ ½ Σ_ω s(ω) ω + Σ_Z c_Z n_Z + Σ_X h_X n_HX

s is linear between knots, n_Z counts atoms, n_HX counts hydrogens whose nearest atom is X. Fitted
by least squares to G3/05 and QM9 (`scripts/zero_point.py` makes the numbers).
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from onekcal.errors import InputError
from onekcal.molecules import SYMBOLS, Molecules
from onekcal.units import WAVENUMBER

KNOTS = (500.0, 1500.0, 2500.0, 3500.0)
"""1/cm; s is constant outside."""
SCALES = (1.0625, 1.0135, 1.0269, 1.0357)
"""s at the knots."""
ATOMS = {
    1: 0.0,
    6: 0.016,
    7: -0.084,
    8: 0.08,
    9: 0.183,
    14: -0.195,
    15: -0.119,
    16: -0.071,
    17: 0.09,
    35: 0.031,
}
"""kcal/mol an atom."""
HYDROGENS = {6: -0.118, 7: 0.203, 8: 0.151, 14: 0.063, 16: 0.314}
"""kcal/mol a hydrogen, by what it is bound to."""
ERROR = 0.31
"""kcal/mol; mean absolute error on 103 molecules that were not fitted; 0.21 on the 42 of them with
up to six atoms."""


def zero_point_from_gfn2(molecule: Molecules, waves: np.ndarray) -> float:
    """Return B3LYP/6-31G(2df,p)'s unscaled zero-point energy (kcal/mol).

    Parameters
    ----------
    molecule
        One molecule at GFN2-xTB's minimum (Å).
    waves
        (vibrations,) 1/cm; GFN2-xTB's.

    Raises
    ------
    InputError
        An element that was not fitted.
    """
    strange = [SYMBOLS[z] for z in molecule.elements if z not in ATOMS]
    if strange:
        raise InputError(
            f"zero-point energies from GFN2-xTB were not fitted for {', '.join(strange)}; "
            "use g4mp2 itself"
        )
    numbers = molecule.numbers.numpy()
    bound = hydrogens(numbers, molecule.positions.numpy())
    return (
        float(np.dot(SCALES, shares(waves)))
        + sum(ATOMS[int(z)] for z in numbers)
        + sum(HYDROGENS.get(z, 0.0) * count for z, count in bound.items())
    )


def shares(waves: np.ndarray) -> np.ndarray:
    """Split the zero-point energy of real vibrations among the knots.

    Parameters
    ----------
    waves
        (vibrations,) 1/cm.

    Returns
    -------
    ndarray
        (knots,) kcal/mol.
    """
    real = waves[waves > 0]
    hats = [np.interp(real, KNOTS, row) for row in np.eye(len(KNOTS))]  # (knots, vibrations)
    return 0.5 * WAVENUMBER * np.array(hats) @ real


def hydrogens(numbers: np.ndarray, positions: np.ndarray) -> Counter[int]:
    """Count hydrogens by the element of their nearest atom.

    Parameters
    ----------
    numbers
        (n,) nuclear charges, at least two.
    positions
        (n, 3) Å.
    """
    apart = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    np.fill_diagonal(apart, np.inf)
    return Counter(int(numbers[k]) for k in apart.argmin(1)[numbers == 1])
