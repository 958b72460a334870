r"""MP2 with fitted integrals, which are transformed as they are made and never kept.

E = Σ (ia|jb) [2 (ia|jb) − (ib|ja)] / D    closed shell; D = ε_i + ε_j − ε_a − ε_b
E = Σ_αβ (ia|jb)² / D + ½ Σ_αα,ββ (ia|jb) [(ia|jb) − (ib|ja)] / D
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cholesky, solve_triangular

from onekcal.quantum.cores import divided, pieces
from onekcal.quantum.fitted_energies import auxiliary_mol, integrals, squares
from onekcal.quantum.solution import Solution, folded

if TYPE_CHECKING:
    from typing import Any as Mol
    from typing import Any as Scf  # pyscf is untyped


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
    """L⁻¹ (P|ia) with V = L Lᵀ, (P, i, a) of each spin."""
    spans = [slice(frozen, n) for n in solution.counts]
    inner = [np.ascontiguousarray(c[:, span]) for c, span in zip(solution.orbitals, spans)]
    outer = [np.ascontiguousarray(c[:, n:]) for c, n in zip(solution.orbitals, solution.counts)]
    out = [np.empty((aux.nao, i.shape[1], a.shape[1])) for a, i in zip(outer, inner)]
    size = solution.mol.nao
    for rows, part in integrals(solution.mol, aux):

        def transform(some: slice, rows: slice = rows, part: np.ndarray = part) -> None:
            for where, square in squares(part, some, size):
                for one, i, a in zip(out, inner, outer):
                    half = (square.reshape(-1, size) @ i).reshape(len(square), size, -1)
                    rest = half.transpose(0, 2, 1).reshape(-1, size)
                    np.matmul(rest, a, out=one[rows][where].reshape(-1, a.shape[1]))

        divided(transform, pieces(len(part)))
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
    flat = folded(other, len(other))  # (P, j b)

    def pairs(i: int) -> tuple[float, float]:
        repulsion = (one[:, i].T @ flat).reshape(-1, *other.shape[1:])  # (a, j, b)
        empty = energies[1][:, None, None] + others[1]
        amplitudes = repulsion / (energies[0][i] + others[0][:, None] - empty)
        turned = repulsion.transpose(2, 1, 0) if same else np.zeros_like(repulsion)
        return float(np.vdot(repulsion, amplitudes)), float(np.vdot(turned, amplitudes))

    found = divided(pairs, range(len(energies[0])))
    return sum(first for first, _ in found), sum(second for _, second in found)
