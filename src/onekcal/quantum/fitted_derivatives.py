r"""Coulomb and exact exchange with fitted integrals: derivatives by the nuclei at fixed orbitals.

    E = ½ Σ_P d_P γ_P − ½ a n Σ_σij (P|ij) c_P,ij        c = V⁻¹ (P|ij),  γ = V⁻¹ d,  V = (P|Q)
    E^A = Γ_P,μν (P|μν)^A − ½ Γ_PQ V^A
    E^AB = R^A V⁻¹ R^B + Γ_P,μν (P|μν)^AB − ½ Γ_PQ V^AB    R^A = (P|ij)^A − V^A c

a is the share of exact exchange, n the electrons of an orbital, d_P = (P|ρ). Three-index quantities
are kept with both orbital indices occupied, so that everything but the integrals costs little.
Second derivatives are those by two different atoms. A caller gets those of one atom from the sum
rule: moving all atoms together costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from onekcal.quantum.fitted_energies import FittedIntegrals
from onekcal.quantum.solution import Solution, blocks, folded

if TYPE_CHECKING:
    from typing import Any as Mol  # pyscf is untyped

BLOCK = 1.5e8
"""Bytes of integrals at a time."""


@dataclass(frozen=True)
class Block:
    """Auxiliary functions of one atom."""

    atom: int
    shells: tuple[int, int]
    rows: slice


class FittedDerivatives:
    """Derivatives of the two-electron energy of one solution.

    Parameters
    ----------
    solution
        Orbitals of an SCF with fitted integrals.
    fitted
        These integrals.
    """

    def __init__(self, solution: Solution, fitted: FittedIntegrals) -> None:
        self.solution, self.fitted = solution, fitted
        self.mol: Mol = solution.mol
        self.aux: Mol = fitted.aux
        self.both = self.mol + self.aux
        self.metric = self.aux.intor("int2c2e")  # (P, Q)
        self.solve = fitted.solve
        self.blocks = list(self._blocks())
        occupied, share = solution.occupied, solution.share
        size = self.aux.nao
        self.half = fitted.halves(occupied)  # (P|μi)
        self.fit = [self._solved(half) for half in self.half]  # c_P,μi
        self.inner = [c.T @ fit for fit, c in zip(self.fit, occupied)]  # c_P,ij
        self.charge = share * sum(np.einsum("pii->p", inner) for inner in self.inner)  # γ
        self.dressed = [  # (P, μ, i): Γ_P,μν = n Σ_i dressed_μi C_νi
            self.charge[:, None, None] * c - solution.hybrid * (c @ inner)
            for c, inner in zip(occupied, self.inner)
        ]
        self.pairs = np.outer(self.charge, self.charge)  # Γ_PQ
        for inner in self.inner:
            flat = folded(inner, size)
            self.pairs -= solution.hybrid * share * (flat @ flat.T)

    def gradient(self) -> np.ndarray:
        """Return the derivative of the energy at fixed orbitals, (atoms, 3) Hartree/Bohr."""
        out = np.zeros((self.mol.natm, 3))
        two = self.aux.intor("int2c2e_ip1", comp=3)  # (x, P, Q): P moves
        by_function = np.zeros((3, self.mol.nao))
        for block in self.blocks:
            density = self._density(block)
            moved = self.three("int3c2e_ip1", block)
            part = 2 * np.einsum("xpnm,pnm->xm", moved, density)
            by_function -= part
            out[block.atom] += part.sum(1)  # moving all three functions costs nothing
            rows = block.rows
            out[block.atom] += np.einsum("xpq,pq->x", two[:, rows], self.pairs[rows])
        for atom, functions in enumerate(self.solution.atoms):
            out[atom] += by_function[:, functions].sum(1)
        return out

    def second(self) -> tuple[np.ndarray, list[np.ndarray]]:
        """Return the second derivatives at fixed orbitals, and those of the Fock matrix.

        Returns
        -------
        tuple
            (atoms, 3, atoms, 3) Hartree/Bohr², right between different atoms only; and for each
            spin (atoms, 3, functions, occupied) Hartree/Bohr, the derivative of the Fock matrix
            times the occupied orbitals.
        """
        solution, natm, size = self.solution, self.mol.natm, self.aux.nao
        energy = np.zeros((natm, 3, natm, 3))
        fock = [np.zeros((natm, 3, *c.shape)) for c in solution.occupied]
        left = [np.zeros((natm, 3, size, n, n)) for n in solution.counts]  # (P|ij)^A, then R^A
        for block in self.blocks:
            self._second_integrals(block, energy)
            self._first_integrals(block, fock, left)
        two = self.aux.intor("int2c2e_ip1", comp=3)
        auxiliary = self._auxiliary_atoms()
        for one, inner in zip(left, self.inner):
            for atom, rows in enumerate(auxiliary):
                for x in range(3):
                    moved = two[x, rows]  # (P of the atom, Q)
                    one[atom, x, rows] += np.tensordot(moved, inner, 1)
                    one[atom, x] += np.tensordot(moved, inner[rows], (0, 0))
        charges = solution.share * sum(np.einsum("axpii->axp", one) for one in left)
        flat = charges.reshape(3 * natm, size)
        moved_charges = self.solve(flat.T.copy()).T  # γ^A
        energy += (flat @ moved_charges.T).reshape(energy.shape)
        for one, half, fit, out in zip(left, self.half, self.fit, fock):
            out += np.tensordot(moved_charges.reshape(natm, 3, size), half, 1)
            for atom in range(natm):
                out[atom] -= solution.hybrid * np.einsum(
                    "xpji,pmj->xmi", one[atom], fit, optimize=True
                )
            answers = folded(self._solved(one.transpose(2, 0, 1, 3, 4)), size, 3 * natm)
            one = folded(one, 3 * natm, size)
            gram = sum(one[:, p] @ answers[p].T for p in range(size))
            energy -= solution.hybrid * solution.share * gram.reshape(energy.shape)
        self._metric_second(energy, auxiliary)
        return energy, fock

    def _first_integrals(
        self, block: Block, fock: list[np.ndarray], left: list[np.ndarray]
    ) -> None:
        """Add what first derivatives of the integrals of a block give."""
        rows, solution = block.rows, self.solution
        moved = self.three("int3c2e_ip1", block)  # (x, P, ν, μ): μ moves
        other = -moved - moved.transpose(0, 1, 3, 2)  # P moves; all three together cost nothing
        for s, c in enumerate(solution.occupied):
            dressed = self.dressed[s][rows]  # (P, ν, i)
            for x in range(3):
                half = np.matmul(moved[x].transpose(0, 2, 1), c)  # (P, μ, j)
                row = np.tensordot(moved[x], dressed, ((0, 1), (0, 1)))  # (μ, i)
                left[s][block.atom, x, rows] -= np.matmul(c.T, other[x] @ c)
                fock[s][block.atom, x] -= np.tensordot(other[x], dressed, ((0, 1), (0, 1)))
                for atom, functions in enumerate(solution.atoms):
                    part = np.matmul(c[functions].T, half[:, functions])  # (P, i, j)
                    left[s][atom, x, rows] -= part + part.transpose(0, 2, 1)
                    fock[s][atom, x, functions] -= row[functions]
                    fock[s][atom, x] -= np.tensordot(
                        moved[x][:, :, functions], dressed[:, functions], ((0, 2), (0, 1))
                    )

    def _second_integrals(self, block: Block, energy: np.ndarray) -> None:
        """Add what second derivatives of the integrals of a block give between two atoms."""
        solution, mol = self.solution, self.mol
        density = self._density(block)
        both = self.three("int3c2e_ip1ip2", block)  # (xy, P, ν, μ): μ moves along x, P along y
        by_function = 2 * np.einsum("xpnm,pnm->xm", both, density, optimize=True).reshape(3, 3, -1)
        for atom, functions in enumerate(solution.atoms):
            one = by_function[..., functions].sum(-1)
            energy[atom, :, block.atom] += one
            energy[block.atom, :, atom] += one.T
        slices = mol.aoslice_by_atom()
        for atom in range(mol.natm - 1):
            begin, end = int(slices[atom, 0]), int(slices[atom, 1])
            first, last = solution.atoms[atom], int(slices[atom, 3])
            part = self.three("int3c2e_ipvip1", block, (begin, end, end, mol.nbas))
            chosen = density[:, last:, first]  # (P, ν, μ of the atom)
            by_other = 2 * np.einsum("xpnm,pnm->xn", part, chosen, optimize=True)
            by_other = by_other.reshape(3, 3, -1)
            for other in range(atom + 1, mol.natm):
                functions = solution.atoms[other]
                one = by_other[..., functions.start - last : functions.stop - last].sum(-1)
                energy[atom, :, other] += one
                energy[other, :, atom] += one.T

    def _metric_second(self, energy: np.ndarray, auxiliary: list[slice]) -> None:
        two = self.aux.intor("int2c2e_ip1ip2", comp=9).reshape(3, 3, *self.metric.shape)
        for a, rows in enumerate(auxiliary):
            weighted = two[:, :, rows] * self.pairs[rows]
            for b, columns in enumerate(auxiliary):
                energy[a, :, b] -= weighted[..., columns].sum((-2, -1))

    def _density(self, block: Block) -> np.ndarray:
        """Γ_P,νμ of a block."""
        return self.solution.share * sum(
            np.matmul(dressed[block.rows], c.T)
            for dressed, c in zip(self.dressed, self.solution.occupied)
        )

    def three(
        self, name: str, block: Block, shells: tuple[int, int, int, int] | None = None
    ) -> np.ndarray:
        """Return integrals of three functions.

        Parameters
        ----------
        name
            pyscf's name of the integral.
        block
            Auxiliary functions, one of `blocks`.
        shells
            Begin and end of the shells of μ and of ν; None: all.

        Returns
        -------
        ndarray
            (components, P, ν, μ), μ being the first function of pyscf's integral.
        """
        count = self.mol.nbas
        first, last = block.shells
        where = (*(shells or (0, count, 0, count)), count + first, count + last)
        found = self.both.intor(name, shls_slice=where)
        found = found if found.ndim == 4 else found[None]
        return found.transpose(0, 3, 2, 1)

    def _solved(self, of: np.ndarray) -> np.ndarray:
        return self.solve(folded(of, len(of))).reshape(of.shape)

    def _auxiliary_atoms(self) -> list[slice]:
        return [slice(int(row[2]), int(row[3])) for row in self.aux.aoslice_by_atom()]

    def _blocks(self) -> Iterator[Block]:
        places = self.aux.ao_loc
        most = max(1, int(BLOCK / (72 * self.mol.nao**2)))
        for atom, (begin, end) in enumerate(self.aux.aoslice_by_atom()[:, :2]):
            for first, last in blocks(places, int(begin), int(end), most):
                yield Block(atom, (first, last), slice(int(places[first]), int(places[last])))
