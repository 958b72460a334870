"""Where G4(MP2) of a SMILES starts: GFN2-xTB's minimum, or what B3LYP finds lower beside it.

GFN2-xTB has no gauche minimum of hydrazine. It finds the trans form, 3 kcal/mol above, and B3LYP
stays there. So single bonds between two atoms of the nitrogen group with three neighbours each are
turned by a right angle, and B3LYP's energies choose.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from onekcal.geometry.bonds import bonded
from onekcal.geometry.turning import rotated, side_of
from onekcal.molecules import Molecules
from onekcal.quantum.b3lyp import VibratingB3LYP

PYRAMIDAL = (7, 15)
"""Nuclear charges of the elements whose atoms with three neighbours have a lone pair."""


def lower_start(minimum: Molecules) -> Molecules:
    """Return the geometry of lowest B3LYP energy: the one given or one with a bond turned.

    Parameters
    ----------
    minimum
        One molecule at GFN2-xTB's minimum (Å).
    """
    others = turned(minimum)
    if not others:
        return minimum
    energies = [
        VibratingB3LYP(one).at(one.positions.numpy(), gradient=False).energy
        for one in (minimum, *others)
    ]
    return (minimum, *others)[int(np.argmin(energies))]


def turned(molecule: Molecules) -> list[Molecules]:
    """Turn each bond between two lone pairs of the nitrogen group by 90°, one at a time.

    Parameters
    ----------
    molecule
        One molecule (Å).
    """
    numbers, positions = molecule.numbers.numpy(), molecule.positions.numpy()
    joined = bonded(numbers, positions)
    ends = np.isin(numbers, PYRAMIDAL) & (joined.sum(1) == 3)
    out = []
    for a, b in zip(*np.nonzero(np.triu(joined & ends & ends[:, None]))):
        side = side_of(joined, int(a), int(b))
        if not side[a]:  # not in a ring
            place = rotated(positions, side, int(a), int(b), math.pi / 2)
            out.append(molecule.moved(torch.from_numpy(place)))
    return out
