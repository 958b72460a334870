r"""Dressed atoms: one energy per element, fitted by least squares.

    E(molecule) = Σ_Z  n_Z · ε_Z

There is no intercept, so that a molecule without atoms has no energy. Elements that no training
molecule has are refused.
"""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor

from onekcal.data.dataset import Columns, Dataset
from onekcal.errors import InputError
from onekcal.models.model import Model, State
from onekcal.molecules import SYMBOLS, Molecules


class DressedAtoms(Model):
    """One energy ε_Z for each element, in kcal/mol, fitted by least squares."""

    fits_atoms = True
    """It may be given total energies whose free atoms are not known."""

    def __init__(self) -> None:
        self.elements = torch.zeros(0, dtype=torch.int64)  # (elements,) nuclear charges
        self.atom_energies = torch.zeros(0, dtype=torch.float64)  # (elements,) kcal/mol

    def fit(self, train: Dataset, valid: Dataset) -> Self:
        """Fit to the composition by least squares; of several solutions, take the smallest."""
        self.elements = torch.tensor(train.molecules.elements)
        counts = train.molecules.composition(self.elements.tolist())
        solution = torch.linalg.lstsq(
            counts, train.energies[:, None].to(torch.float64), driver="gelsd"
        ).solution
        self.atom_energies = solution[:, 0]
        return self

    def energies(self, molecules: Molecules, columns: Columns | None = None) -> Tensor:
        """(M,) kcal/mol."""
        self._refuse_strange(molecules)
        return molecules.composition(self.elements.tolist()) @ self.atom_energies

    def _refuse_strange(self, molecules: Molecules) -> None:
        strange = sorted(set(molecules.elements) - set(self.elements.tolist()))
        if strange:
            raise InputError(
                f"no atom energy for {', '.join(SYMBOLS[z] for z in strange)}: not in the training "
                f"data ({', '.join(SYMBOLS[z] for z in self.elements.tolist())}); train on "
                "molecules that hold it, or leave those molecules out"
            )

    def forces(self, molecules: Molecules, columns: Columns | None = None) -> Tensor:
        """Zero: the energy does not depend on positions."""
        return torch.zeros_like(molecules.positions)

    def atomic_energies(self, molecules: Molecules) -> Tensor:
        """(A,) kcal/mol: ε of each atom's element."""
        self._refuse_strange(molecules)
        table = dict(zip(self.elements.tolist(), self.atom_energies.tolist()))
        return torch.tensor([table[z] for z in molecules.numbers.tolist()], dtype=torch.float64)

    def state(self) -> State:
        """Return the elements and their energies."""
        return {"elements": self.elements, "atom_energies": self.atom_energies}

    def load_state(self, state: State) -> Self:
        """Take back what `state` returned."""
        self.elements, self.atom_energies = state["elements"], state["atom_energies"]
        return self
