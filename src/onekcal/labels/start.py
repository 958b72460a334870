"""Where B3LYP of a SMILES starts: the conformer that B3LYP finds lowest.

GFN2-xTB orders conformers with errors of a kcal/mol and more. So B3LYP's energies at its minima
choose among the lowest.

GFN2-xTB has no gauche minimum of hydrazine. It finds the trans form, 3 kcal/mol above, and B3LYP
stays there. So single bonds between two atoms of the nitrogen group with three neighbours each are
turned by a right angle, and are asked too.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from onekcal.geometry.bonds import bonded
from onekcal.geometry.conformers import Conformers
from onekcal.geometry.turning import rotated, side_of
from onekcal.molecules import Molecules
from onekcal.quantum.b3lyp import VibratingB3LYP

WINDOW = 2.0
"""kcal/mol; B3LYP is asked for the conformers that GFN2-xTB finds less far above the lowest."""
PYRAMIDAL = (7, 15)
"""Nuclear charges of the elements whose atoms with three neighbours have a lone pair."""


def lower_start(found: Conformers) -> Molecules:
    """Return the lowest geometry by B3LYP: a low conformer, or the lowest with a bond turned.

    Parameters
    ----------
    found
        Conformers at GFN2-xTB's minima.
    """
    near = found.molecules[found.relative < WINDOW]
    places = [*(near[k] for k in range(len(near))), *turned(found.lowest)]
    if len(places) == 1:
        return found.lowest
    energies = [
        VibratingB3LYP(one).at(one.positions.numpy(), gradient=False).energy for one in places
    ]
    return places[int(np.argmin(energies))]


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
