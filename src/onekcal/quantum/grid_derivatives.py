r"""Exchange and correlation on a grid: derivatives by the nuclei, response of the potential.

With the density and its gradient as one vector, ρ_k = (ρ, ∂_x ρ, ∂_y ρ, ∂_z ρ), the energy is
E = Σ_g w f(ρ_k). Its derivatives by ρ_k are v_k and f_kl.

    ρ_0^A = −2n Σ_i P_i φ_i             P_i = Σ_{μ∈A} ∂φ_μ C_μi       moved part of an orbital
    ρ_k^A = −2n Σ_i (S_i,k φ_i + P_i ∂_k φ_i)                  S_i,k = Σ_{μ∈A} ∂∂_k φ_μ C_μi
    E^AB = Σ_g w [f_kl ρ_k^A ρ_l^B + v_k ρ_k^AB]
    ρ^AB: 2n Σ_i [P^A_i Q^B_i + Q^A_i P^B_i],  Q = ½ v_0 P + v_k S_k        A ≠ B

All of it is done with occupied orbitals, never with pairs of basis functions. In second derivatives
the grid stays where it is; they are those by two different atoms, see `fitted_derivatives`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from onekcal.quantum.cells import Cells
from onekcal.quantum.cores import divided, pieces
from onekcal.quantum.solution import Solution, folded

if TYPE_CHECKING:
    from typing import Any as Grids
    from typing import Any as Scf  # pyscf is untyped

POINTS = 1024
"""Grid points at a time."""
SYMMETRIC = np.array([[4, 5, 6], [5, 7, 8], [6, 8, 9]])
"""Where pyscf keeps ∂_x∂_y of a function."""


class GridDerivatives:
    """Derivatives of the energy of exchange and correlation of one solution.

    Parameters
    ----------
    solution
        Orbitals of a density functional of the density and its gradient.
    grids
        pyscf's grid.
    """

    def __init__(self, solution: Solution, grids: Grids) -> None:
        self.solution, self.grids = solution, grids

    def gradient(self) -> np.ndarray:
        """Return the derivative at fixed orbitals, (atoms, 3) Hartree/Bohr.

        Unlike second derivatives it lets the grid move with the nuclei. It is the exact derivative
        of the energy on the grid, so that a relaxation on a small grid converges.
        """
        solution = self.solution
        out = np.zeros((solution.mol.natm, 3))
        cells = Cells(self.grids)
        for atom in range(solution.mol.natm):
            for functions, rows in self._blocks(2, np.flatnonzero(self.grids.atm_idx == atom)):
                orbitals, density = self._density(functions)
                weights = self.grids.weights[rows]
                potential, _, energy = self._kernel(density, weights, 1)
                moved = np.zeros((3, solution.mol.nao))
                for c, phi, v in zip(solution.occupied, orbitals, potential):
                    row = _bound(functions, phi, v)  # (3, μ, i)
                    moved -= 2 * solution.share * (row * c).sum(-1)
                out += [moved[:, one].sum(1) for one in solution.atoms]
                out[atom] -= moved.sum(1)  # the points follow their atom
                out += cells.gradient(atom, rows, energy)
        return out

    def second(self) -> tuple[np.ndarray, list[np.ndarray]]:
        """Return the second derivatives at fixed orbitals, and those of the potential.

        Returns
        -------
        tuple
            (atoms, 3, atoms, 3) Hartree/Bohr², right between different atoms only; and for each
            spin (atoms, 3, functions, occupied), the derivative of the potential times the
            occupied orbitals, Hartree/Bohr.
        """
        solution = self.solution
        natm = solution.mol.natm

        def some(chosen: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
            energy = np.zeros((3 * natm, 3 * natm))
            fock = [np.zeros((natm, 3, *c.shape)) for c in solution.occupied]
            for functions, rows in self._blocks(2, chosen):
                self._second_of(functions, self.grids.weights[rows], energy, fock)
            return energy, fock

        found = divided(some, self._shares())
        energy = np.sum([one for one, _ in found], axis=0)
        fock = [np.sum([f[s] for _, f in found], axis=0) for s in range(len(solution.counts))]
        return energy.reshape(natm, 3, natm, 3), fock

    def _second_of(
        self,
        functions: np.ndarray,
        weights: np.ndarray,
        energy: np.ndarray,
        fock: list[np.ndarray],
    ) -> None:
        """Add the second derivatives of one block, and those of its potential."""
        solution, size = self.solution, len(energy)
        orbitals, density = self._density(functions)
        potential, kernel, _ = self._kernel(density, weights, 2)
        moved = [self._moved(functions, c) for c in solution.occupied]
        change = np.stack(
            [self._changed(phi, *one) for phi, one in zip(orbitals, moved)]
        )  # (spins, 3 atoms, 4, g)
        pushed = np.einsum("skTlg,Talg->sakg", kernel, change, optimize=True)
        energy += np.einsum("sakg,sbkg->ab", pushed, change, optimize=True)
        for s, (phi, v, (first, second)) in enumerate(zip(orbitals, potential, moved)):
            half = 0.5 * v[0] * first + np.einsum("kg,akig->aig", v[1:], second)  # Q
            flat = folded(first, size) @ folded(half, size).T
            energy += 2 * solution.share * (flat + flat.T)
            self._fock(fock[s], functions, phi, v, pushed[s], first, second, s)

    def _shares(self) -> list[np.ndarray]:
        """The points of the grid, a share for each processor."""
        points = np.arange(len(self.grids.weights))
        return [points[some] for some in pieces(len(points))]

    def _fock(
        self,
        out: np.ndarray,
        functions: np.ndarray,
        phi: np.ndarray,
        v: np.ndarray,
        pushed: np.ndarray,
        first: np.ndarray,
        second: np.ndarray,
        spin: int,
    ) -> None:
        """Add the derivative of the potential, times occupied orbitals, of one block."""
        solution = self.solution
        natm, count = solution.mol.natm, solution.counts[spin]
        shape = (3 * natm, count, functions.shape[-1])
        weighted = np.empty((4, *shape))
        weighted[0] = np.einsum("akg,kig->aig", pushed, phi) - v[0] * first
        weighted[0] -= np.einsum("kg,akig->aig", v[1:], second)
        for k in range(1, 4):
            weighted[k] = pushed[:, None, k] * phi[0] - v[k] * first
        for k in range(4):
            block = functions[k] @ weighted[k].reshape(3 * natm * count, shape[-1]).T  # (μ, A x i)
            out += block.reshape(len(block), natm, 3, count).transpose(1, 2, 0, 3)
        row = _bound(functions, phi, v)
        for atom, where in enumerate(solution.atoms):
            out[atom, :, where] -= row[:, where]

    def _moved(self, functions: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """P (3 atoms, i, g) and S (3 atoms, 3, i, g)."""
        natm, points = self.solution.mol.natm, functions.shape[-1]
        first = np.empty((natm, 3, c.shape[1], points))
        second = np.empty((natm, 3, 3, c.shape[1], points))
        for atom, where in enumerate(self.solution.atoms):
            own = c[where].T
            for x in range(3):
                first[atom, x] = own @ functions[1 + x, where]
                for k in range(x, 3):
                    second[atom, x, k] = own @ functions[SYMMETRIC[x, k], where]
                    second[atom, k, x] = second[atom, x, k]
        count = c.shape[1]
        return (
            first.reshape(3 * natm, count, points),
            second.reshape(3 * natm, 3, count, points),
        )

    def _changed(self, phi: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """ρ_k^A (3 atoms, 4, g)."""
        out = np.empty((len(first), 4, first.shape[-1]))
        out[:, 0] = np.einsum("aig,ig->ag", first, phi[0])
        out[:, 1:] = np.einsum("akig,ig->akg", second, phi[0])
        for k in range(1, 4):
            out[:, k] += np.einsum("aig,ig->ag", first, phi[k])
        return -2 * self.solution.share * out

    def _density(self, functions: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
        """Occupied orbitals (4, i, g) of each spin, and ρ_k (spins, 4, g)."""
        return density_of(self.solution.occupied, functions)

    def _kernel(
        self, density: np.ndarray, weights: np.ndarray, order: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """As `kernel`."""
        return kernel(self.solution.scf, density, weights, order)

    def _blocks(
        self, order: int, chosen: np.ndarray | None = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Functions and derivatives (components, μ, g), and which points (g,) they are at."""
        numint, mol = self.solution.scf._numint, self.solution.mol
        chosen = np.arange(len(self.grids.weights)) if chosen is None else chosen
        for start in range(0, len(chosen), POINTS):
            rows = chosen[start : start + POINTS]
            values = numint.eval_ao(mol, self.grids.coords[rows], deriv=order)
            yield np.ascontiguousarray(values.transpose(0, 2, 1)), rows


def density_of(
    occupied: list[np.ndarray], functions: np.ndarray
) -> tuple[list[np.ndarray], np.ndarray]:
    """Return occupied orbitals (4, i, g) of each spin, and ρ_k (spins, 4, g).

    Parameters
    ----------
    occupied
        (functions, occupied) of each spin; one entry where both share theirs.
    functions
        (4 or more, functions, g): values, then slopes.
    """
    share = 2.0 if len(occupied) == 1 else 1.0
    orbitals = [np.matmul(c.T, functions[:4]) for c in occupied]
    density = np.empty((len(orbitals), 4, functions.shape[-1]))
    for out, phi in zip(density, orbitals):
        out[:] = 2 * share * np.einsum("kig,ig->kg", phi, phi[0])
        out[0] *= 0.5
    return orbitals, density


def kernel(
    scf: Scf, density: np.ndarray, weights: np.ndarray, order: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return w v_k (spins, 4, g), w f_kl (spins, 4, spins, 4, g), and w f (g,).

    Parameters
    ----------
    scf
        pyscf's SCF of a density functional.
    density
        (spins, 4, g).
    weights
        (g,).
    order
        1 leaves f_kl empty, 2 does not.
    """
    closed = len(density) == 1
    energy, first, second = scf._numint.eval_xc_eff(
        scf.xc,
        density[0] if closed else density,
        deriv=order,
        xctype="GGA",
        spin=0 if closed else 1,
    )[:3]
    potential = (first[None] if closed else first) * weights
    both = np.zeros(0)
    if order > 1:
        both = (second[None, :, None] if closed else second) * weights
    return potential, both, energy * density[:, 0].sum(0) * weights


def _bound(functions: np.ndarray, phi: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Σ_g [∂_xφ_μ (v_0 φ_i + v_k ∂_kφ_i) + ∂_x∂_kφ_μ v_k φ_i], (3, μ, i)."""
    slope = v[0] * phi[0] + np.einsum("kg,kig->ig", v[1:], phi[1:])
    out = []
    for x in range(3):
        row = functions[1 + x] @ slope.T
        for k in range(3):
            row += functions[SYMMETRIC[x, k]] @ (v[1 + k] * phi[0]).T
        out.append(row)
    return np.array(out)


class Response(GridDerivatives):
    """How the potential of exchange and correlation follows the orbitals.

    Values on the grid are kept in single precision, for every application.

    Parameters
    ----------
    solution, grids
        As in `GridDerivatives`; the grid may be coarse.
    """

    def __init__(self, solution: Solution, grids: Grids) -> None:
        super().__init__(solution, grids)

        def some(chosen: np.ndarray) -> list[tuple[list[np.ndarray], np.ndarray]]:
            kept = []
            for functions, rows in self._blocks(1, chosen):
                _, density = self._density(functions)
                _, kernel, _ = self._kernel(density, grids.weights[rows], 2)
                orbitals = [
                    np.matmul(c.T, functions).astype(np.float32) for c in solution.orbitals
                ]  # (4, p, g)
                kept.append((orbitals, kernel.astype(np.float32)))
            return kept

        self.kept = divided(some, self._shares())

    def apply(self, changes: list[np.ndarray]) -> list[np.ndarray]:
        """Return the change of the potential, times occupied orbitals.

        Parameters
        ----------
        changes
            (sets, orbitals, occupied) for each spin: first-order occupied orbitals.

        Returns
        -------
        list of ndarray
            The same shapes, Hartree.
        """
        sets = len(changes[0])
        wide = [  # (sets · i, p)
            np.ascontiguousarray(x.transpose(0, 2, 1), np.float32).reshape(
                sets * x.shape[2], x.shape[1]
            )
            for x in changes
        ]
        found = divided(lambda kept: self._applied(wide, sets, kept), self.kept)
        parts = [np.sum([one[s] for one in found], axis=0) for s in range(len(wide))]
        return [
            x.reshape(sets, len(x) // sets, x.shape[1]).transpose(0, 2, 1).astype(float)
            for x in parts
        ]

    def _applied(
        self, wide: list[np.ndarray], sets: int, kept: list[tuple[list[np.ndarray], np.ndarray]]
    ) -> list[np.ndarray]:
        """What the points of some blocks contribute, (sets · i, p) of each spin."""
        solution = self.solution
        out = [np.zeros(x.shape, np.float32) for x in wide]
        for orbitals, kernel in kept:
            points = kernel.shape[-1]
            density = np.empty((len(wide), sets, 4, points), np.float32)
            for s, (x, phi) in enumerate(zip(wide, orbitals)):
                inner = phi[:, : solution.counts[s]]
                value = (x @ phi[0]).reshape(sets, len(inner[0]), points)
                density[s, :, 0] = np.einsum("aig,ig->ag", value, inner[0])
                for k in range(1, 4):
                    slope = (x @ phi[k]).reshape(sets, len(inner[0]), points)
                    density[s, :, k] = np.einsum("aig,ig->ag", slope, inner[0])
                    density[s, :, k] += np.einsum("aig,ig->ag", value, inner[k])
            pushed = np.einsum("skTlg,Talg->sakg", kernel, density, optimize=True)
            pushed *= 2 * solution.share
            for s, phi in enumerate(orbitals):
                inner = phi[:, : solution.counts[s]]
                shape = (sets * len(inner[0]), points)
                first = np.einsum("akg,kig->aig", pushed[s], inner).reshape(shape)
                out[s] += first @ phi[0].T
                for k in range(1, 4):
                    one = pushed[s][:, None, k] * inner[0]
                    out[s] += one.reshape(shape) @ phi[k].T
        return out
