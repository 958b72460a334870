"""A converged SCF as the derivatives need it: one entry a spin, occupied orbitals first."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from typing import Any as Mol
    from typing import Any as Scf  # pyscf is untyped


@dataclass(frozen=True)
class Solution:
    """Orbitals of a density-fitted SCF in Cartesian functions.

    Attributes
    ----------
    scf
        pyscf's converged object.
    orbitals
        (functions, orbitals) for each spin; one entry where both spins share theirs. Occupied
        orbitals come first.
    energies
        (orbitals,) Hartree, for each entry.
    counts
        Occupied orbitals of each entry.
    share
        Electrons in an occupied orbital, 2 or 1.
    functional
        pyscf's name of the density functional; "" in Hartree-Fock.
    hybrid
        The share of exact exchange.
    """

    scf: Scf
    orbitals: list[np.ndarray]
    energies: list[np.ndarray]
    counts: list[int]
    share: float
    functional: str
    hybrid: float

    @classmethod
    def of(cls, scf: Scf) -> Solution:
        """Read a converged SCF.

        Parameters
        ----------
        scf
            pyscf's, restricted or unrestricted, with fitted integrals.
        """
        occupations = np.atleast_2d(scf.mo_occ)
        energies = np.atleast_2d(scf.mo_energy)
        coefficients = scf.mo_coeff if len(occupations) == 2 else [scf.mo_coeff]
        orders = [np.argsort(-one, kind="stable") for one in occupations]
        functional = getattr(scf, "xc", "")
        hybrid = 1.0
        if functional:
            hybrid = float(scf._numint.rsh_and_hybrid_coeff(functional, spin=scf.mol.spin)[2])
        return cls(
            scf,
            [np.asarray(c)[:, order] for c, order in zip(coefficients, orders)],
            [e[order] for e, order in zip(energies, orders)],
            [int((one > 0).sum()) for one in occupations],
            2.0 if len(occupations) == 1 else 1.0,
            functional,
            hybrid,
        )

    @property
    def mol(self) -> Mol:
        """The molecule with its orbital basis."""
        return self.scf.mol

    @property
    def occupied(self) -> list[np.ndarray]:
        """(functions, occupied) of each spin."""
        return [c[:, :n] for c, n in zip(self.orbitals, self.counts)]

    @property
    def density(self) -> np.ndarray:
        """(functions, functions) of all electrons."""
        return self.share * sum(c @ c.T for c in self.occupied)

    @property
    def weighted(self) -> np.ndarray:
        """(functions, functions) weighted by orbital energies, Hartree."""
        parts = zip(self.occupied, self.energies, self.counts)
        return self.share * sum((c * e[:n]) @ c.T for c, e, n in parts)

    @property
    def atoms(self) -> list[slice]:
        """The basis functions of each atom."""
        return [slice(int(row[2]), int(row[3])) for row in self.mol.aoslice_by_atom()]


def folded(of: np.ndarray, *lead: int) -> np.ndarray:
    """Make one axis of all but the leading ones; it may be empty.

    Parameters
    ----------
    of
        Any shape.
    lead
        The sizes that stay.
    """
    return of.reshape(*lead, of.size // math.prod(lead))
