"""H(298 K) − H(0) of a molecule from its bonds alone, by linear regression on QM9's own U0 and H.

Every molecule has 4 RT for translation, rotation and pV, and an atom has 2.5 RT. (A linear molecule
lacks half an RT, which is within the error.) The vibrations add a sum over the counts of groups,
rings and rotors (`group_counts`), without a constant. `scripts/fit_thermal.py` fits the numbers
below and measures their error.
"""

from __future__ import annotations

from onekcal.molecules import Molecules
from onekcal.thermo.frequencies import GAS, TEMPERATURE
from onekcal.thermo.group_counts import groups

RT = GAS * TEMPERATURE
"""kcal/mol at 298.15 K."""


WEIGHTS = {
    "C2H0": 0.7495, "C2H1": -0.2804, "C3H0": 1.4695, "C3H1": 0.6031, "C4H0": 2.3223, "C4H1": 1.4864,
    "C4H2": 0.7342, "C4H3": 0.0432, "C5H0": 3.0470, "C5H1": 2.1999, "F1H0": -0.4388,
    "N1H0": -0.4912,
    "N2H0": 0.4975, "N2H1": -0.4050, "N3H0": 1.4192, "N3H1": 0.6546, "N3H2": -0.1175,
    "O1H0": -0.3126,
    "O2H0": 0.5714, "O2H1": -0.1882, "rings": -2.3967, "rotors": 0.0965, "squares": 0.2246,
    "triangles": 0.4028,
}  # fmt: skip
"""kcal/mol for a group, ring or rotor.

Fitted to 12,957 molecules of QM9, nearly all of seven to nine heavy atoms.
"""
ERROR = 0.14
"""kcal/mol, the root mean square error on 1,420 molecules that were not fitted.

The mean absolute error is 0.105, the largest 0.77.
"""
SOURCE = "regression on QM9's U0 and H (B3LYP/6-31G(2df,p)); root mean square error on a hold-out"
SMALLEST = 5
"""Heavy atoms. The regression would extrapolate to smaller molecules: nearly all of its own have
seven to nine.
"""
GFN2_ERROR = 0.13
"""kcal/mol, the root mean square difference of GFN2-xTB frequencies from the same QM9 values.

Measured on 100 molecules of 2 to 9 heavy atoms. It is 0.07 on the 40 smallest. On average the
frequencies give 0.09 too much.
"""


def heat(molecule: Molecules) -> float:
    """Return H(298.15 K) − H(0) of one neutral molecule, kcal/mol.

    Parameters
    ----------
    molecule
        One molecule. Groups that are not known add nothing: ask `knows` first.
    """
    if len(molecule.numbers) == 1:
        return 2.5 * RT
    return 4.0 * RT + sum(
        WEIGHTS.get(name, 0.0) * count for name, count in groups(molecule).items()
    )


def knows(molecule: Molecules) -> bool:
    """Say whether a molecule has known groups alone and is large enough for the regression.

    Parameters
    ----------
    molecule
        One molecule.
    """
    return int((molecule.numbers > 1).sum()) >= SMALLEST and set(groups(molecule)) <= set(WEIGHTS)
