r"""The second derivatives of a density-fitted SCF: fixed orbitals, and the orbitals' response.

    H^AB = E^AB + 2n Σ_pi F^A_pi U^B_pi − 2n Σ_pi S^A_pi ε_i U^B_pi − n Σ_ij S^A_ij ε^B_ij

F^A is the derivative of the Fock matrix at fixed orbitals, U^B the first-order orbitals from the
coupled-perturbed equations, n the electrons of an orbital. Exact exchange enters those equations by
integrals of molecular orbitals, made once; the functional of the density by a coarse grid.

The diagonal blocks come from the sum rule Σ_B H^AB = 0. It saves the response of the last atom, and
it removes most of the error of an integration grid that stays where it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from onekcal.quantum.fitted_derivatives import FittedDerivatives
from onekcal.quantum.fitted_energies import FittedIntegrals
from onekcal.quantum.grid_derivatives import GridDerivatives, Response
from onekcal.quantum.solution import Solution, folded

if TYPE_CHECKING:
    from typing import Any as Grids  # pyscf is untyped

RESIDUAL = 1e-5
"""How far the coupled-perturbed equations are solved, by the norm of all first-order orbitals."""
CYCLES = 50


def second_derivatives(
    solution: Solution, integrals: FittedIntegrals, coarse: Grids | None
) -> np.ndarray:
    """Return the Hessian.

    Parameters
    ----------
    solution
        A converged SCF with fitted integrals.
    integrals
        These integrals.
    coarse
        pyscf's grid for the response of the orbitals; None in Hartree-Fock.

    Returns
    -------
    ndarray
        (atoms, 3, atoms, 3) Hartree/Bohr².
    """
    fitted = FittedDerivatives(solution, integrals)
    energy, fock = fitted.second()
    if solution.functional:
        more, potential = GridDerivatives(solution, solution.scf.grids).second()
        energy += more
        for one, other in zip(fock, potential):
            one += other
    _one_electron(solution, energy, fock)
    overlaps = _overlaps(solution)
    solved = slice(0, solution.mol.natm - 1)  # of the last atom the sum rule knows
    focks = [_in_orbitals(c, f) for c, f in zip(solution.orbitals, fock)]
    shifts = [_in_orbitals(c, s) for c, s in zip(solution.orbitals, overlaps)]
    responses, energies = _solve(
        solution,
        [_flat(one[solved]) for one in focks],
        [_flat(one[solved]) for one in shifts],
        _potential(solution, fitted, coarse),
    )
    natm, share = solution.mol.natm, solution.share
    change = np.zeros((3 * natm, 3 * (natm - 1)))
    for s, count in enumerate(solution.counts):
        f = focks[s] - shifts[s] * solution.energies[s][:count]
        size = 3 * natm
        change += 2 * share * folded(f, size) @ folded(responses[s], size - 3).T
        inner = folded(shifts[s][:, :, :count], size)
        change -= share * inner @ folded(energies[s], size - 3).T
    hessian = energy.reshape(3 * natm, 3 * natm)
    hessian[:, :-3] += change
    hessian[:-3, -3:] = hessian[-3:, :-3].T
    return _summed(hessian.reshape(natm, 3, natm, 3))


def _summed(hessian: np.ndarray) -> np.ndarray:
    """Symmetric, the blocks of one atom from the sum rule."""
    natm = len(hessian)
    hessian = 0.5 * (hessian + hessian.transpose(2, 3, 0, 1))
    for atom in range(natm):
        hessian[atom, :, atom] = 0.0
    for atom in range(natm):
        own = -hessian[atom].sum(1)  # (3, 3)
        hessian[atom, :, atom] = 0.5 * (own + own.T)
    return hessian


def _one_electron(solution: Solution, energy: np.ndarray, fock: list[np.ndarray]) -> None:
    """Add kinetic energy, attraction and repulsion of nuclei, and the weighted overlaps."""
    mol, atoms = solution.mol, solution.atoms
    hessian = solution.scf.Hessian()
    between = hessian.hcore_generator(mol)
    first = solution.scf.nuc_grad_method().hcore_generator(mol)
    density, weighted, occupied = solution.density, solution.weighted, solution.occupied
    overlap = mol.intor("int1e_ipovlpip", comp=9).reshape(3, 3, mol.nao, mol.nao)
    nuclear = hessian.hess_nuc(mol)  # (atoms, atoms, 3, 3)
    for a in range(mol.natm):
        own = first(a)  # (3, functions, functions)
        for out, c in zip(fock, occupied):
            out[a] += own @ c
        for b in range(a):
            one = np.einsum("xypq,pq->xy", between(a, b), density, optimize=True)
            pair = overlap[:, :, atoms[a], atoms[b]] * weighted[atoms[a], atoms[b]]
            one += nuclear[a, b] - 2 * pair.sum((-2, -1))
            energy[a, :, b] += one
            energy[b, :, a] += one.T


def _overlaps(solution: Solution) -> list[np.ndarray]:
    """The derivative of the overlaps times occupied orbitals, (atoms, 3, functions, occupied)."""
    moved = -solution.mol.intor("int1e_ipovlp", comp=3)  # (x, μ, ν): μ moves
    out = []
    for c in solution.occupied:
        one = np.zeros((solution.mol.natm, 3, *c.shape))
        for atom, functions in enumerate(solution.atoms):
            one[atom, :, functions] += moved[:, functions] @ c
            one[atom] += moved[:, functions].transpose(0, 2, 1) @ c[functions]
        out.append(one)
    return out


def _in_orbitals(c: np.ndarray, half: np.ndarray) -> np.ndarray:
    """(atoms, 3, functions, occupied) to (atoms, 3, orbitals, occupied)."""
    return np.matmul(c.T, half)


def _flat(of: np.ndarray) -> np.ndarray:
    return of.reshape(of.shape[0] * of.shape[1], *of.shape[2:])


def _potential(
    solution: Solution, fitted: FittedDerivatives, coarse: Grids | None
) -> Callable[[list[np.ndarray]], list[np.ndarray]]:
    """Return what the Fock matrix does when the orbitals change, in molecular orbitals."""
    share = solution.share
    fits = [c.T @ half for c, half in zip(solution.orbitals, fitted.half)]  # (P|pi)
    exchange = _exchange(solution, fitted, fits)
    response = Response(solution, coarse) if coarse is not None else None

    def apply(changes: list[np.ndarray]) -> list[np.ndarray]:
        charge = (
            2
            * share
            * sum(  # (sets, P)
                folded(x, len(x)) @ folded(fit, len(fit)).T for x, fit in zip(changes, fits)
            )
        )
        answer = fitted.solve(charge.T.copy()).T
        out = []
        for x, fit, inner in zip(changes, fits, exchange):
            new = answer @ folded(fit, len(fit))
            new -= folded(x, len(x)) @ inner
            out.append(new.reshape(x.shape))
        if response is not None:
            for new, more in zip(out, response.apply(changes)):
                new += more
        return out

    return apply


def _exchange(
    solution: Solution, fitted: FittedDerivatives, fits: list[np.ndarray]
) -> list[np.ndarray]:
    """a [(pq|ij) + (pj|qi)] as (p i, q j), for each spin."""
    out = []
    for c, fit, inner, count in zip(solution.orbitals, fits, fitted.inner, solution.counts):
        size = c.shape[1]
        first = np.zeros((size * size, count * count))  # (pq|ij)
        for block in fitted.blocks:
            begin, of = block.rows.start, block.rows.stop - block.rows.start
            moved = np.empty((of, size, size))  # (P, p, q)
            for rows, square in fitted.fitted.squares(block.rows):
                np.matmul(c.T, square @ c, out=moved[rows.start - begin : rows.stop - begin])
            first += folded(moved, of).T @ folded(inner[block.rows], of)
        both = first.reshape(size, size, count, count).transpose(0, 2, 1, 3).copy()
        flat = folded(fit, len(fit))  # (P, p j)
        second = flat.T @ fitted.solve(flat.copy())
        both += second.reshape(size, count, size, count).transpose(0, 3, 2, 1)
        out.append(solution.hybrid * both.reshape(size * count, size * count))
    return out


def _solve(
    solution: Solution,
    focks: list[np.ndarray],
    overlaps: list[np.ndarray],
    potential: Callable[[list[np.ndarray]], list[np.ndarray]],
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return first-order orbitals (sets, orbitals, occupied), and first-order energies
    (sets, occupied, occupied), of each spin.
    """
    from pyscf import lib

    counts, sets = solution.counts, len(focks[0])
    gaps = [1.0 / (e[n:, None] - e[:n]) for e, n in zip(solution.energies, counts)]  # (a, i)
    known = [f - s * e[:n] for f, s, e, n in zip(focks, overlaps, solution.energies, counts)]
    fixed = []
    for s, n, one in zip(overlaps, counts, known):
        start = np.zeros_like(one)
        start[:, :n] = -0.5 * s[:, :n]
        fixed.append(start)
    constant = [one + more for one, more in zip(known, potential(fixed))]
    shapes = [gap.shape for gap in gaps]
    cuts = np.cumsum([0] + [a * i for a, i in shapes])

    def packed(parts: list[np.ndarray]) -> np.ndarray:
        return np.hstack([folded(part, len(part)) for part in parts])

    def orbitals(flat: np.ndarray) -> list[np.ndarray]:
        out = []
        for (a, i), begin, end, one in zip(shapes, cuts, cuts[1:], known):
            whole = np.zeros((len(flat), *one.shape[1:]))
            whole[:, i:] = flat[:, begin:end].reshape(len(flat), a, i)
            out.append(whole)
        return out

    def product(flat: np.ndarray) -> np.ndarray:
        moved = potential(orbitals(np.atleast_2d(flat)))
        return packed([m[:, n:] * gap for m, n, gap in zip(moved, counts, gaps)])

    start = packed([-one[:, n:] * gap for one, n, gap in zip(constant, counts, gaps)])
    if not start.size:
        found = start
    else:
        found = lib.krylov(product, start, tol=RESIDUAL, max_cycle=CYCLES, verbose=0)
    moved = orbitals(found.reshape(sets, cuts[-1]))
    last = potential(moved)
    energies = []
    for u, first, f, more, e, n, gap in zip(
        moved, fixed, constant, last, solution.energies, counts, gaps
    ):
        u[:, n:] = -(f + more)[:, n:] * gap
        u[:, :n] = first[:, :n]
        energies.append((f + more)[:, :n] + u[:, :n] * (e[:n, None] - e[:n]))
    return moved, energies
