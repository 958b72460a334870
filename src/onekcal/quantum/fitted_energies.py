r"""Hartree-Fock with fitted integrals, by occupied orbitals.

    J_μν = (μν|P) γ_P,  γ = V⁻¹ d                V = (P|Q),  d_P = (P|ρ)
    X_μi = Σ_Pj (P|μj) c_P,ij,  c = V⁻¹ (P|ij)   exchange times occupied orbitals

An SCF needs exchange only times occupied orbitals: energy and gradient are made of it. The matrix
S C Xᵀ + X Cᵀ S − S C (Cᵀ X) Cᵀ S has the right product with them, and what it lacks between empty
orbitals changes nothing at convergence. So the integrals stay as they are, V is inverted for pairs
of occupied orbitals alone, and an iteration costs one transformation of one index. MP2, which needs
empty orbitals, gets them from the whole exchange matrix, made once at the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

import numpy as np

from onekcal.quantum.cores import divided, pieces
from onekcal.quantum.dft import pyscf_package
from onekcal.quantum.solution import blocks, folded, inverse

if TYPE_CHECKING:
    from typing import Any as Mol
    from typing import Any as Scf  # pyscf is untyped

BLOCK = 3e7
"""Bytes of integrals at a time."""
SQUARE = 3e6
"""Bytes of them written out as whole matrices: they stay in the cache of a processor."""


class FittedIntegrals:
    """(P|μν) of one molecule, and what an SCF makes of them.

    Parameters
    ----------
    mol
        pyscf's molecule with its orbital basis.
    auxiliary
        pyscf's name of the auxiliary basis, or a basis by element symbol.
    memory
        MB; more integrals than that are kept on disk.
    """

    def __init__(self, mol: Mol, auxiliary: str | dict, memory: float) -> None:
        self.mol = mol
        self.aux = auxiliary_mol(mol, auxiliary)
        self.solve = inverse(self.aux.intor("int2c2e"))
        shape = self.aux.nao, mol.nao * (mol.nao + 1) // 2
        if 8e-6 * shape[0] * shape[1] < memory:
            self.packed = np.empty(shape)
        else:
            with TemporaryFile() as file:
                self.packed = np.memmap(file, float, "w+", shape=shape)
        for _ in integrals(mol, self.aux, self.packed):
            pass

    def potential(self, occupied: list[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
        """Return the Coulomb matrix, and the exchange of each spin, right for its orbitals.

        Parameters
        ----------
        occupied
            (functions, occupied) of each spin; one entry where both share theirs.
        """
        overlap = self.mol.intor("int1e_ovlp")
        coulomb, halves = self._coulomb(occupied)
        exchange = []
        for c, half in zip(occupied, halves):
            inner = np.matmul(c.T, half)  # (P, i, j)
            fit = self.solve(folded(inner, len(inner))).reshape(inner.shape)
            x = np.tensordot(half, fit, ((0, 2), (0, 2)))  # (μ, i)
            sc = overlap @ c
            one = sc @ x.T
            exchange.append(one + one.T - sc @ (c.T @ x) @ sc.T)
        return coulomb, exchange

    def whole(self, occupied: list[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
        """Return the Coulomb matrix and the exchange matrix of each spin.

        Parameters
        ----------
        occupied
            As in `potential`.
        """
        coulomb, halves = self._coulomb(occupied)
        exchange = []
        for half in halves:
            flat = np.ascontiguousarray(half.transpose(0, 2, 1))  # (P, i, μ)
            fit = self.solve(folded(flat, len(flat))).reshape(-1, self.mol.nao)
            exchange.append(flat.reshape(-1, self.mol.nao).T @ fit)
        return coulomb, exchange

    def halves(self, occupied: list[np.ndarray]) -> list[np.ndarray]:
        """Return (P|μi) of each spin, (P, μ, i).

        Parameters
        ----------
        occupied
            As in `potential`.
        """
        together = np.ascontiguousarray(np.hstack(occupied))
        half = np.empty((len(self.packed), *together.shape))

        def transform(some: slice) -> None:
            for rows, square in self.squares(some):
                out = half[rows].reshape(-1, together.shape[1])
                np.matmul(square.reshape(-1, len(together)), together, out=out)

        divided(transform, pieces(len(half)))
        if len(occupied) == 1:
            return [half]
        cuts = np.cumsum([c.shape[1] for c in occupied])[:-1]
        return [np.ascontiguousarray(one) for one in np.split(half, cuts, axis=2)]

    def squares(self, rows: slice) -> Iterator[tuple[slice, np.ndarray]]:
        """Return (P|μν) as whole matrices, few at a time: which rows, and (P, μ, ν).

        Each overwrites the one before.

        Parameters
        ----------
        rows
            Which P.
        """
        yield from squares(self.packed, rows, self.mol.nao)

    def _coulomb(self, occupied: list[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
        """The Coulomb matrix, and (P|μi) of each spin."""
        from pyscf import lib

        halves = self.halves(occupied)
        share = 2.0 if len(occupied) == 1 else 1.0
        charge = np.sum([np.tensordot(half, c, 2) for half, c in zip(halves, occupied)], axis=0)
        return lib.unpack_tril(self.solve(share * charge) @ self.packed), halves


def squares(packed: np.ndarray, rows: slice, size: int) -> Iterator[tuple[slice, np.ndarray]]:
    """Return packed symmetric matrices as whole ones, few at a time; each overwrites the last.

    Parameters
    ----------
    packed
        (matrices, elements of a lower triangle).
    rows
        Which matrices.
    size
        The length of a whole one.
    """
    from pyscf import lib

    step = max(1, int(SQUARE / (8 * size**2)))
    room = np.empty((step, size, size))
    for start in range(rows.start, rows.stop, step):
        part = slice(start, min(start + step, rows.stop))
        yield part, lib.unpack_tril(packed[part], out=room[: part.stop - start])


def unsolved(mol: Mol) -> Scf:
    """Return pyscf's Hartree-Fock of a molecule.

    Parameters
    ----------
    mol
        pyscf's molecule.
    """
    module = pyscf_package().scf
    scf = module.UHF(mol) if mol.spin else module.RHF(mol)
    scf.max_cycle, scf.chkfile = 100, None
    scf._chkfile = None  # pyscf's open temporary file
    return scf


def fitted_hartree_fock(
    mol: Mol, before: Scf, auxiliary: str | dict, tolerance: float, memory: float, empty: bool
) -> Scf:
    """Return Hartree-Fock with fitted integrals; whether it converged is for the caller to ask.

    Parameters
    ----------
    mol
        pyscf's molecule.
    before
        A converged SCF of the same nuclei in another basis.
    auxiliary
        pyscf's name of the auxiliary basis, or a basis by element symbol.
    tolerance
        Hartree; the change of energy at which the SCF ends.
    memory
        MB; more integrals than that are kept on disk.
    empty
        Whether empty orbitals are needed.
    """
    scf, fitted = unsolved(mol), FittedIntegrals(mol, auxiliary, memory)
    scf.conv_tol, scf.conv_check = tolerance, False

    def potential(parts: tuple[np.ndarray, list[np.ndarray]]) -> np.ndarray:
        coulomb, exchange = parts
        return coulomb - (exchange[0] if len(exchange) == 1 else np.array(exchange))

    scf.get_veff = lambda mol, dm, *_, **__: potential(fitted.potential(occupied(dm)))
    scf.kernel(dm0=projected(before, mol))
    del scf.get_veff  # and the integrals with it
    if not scf.converged:
        second = unsolved(mol).density_fit(auxbasis=auxiliary).newton()
        second.conv_tol = tolerance
        second.kernel(dm0=np.asarray(scf.make_rdm1()))
        return second
    if empty:
        fock = scf.get_hcore() + potential(fitted.whole(occupied(scf)))
        overlap = scf.get_ovlp()
        independent = scf.check_linear_dependency(overlap)  # as in the SCF
        scf.mo_energy, scf.mo_coeff = scf.eig(fock, overlap, x=independent)
    return scf


def occupied(of: Scf) -> list[np.ndarray]:
    """Return the occupied orbitals (functions, occupied) of each spin.

    Parameters
    ----------
    of
        pyscf's SCF object, or a density matrix that pyscf has tagged with its orbitals.
    """
    one_spin = np.ndim(of.mo_coeff[0]) == 1
    coefficients = [of.mo_coeff] if one_spin else of.mo_coeff
    occupations = [of.mo_occ] if one_spin else of.mo_occ
    return [np.asarray(c)[:, one > 0] for c, one in zip(coefficients, occupations)]


def projected(old: Scf, mol: Mol) -> np.ndarray:
    """Return the density of an SCF in another basis, tagged with its orbitals.

    Parameters
    ----------
    old
        A converged SCF of the same nuclei.
    mol
        pyscf's molecule with the other basis.
    """
    from pyscf.scf.addons import project_mo_nr2nr

    overlap = mol.intor("int1e_ovlp")
    orbitals = [orthonormal(project_mo_nr2nr(old.mol, c, mol), overlap) for c in occupied(old)]
    return tagged(orbitals)


def tagged(orbitals: list[np.ndarray]) -> np.ndarray:
    """Return the density matrix of occupied orbitals, tagged with them as pyscf does it.

    Parameters
    ----------
    orbitals
        (functions, occupied) of each spin; one entry where both share theirs.
    """
    from pyscf import lib

    densities = [c @ c.T for c in orbitals]
    if len(orbitals) == 1:
        full = np.full(orbitals[0].shape[1], 2.0)
        return lib.tag_array(2.0 * densities[0], mo_coeff=orbitals[0], mo_occ=full)
    each = [np.ones(c.shape[1]) for c in orbitals]
    return lib.tag_array(np.array(densities), mo_coeff=orbitals, mo_occ=each)


def orthonormal(c: np.ndarray, overlap: np.ndarray) -> np.ndarray:
    """Return the orthonormal orbitals nearest to these.

    Parameters
    ----------
    c
        (functions, orbitals).
    overlap
        (functions, functions).
    """
    values, vectors = np.linalg.eigh(c.T @ overlap @ c)
    return c @ (vectors / np.sqrt(values)) @ vectors.T


def auxiliary_mol(mol: Mol, auxiliary: str | dict) -> Mol:
    """Return pyscf's molecule with the auxiliary basis.

    Parameters
    ----------
    mol
        With the orbital basis.
    auxiliary
        pyscf's name of a basis, or a basis by element symbol.
    """
    from pyscf.df.addons import make_auxmol

    return make_auxmol(mol, auxiliary)


def integrals(
    mol: Mol, aux: Mol, out: np.ndarray | None = None
) -> Iterator[tuple[slice, np.ndarray]]:
    """Return (P|μν) by blocks of P: which rows, and (P, pairs of functions μ ≥ ν).

    Parameters
    ----------
    mol, aux
        pyscf's molecules with the orbital and with the auxiliary basis.
    out
        Where all of them are put; None: each block has memory of its own.
    """
    both, count, places = mol + aux, mol.nbas, aux.ao_loc
    most = max(1, int(BLOCK / (4 * mol.nao**2)))
    for first, last in blocks(places, 0, aux.nbas, most):
        where = (0, count, 0, count, count + first, count + last)
        rows = slice(int(places[first]), int(places[last]))
        room = None if out is None else out[rows]
        found = both.intor("int3c2e", aosym="s2ij", shls_slice=where, out=room)
        yield rows, found.reshape(-1, rows.stop - rows.start).T
