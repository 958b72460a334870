r"""The potential of an SCF with fitted integrals and, with a functional, a grid that is kept.

    F = h + J − a K + V        V_μν = Σ_g w [v_0 φ_μ φ_ν + v_k (φ_μ ∂_kφ_ν + ∂_kφ_μ φ_ν)]

Basis functions on the grid are evaluated once for all iterations. Exact exchange is right times
occupied orbitals (`fitted_energies`); `finish` makes it whole.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

import numpy as np

from onekcal.quantum.cores import cores, divided
from onekcal.quantum.fitted_energies import FittedIntegrals, occupied, orthonormal, tagged
from onekcal.quantum.grid_derivatives import density_of, kernel
from onekcal.quantum.solution import Solution

if TYPE_CHECKING:
    from typing import Any as Density
    from typing import Any as Scf  # pyscf is untyped

POINTS = 2048
"""Grid points at a time."""
KEPT = 1.5e9
"""Bytes of basis functions on the grid that are kept; the others are evaluated each time."""


class FittedPotential:
    """Takes the place of `get_veff` of a restricted or unrestricted SCF of pyscf.

    Parameters
    ----------
    scf
        pyscf's SCF object, not solved yet.
    auxiliary
        pyscf's name of the auxiliary basis.
    memory
        MB; more integrals than that are kept on disk.
    """

    def __init__(self, scf: Scf, auxiliary: str, memory: float = 4000.0) -> None:
        self.scf = scf
        self.pure: np.ndarray | None = getattr(scf, "pure", None)
        self.fitted = FittedIntegrals(scf.mol, auxiliary, memory)
        self.hybrid, self.kept = 1.0, dict[int, np.ndarray]()
        self.functional = getattr(scf, "xc", "")
        if self.functional:
            self.hybrid = Solution.share_of_exchange(scf)
            scf.grids.build(with_non0tab=False)

    def __call__(
        self, mol: object = None, dm: Density = None, *_: object, **__: object
    ) -> np.ndarray:
        """Return the potential of a density matrix, tagged with its energies as pyscf does it."""
        return self._of(dm, whole=not hasattr(dm, "mo_coeff"))

    def attach(self) -> None:
        """Let the SCF take its potential from here as long as this object lives."""
        own = weakref.proxy(self)
        self.scf.get_veff = lambda mol=None, dm=None, *_, **__: own(mol, dm)

    def finish(self) -> None:
        """Replace the orbitals of the converged SCF by those of its whole Fock matrix."""
        scf = self.scf
        fock = scf.get_hcore() + np.asarray(self._of(scf.make_rdm1(), whole=True))
        scf.mo_energy, scf.mo_coeff = scf.eig(fock, scf.get_ovlp())

    def start(self, before: Density) -> Density:
        """Return the density that the SCF starts from.

        Parameters
        ----------
        before
            The density matrix of a geometry nearby, tagged with its orbitals; None: pyscf's guess.
        """
        if before is None:
            return np.asarray(self.scf.get_init_guess())
        overlap = self.scf.get_ovlp()
        return tagged([orthonormal(c, overlap) for c in occupied(before)])

    def _of(self, dm: Density, whole: bool) -> np.ndarray:
        from pyscf import lib

        orbitals = occupied(dm) if hasattr(dm, "mo_coeff") else _natural(np.asarray(dm))
        if self.pure is not None:
            orbitals = [self.pure @ c for c in orbitals]
        make = self.fitted.whole if whole else self.fitted.potential
        coulomb, exchange = make(orbitals)
        parts = [coulomb - self.hybrid * one for one in exchange]
        share = 2.0 if len(orbitals) == 1 else 1.0
        energy = {}
        if self.functional:
            exc, potential = self._on_grid(orbitals)
            parts = [one + more for one, more in zip(parts, potential)]
            for c, one in zip(orbitals, exchange):
                exc -= 0.5 * self.hybrid * share * float(np.vdot(c, one @ c))
            half = [0.5 * share * float(np.vdot(c, coulomb @ c)) for c in orbitals]
            energy = {"ecoul": np.float64(sum(half)), "exc": np.float64(exc)}
        if self.pure is not None:
            parts = [self.pure.T @ one @ self.pure for one in parts]
        return lib.tag_array(parts[0] if len(parts) == 1 else np.array(parts), **energy)

    def _on_grid(self, orbitals: list[np.ndarray]) -> tuple[float, list[np.ndarray]]:
        """The energy of the functional (Hartree), and its potential of each spin."""
        size, blocks = len(orbitals[0]), range(0, len(self.scf.grids.weights), POINTS)

        def some(chosen: list[int]) -> tuple[float, list[np.ndarray]]:
            total, out = 0.0, [np.zeros((size, size)) for _ in orbitals]
            for start in chosen:
                functions, weights = self._functions(start)
                _, density = density_of(orbitals, functions)
                potential, _, energy = kernel(self.scf, density, weights, 1)
                total += float(energy.sum())
                potential[:, 0] *= 0.5
                for one, v in zip(out, potential):
                    one += functions[0] @ np.einsum("kg,kmg->mg", v, functions).T
            return total, out

        count = cores()
        found = divided(some, [list(blocks[begin::count]) for begin in range(count)])
        sums = [np.sum([part[s] for _, part in found], axis=0) for s in range(len(orbitals))]
        return sum(energy for energy, _ in found), [one + one.T for one in sums]

    def _functions(self, start: int) -> tuple[np.ndarray, np.ndarray]:
        """Basis functions and their slopes (4, functions, g), and weights (g,), of one block."""
        scf, rows = self.scf, slice(start, start + POINTS)
        if start not in self.kept:
            values = scf._numint.eval_ao(scf.mol, scf.grids.coords[rows], deriv=1)
            functions = np.ascontiguousarray(values.transpose(0, 2, 1))
            if len(self.kept) * functions.nbytes > KEPT:
                return functions, scf.grids.weights[rows]
            self.kept[start] = functions
        return self.kept[start], scf.grids.weights[rows]


def _natural(densities: np.ndarray) -> list[np.ndarray]:
    """Orbitals (functions, orbitals), not normalised, whose products add up to the density."""
    share = 2.0 if densities.ndim == 2 else 1.0
    out = []
    for density in densities.reshape(-1, *densities.shape[-2:]):
        values, vectors = np.linalg.eigh(density / share)
        kept = values > 1e-10
        out.append(vectors[:, kept] * np.sqrt(values[kept]))
    return out
