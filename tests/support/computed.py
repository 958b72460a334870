"""Computed molecules made by hand, so that nothing is computed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from onekcal.energies import free_atoms
from onekcal.labels.g4mp2 import Computed, Variant
from onekcal.molecules import Molecules
from onekcal.quantum.g4mp2 import G4MP2Energy
from onekcal.units import HARTREE

HYDROGEN = Molecules.one(["H", "H"], [[0, 0, 0], [0, 0, 0.743]])


def computed(
    molecule: Molecules = HYDROGEN,
    energy: float = -104.2,
    method: Variant = "g4mp2",
    smiles: str = "",
    t1: float = 0.006,
    contamination: float = 0.0,
) -> Computed:
    """A finished molecule with this energy relative to free atoms (kcal/mol)."""
    zero_point = 6.0 if len(molecule.numbers) > 1 else 0.0
    total = (energy + float(free_atoms("g4mp2").energies(molecule)[0])) / HARTREE
    terms = G4MP2Energy(0.0, -0.02, -0.01, 0.0, -0.009, t1, contamination)
    terms = replace(terms, ccsdt=total - zero_point / HARTREE - terms.total)
    vibrations = max(3 * len(molecule.numbers) - 5, 0)
    return Computed(
        method,
        molecule,
        terms,
        zero_point,
        np.linspace(1000.0, 4400.0, vibrations),
        {"geometry": 1.0},
        smiles=smiles,
        name=str(molecule.names[0]),
    )
