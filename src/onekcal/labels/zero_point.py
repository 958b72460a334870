"""B3LYP's zero-point energy from GFN2-xTB's frequencies.

    ZPE(B3LYP) ≈ a · ZPE(GFN2) + Σ_Z c_Z n_Z

fitted by least squares to QM9 (`scripts/zero_point.py` makes the numbers).
"""

from __future__ import annotations

import numpy as np

from onekcal.errors import InputError
from onekcal.molecules import SYMBOLS, Molecules
from onekcal.units import WAVENUMBER

SLOPE = 0.86416
ATOMS = {1: 1.054, 6: 0.4393, 7: 0.7618, 8: 0.8359, 9: 0.7083}
"""kcal/mol an atom, fitted to 292 molecules of QM9."""
ERROR = 0.38
"""kcal/mol; mean absolute error on 146 other molecules of QM9."""


def zero_point_from_gfn2(molecule: Molecules, waves: np.ndarray) -> float:
    """Return B3LYP/6-31G(2df,p)'s unscaled zero-point energy (kcal/mol).

    Parameters
    ----------
    molecule
        One molecule.
    waves
        (vibrations,) 1/cm; GFN2-xTB's at its own minimum.

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
    own = 0.5 * WAVENUMBER * float(waves[waves > 0].sum())
    return SLOPE * own + sum(ATOMS[z] for z in molecule.numbers.tolist())
