r"""Hartree-Fock and MP2 with fitted integrals, by occupied orbitals.

    J_μν = (μν|P) γ_P,  γ = V⁻¹ d                V = (P|Q),  d_P = (P|ρ)
    X_μi = Σ_Pj (P|μj) c_P,ij,  c = V⁻¹ (P|ij)   exchange times occupied orbitals
    E(MP2) = Σ (ia|jb) [2 (ia|jb) − (ib|ja)] / (ε_i + ε_j − ε_a − ε_b)

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
from scipy.linalg import cholesky, solve_triangular

from onekcal.quantum.dft import pyscf_package
from onekcal.quantum.solution import Solution, blocks, folded, inverse

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
        for rows, part in integrals(mol, self.aux):
            self.packed[rows] = part

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

    def _coulomb(self, occupied: list[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
        """The Coulomb matrix, and (P|μi) of each spin."""
        from pyscf import lib

        together = np.ascontiguousarray(np.hstack(occupied))
        half = np.empty((len(self.packed), *together.shape))
        step = max(1, int(SQUARE / (8 * self.mol.nao**2)))
        room = np.empty((step, self.mol.nao, self.mol.nao))
        for start in range(0, len(half), step):
            part = self.packed[start : start + step]
            square = lib.unpack_tril(part, out=room[: len(part)])
            out = half[start : start + step].reshape(-1, together.shape[1])
            np.matmul(square.reshape(-1, len(together)), together, out=out)
        share = 2.0 if len(occupied) == 1 else 1.0
        answer = self.solve(share * np.tensordot(half, together, 2))
        coulomb = lib.unpack_tril(answer @ self.packed)
        return coulomb, np.split(half, np.cumsum([c.shape[1] for c in occupied])[:-1], axis=2)


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
    if not scf.converged:
        second = unsolved(mol).density_fit(auxbasis=auxiliary).newton()
        second.conv_tol = tolerance
        second.kernel(dm0=np.asarray(scf.make_rdm1()))
        return second
    if empty:
        fock = scf.get_hcore() + potential(fitted.whole(occupied(scf)))
        scf.mo_energy, scf.mo_coeff = scf.eig(fock, scf.get_ovlp())
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
    from pyscf import lib
    from pyscf.scf.addons import project_mo_nr2nr

    overlap = mol.intor("int1e_ovlp")
    orbitals = [orthonormal(project_mo_nr2nr(old.mol, c, mol), overlap) for c in occupied(old)]
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


def fitted_mp2(scf: Scf, auxiliary: str | dict, frozen: int) -> float:
    """Return the correlation energy of MP2 (Hartree).

    Parameters
    ----------
    scf
        A converged Hartree-Fock of pyscf with canonical orbitals.
    auxiliary
        pyscf's name of the auxiliary basis, or a basis by element symbol.
    frozen
        How many of the lowest orbitals stay as they are.
    """
    solution = Solution.of(scf)
    aux = auxiliary_mol(scf.mol, auxiliary)
    pairs = _occupied_empty(solution, aux, frozen)
    energies = [(e[frozen:n], e[n:]) for e, n in zip(solution.energies, solution.counts)]
    if len(pairs) == 1:
        coulomb, exchange = _second_order(pairs[0], energies[0])
        return 2.0 * coulomb - exchange
    total = _second_order(pairs[0], energies[0], pairs[1], energies[1])[0]
    for pair, energy in zip(pairs, energies):
        coulomb, exchange = _second_order(pair, energy)
        total += 0.5 * (coulomb - exchange)
    return total


def _occupied_empty(solution: Solution, aux: Mol, frozen: int) -> list[np.ndarray]:
    """L⁻¹ (P|ia) with V = L Lᵀ, (P, a, i) of each spin."""
    from pyscf import lib

    spans = [slice(frozen, n) for n in solution.counts]
    inner = [np.ascontiguousarray(c[:, span]) for c, span in zip(solution.orbitals, spans)]
    outer = [np.ascontiguousarray(c[:, n:].T) for c, n in zip(solution.orbitals, solution.counts)]
    out = [np.empty((aux.nao, len(a), i.shape[1])) for a, i in zip(outer, inner)]
    size = solution.mol.nao
    step = max(1, int(SQUARE / (8 * size**2)))
    room = np.empty((step, size, size))
    for rows, part in integrals(solution.mol, aux):
        for start in range(0, len(part), step):
            square = lib.unpack_tril(part[start : start + step], out=room[: len(part) - start])
            where = slice(rows.start + start, rows.start + start + len(square))
            for one, i, a in zip(out, inner, outer):
                one[where] = np.matmul(
                    a, (square.reshape(-1, size) @ i).reshape(-1, size, i.shape[1])
                )
    factor = cholesky(aux.intor("int2c2e"), lower=True)
    for one in out:
        one[:] = solve_triangular(factor, folded(one, aux.nao), lower=True).reshape(one.shape)
    return out


def _second_order(
    one: np.ndarray,
    energies: tuple[np.ndarray, np.ndarray],
    other: np.ndarray | None = None,
    others: tuple[np.ndarray, np.ndarray] | None = None,
) -> tuple[float, float]:
    """Σ (ia|jb)² / D, and Σ (ia|jb) (ib|ja) / D where both spins are the same."""
    same = other is None or others is None
    other, others = (one, energies) if other is None or others is None else (other, others)
    coulomb = exchange = 0.0
    flat = folded(other, len(other))  # (P, b j)
    for i, energy in enumerate(energies[0]):
        repulsion = (one[:, :, i].T @ flat).reshape(-1, *other.shape[1:])  # (a, b, j)
        gap = energy + others[0] - energies[1][:, None, None] - others[1][:, None]
        amplitudes = repulsion / gap
        coulomb += float(np.vdot(repulsion, amplitudes))
        if same:
            exchange += float(np.vdot(repulsion.transpose(1, 0, 2), amplitudes))
    return coulomb, exchange


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


def integrals(mol: Mol, aux: Mol) -> Iterator[tuple[slice, np.ndarray]]:
    """Return (P|μν) by blocks of P: which rows, and (P, pairs of functions μ ≥ ν).

    Parameters
    ----------
    mol, aux
        pyscf's molecules with the orbital and with the auxiliary basis.
    """
    both, count, places = mol + aux, mol.nbas, aux.ao_loc
    most = max(1, int(BLOCK / (4 * mol.nao**2)))
    for first, last in blocks(places, 0, aux.nbas, most):
        where = (0, count, 0, count, count + first, count + last)
        found = both.intor("int3c2e", aosym="s2ij", shls_slice=where)
        rows = slice(int(places[first]), int(places[last]))
        yield rows, found.reshape(-1, rows.stop - rows.start).T
