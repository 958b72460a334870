"""ASE's `Atoms` as molecules: nuclei, positions in Å, charge and unpaired electrons."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from onekcal.errors import InputError
from onekcal.molecules import Molecules

if TYPE_CHECKING:
    from ase import Atoms

CHARGE, SPIN = "charge", "spin"
"""Keys of `Atoms.info`: the total charge (e) and the number of unpaired electrons."""


def from_atoms(atoms: Atoms) -> Molecules:
    """Return the molecule that ASE's atoms are.

    Parameters
    ----------
    atoms
        One molecule. `atoms.info["charge"]` is its charge (e), `atoms.info["spin"]` its number of
        unpaired electrons, `atoms.info["name"]` its name; where they are absent: 0, 0 and "".

    Returns
    -------
    Molecules
        A batch of one.

    Raises
    ------
    InputError
        The atoms are periodic, there is none, or charge or spin is no whole number.
    """
    if np.any(atoms.pbc):
        raise InputError(
            f"{atoms.get_chemical_formula()} is periodic (pbc {atoms.pbc.tolist()}), and molecules "
            "are isolated; set atoms.pbc = False if its cell has no meaning"
        )
    if not len(atoms):
        raise InputError("these Atoms are empty; expected at least one atom")
    return Molecules.one(
        atoms.numbers,
        atoms.positions,
        _whole(atoms, CHARGE),
        _whole(atoms, SPIN),
        str(atoms.info.get("name", "")),
    )


def _whole(atoms: Atoms, key: str) -> int:
    """A whole number of `Atoms.info`; 0 where it is absent."""
    value = atoms.info.get(key, 0)
    try:
        whole = int(value)
        same = whole == float(value)
    except (TypeError, ValueError):
        same = False
    if not same or (key == SPIN and whole < 0):
        what = "the total charge, a whole number" if key == CHARGE else "the unpaired electrons"
        raise InputError(f"atoms.info[{key!r}] must be {what}, got {value!r}")
    return whole
