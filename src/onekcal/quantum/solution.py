"""A converged SCF as the derivatives need it: one entry a spin, occupied orbitals first."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

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
        hybrid = cls.share_of_exchange(scf) if functional else 1.0
        return cls(
            scf,
            [np.asarray(c)[:, order] for c, order in zip(coefficients, orders)],
            [e[order] for e, order in zip(energies, orders)],
            [int((one > 0).sum()) for one in occupations],
            2.0 if len(occupations) == 1 else 1.0,
            functional,
            hybrid,
        )

    @staticmethod
    def share_of_exchange(scf: Scf) -> float:
        """Return how much exact exchange a density functional has.

        Parameters
        ----------
        scf
            pyscf's SCF object.
        """
        return float(scf._numint.rsh_and_hybrid_coeff(scf.xc, spin=scf.mol.spin)[2])

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


def inverse(metric: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return x ↦ V⁻¹ x for x of shape (P,) or (P, anything).

    Parameters
    ----------
    metric
        (P, P), the repulsion of auxiliary functions. Where they nearly depend on each other, the
        space they span is a little smaller.
    """
    try:
        factor = cho_factor(metric, lower=True)
    except LinAlgError:
        values, vectors = np.linalg.eigh(metric)
        kept = values > 1e-10 * values[-1]
        inverted = (vectors[:, kept] / values[kept]) @ vectors[:, kept].T
        return lambda of: inverted @ of
    return lambda of: cho_solve(factor, of)


def blocks(places: np.ndarray, first: int, end: int, most: int) -> Iterator[tuple[int, int]]:
    """Return begin and end of groups of shells.

    Parameters
    ----------
    places
        Where the functions of each shell begin.
    first, end
        The shells.
    most
        How many functions a group has at most, unless it is a single shell.
    """
    while first < end:
        last = first + 1
        while last < end and places[last + 1] - places[first] <= most:
            last += 1
        yield first, last
        first = last
