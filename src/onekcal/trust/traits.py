"""What is known of a molecule before its energy is, and says how far the answer may be off.

Its size, how strange its atoms are to the model, how far its conformers lie apart, and what it
is made of: functional groups (`geometry/functional_groups.py`) and unpaired electrons. Bonds are
told from the geometry alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from onekcal.geometry.bonds import perceived
from onekcal.geometry.functional_groups import HAS, LACKS, functional_groups
from onekcal.molecules import Molecules

OPEN, CHARGED, UNCLEAR = "unpaired electrons", "a charge", "bonds that are not clear"
SIZE, NOVELTY, RIVALRY = "heavy atoms", "log novelty", "log (1 + rivalry)"
GROWING = (SIZE, NOVELTY, RIVALRY)
"""Traits that may make an interval wider and never narrower; numbers, the others are 0 or 1."""
LEAST = 1e-3
"""The novelty of a molecule whose atoms are landmarks."""


@dataclass(frozen=True)
class Traits:
    """The traits of M molecules.

    Parameters
    ----------
    names
        Of the k traits.
    table
        (M, k) float64.
    """

    names: tuple[str, ...]
    table: Tensor

    def __getitem__(self, which: Tensor | slice) -> Traits:
        """Return those of some molecules."""
        return Traits(self.names, self.table[which])

    def of(self, names: tuple[str, ...]) -> Tensor:
        """Return some traits.

        Parameters
        ----------
        names
            Which. One that is not known here counts as 0.

        Returns
        -------
        Tensor
            (M, len(names)).
        """
        zero = self.table.new_zeros(len(self.table))
        columns = [
            self.table[:, self.names.index(name)] if name in self.names else zero for name in names
        ]
        return torch.stack(columns, 1) if names else self.table.new_zeros(len(self.table), 0)


def traits(
    molecules: Molecules, novelty: Tensor | None = None, rivalry: Tensor | None = None
) -> Traits:
    """Find the traits of molecules.

    Parameters
    ----------
    molecules
        M molecules with their geometries.
    novelty
        (M,) how strange their atoms are to the model; None where it cannot tell.
    rivalry
        (M,) how far the conformers of each lie apart, kcal/mol; None where it is not known.
    """
    found: dict[str, Tensor] = {
        SIZE: molecules.sum_atoms((molecules.numbers > 1).to(torch.float64))
    }
    if novelty is not None:
        found[NOVELTY] = (novelty.to(torch.float64) + LEAST).log()
    if rivalry is not None:
        found[RIVALRY] = rivalry.to(torch.float64).log1p()
    found[OPEN] = (molecules.spins != 0).to(torch.float64)
    found[CHARGED] = (molecules.charges != 0).to(torch.float64)
    groups = (UNCLEAR, *LACKS, *HAS)
    has = torch.zeros(len(molecules), len(groups), dtype=torch.float64)
    for m, molecule in enumerate(molecules):
        for name in _groups(molecule):
            has[m, groups.index(name)] = 1.0
    return Traits((*found, *groups), torch.cat([torch.stack([*found.values()], 1), has], 1))


def _groups(molecule: Molecules) -> list[str]:
    """The functional groups of one molecule."""
    mol = perceived(
        molecule.numbers.numpy(),
        molecule.positions.numpy(),
        int(molecule.charges[0]),
        int(molecule.spins[0]),
    )
    return [UNCLEAR] if mol is None else functional_groups(mol)
