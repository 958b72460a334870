"""B3LYP's zero-point energy from GFN2-xTB's frequencies.

    ZPE(B3LYP) ≈ a · ZPE(GFN2) + Σ_Z c_Z n_Z

fitted by least squares (`scripts/zero_point.py` makes the numbers).
"""

from __future__ import annotations

import numpy as np

from onekcal.molecules import Molecules
from onekcal.units import WAVENUMBER

SLOPE = 1.0
ATOMS: dict[int, float] = {}
"""kcal/mol an atom."""


def zero_point_from_gfn2(molecule: Molecules, waves: np.ndarray) -> float:
    """Return B3LYP/6-31G(2df,p)'s unscaled zero-point energy (kcal/mol).

    Parameters
    ----------
    molecule
        One molecule.
    waves
        (vibrations,) 1/cm; GFN2-xTB's at its own minimum.
    """
    own = 0.5 * WAVENUMBER * float(waves[waves > 0].sum())
    return SLOPE * own + sum(ATOMS.get(int(z), 0.0) for z in molecule.numbers)
