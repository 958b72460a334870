"""What an energy means: its level of theory, its kind, its temperature, and its zero.

Inside onekcal energies are kcal/mol relative to free atoms, negative when bound. A total energy is
converted here, once, at import. The free atoms of the same level of theory are its zero. Where they
are not known, the energy keeps the kind `total`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from onekcal.errors import DataError, unknown
from onekcal.molecules import SYMBOLS, Molecules
from onekcal.units import HARTREE

Kind = Literal["total", "atomization", "formation"]
At = Literal["electronic", "0 K", "298 K"]
KINDS: tuple[Kind, ...] = get_args(Kind)
TEMPERATURES: tuple[At, ...] = get_args(At)


@dataclass(frozen=True)
class FreeAtoms:
    """Energies of free atoms at one level of theory.

    Parameters
    ----------
    level
        The level of theory, in lower case.
    hartree
        Hartree, by nuclear charge.
    source
        Where the values come from.
    """

    level: str
    hartree: dict[int, float]
    source: str

    def energies(self, molecules: Molecules) -> Tensor:
        """Return the sum of the free atoms' energies for each molecule.

        Parameters
        ----------
        molecules
            A batch of M molecules.

        Returns
        -------
        Tensor
            (M,) kcal/mol, float64.

        Raises
        ------
        DataError
            An element has no value at this level.
        """
        missing = [SYMBOLS[z] for z in molecules.elements if z not in self.hartree]
        if missing:
            raise DataError(
                f"no free-atom energy of {', '.join(missing)} at {self.level}; available: "
                f"{', '.join(SYMBOLS[z] for z in self.hartree)}"
            )
        table = torch.zeros(len(SYMBOLS), dtype=torch.float64)
        for charge, energy in self.hartree.items():
            table[charge] = energy * HARTREE
        return molecules.sum_atoms(table[molecules.numbers])


SPINS = {
    1: 1,
    2: 0,
    3: 1,
    4: 0,
    5: 1,
    6: 2,
    7: 3,
    8: 2,
    9: 1,
    10: 0,
    11: 1,
    12: 0,
    13: 1,
    14: 2,
    15: 3,
    16: 2,
    17: 1,
    35: 1,
    53: 1,
}
"""Unpaired electrons of atoms in their ground states (²S H, ³P C, ⁴S N, ³P O, ²P F, ³P S …)."""

FREE_ATOMS: dict[str, FreeAtoms] = {
    atoms.level: atoms
    for atoms in (
        FreeAtoms(
            "b3lyp/6-31g(2df,p)",
            {1: -0.500273, 6: -37.846772, 7: -54.583861, 8: -75.064579, 9: -99.718730},
            "QM9's atomref, U0 (Ramakrishnan et al., Sci. Data 1, 140022, 2014)",
        ),
        FreeAtoms(
            "g4mp2",
            {
                **{1: -0.502094, 6: -37.794203, 7: -54.532825, 8: -75.002483, 9: -99.659686},
                **{3: -7.434837, 4: -14.630821, 5: -24.610036, 11: -161.999189},
                **{13: -241.944728, 14: -288.947801, 15: -340.837016, 16: -397.676523},
                **{17: -459.703691, 35: -2572.850475},
            },
            # the elements beside H C N O F: onekcal.quantum.g4mp2, which gives those five to 1e-6
            "G4(MP2) E(0 K) (Ward et al., MRS Commun. 9, 891, 2019)",
        ),
    )
}
"""Free atoms by level of theory, in lower case."""


def free_atoms(level: str) -> FreeAtoms:
    """Return the free atoms of a level of theory.

    Parameters
    ----------
    level
        Its name. Upper case counts as lower case.

    Raises
    ------
    DataError
        The level is unknown. The message names those that are known.
    """
    if level.lower() not in FREE_ATOMS:
        unknown("free-atom energies for the level of theory", level, FREE_ATOMS, DataError)
    return FREE_ATOMS[level.lower()]


def atomization(totals: Tensor, molecules: Molecules, atoms: FreeAtoms) -> Tensor:
    """Convert total energies to energies relative to free atoms, negative when bound.

    Parameters
    ----------
    totals
        (M,) kcal/mol.
    molecules
        The M molecules.
    atoms
        The free atoms of the same level of theory.

    Returns
    -------
    Tensor
        (M,) kcal/mol, float64.

    Raises
    ------
    DataError
        A molecule lies more than 100 kcal/mol above its free atoms, or is bound by more than
        400 kcal/mol an atom. Then the atoms, the level or the unit are others.
    """
    bound = totals.to(torch.float64) - atoms.energies(molecules)
    per_atom = bound / molecules.sizes
    wrong = (bound > 100.0) | (per_atom < -400.0)
    if wrong.any():
        m = int(wrong.nonzero()[0])
        raise DataError(
            f"molecule {m} ({molecules.formulas[m]}) would have an atomization energy of "
            f"{float(bound[m]):.1f} kcal/mol against the free atoms of {atoms.level}; check the "
            "unit and the level of the totals"
        )
    return bound
