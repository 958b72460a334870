"""Values of atoms that a field sums: an element, or a property such as the mass."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from onekcal.errors import unknown
from onekcal.geometry.bonds import bonded
from onekcal.molecules import CHARGES, Molecules


def _ones(molecules: Molecules) -> Tensor:
    return torch.ones(len(molecules.numbers))


def _charge_numbers(molecules: Molecules) -> Tensor:
    return molecules.numbers


def _masses(molecules: Molecules) -> Tensor:
    from ase.data import atomic_masses

    return torch.from_numpy(atomic_masses)[molecules.numbers]


def _radii(molecules: Molecules) -> Tensor:
    from ase.data import covalent_radii

    return torch.from_numpy(covalent_radii)[molecules.numbers]


def _neighbours(molecules: Molecules) -> Tensor:
    """(A,) how many atoms are bonded to each, by the rule of `geometry.bonds`."""
    each = (bonded(one.numbers.numpy(), one.positions.numpy()).sum(1) for one in molecules)
    return torch.from_numpy(np.concatenate([np.zeros(0, np.int64), *each]))


PROPERTIES = {
    "any": _ones,
    "Z": _charge_numbers,
    "mass": _masses,
    "radius": _radii,
    "neighbours": _neighbours,
}
"""Properties of an atom: 1, nuclear charge, mass (u), covalent radius (Å), bonded atoms."""


def check_value(word: str) -> None:
    """Refuse a word that is neither an element's symbol nor a property.

    Parameters
    ----------
    word
        The word.
    """
    if word not in PROPERTIES and word not in CHARGES:
        unknown("element or property of an atom", word, [*PROPERTIES, *CHARGES])


def values_of(molecules: Molecules, word: str) -> Tensor:
    """Return the values of atoms that a word stands for.

    Parameters
    ----------
    molecules
        The molecules with A atoms.
    word
        An element's symbol (1 for its atoms, 0 for others) or a property.

    Returns
    -------
    Tensor
        (A,) values.
    """
    return PROPERTIES[word](molecules) if word in PROPERTIES else molecules.numbers == CHARGES[word]
