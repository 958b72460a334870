"""B3LYP/6-31G(2df,p) with an analytic Hessian: the geometries and frequencies of G4(MP2).

The basis has six Cartesian d but pure f functions, which pyscf's molecules cannot have. The SCF is
solved in the mixed set (`quantum.pople`). Its orbitals, written in the Cartesian set, give the
derivatives all they need: the response of the orbitals stays within the orbitals that are given,
and the contraction of functions does not move with the nuclei. Ethane's zero-point energy is 46.77
kcal/mol, in QM9 46.776; with five pure d functions it would be 46.84.

Deliberate deviations: integrals are fitted, and the grids are small. The Hessian's diagonal blocks
come from a sum rule (`coupled_perturbed`), with which zero-point energies on these grids err by
less than 0.01 kcal/mol.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from onekcal.molecules import Molecules
from onekcal.quantum.coupled_perturbed import second_derivatives
from onekcal.quantum.dft import DensityFunctional
from onekcal.quantum.fitted_derivatives import FittedDerivatives
from onekcal.quantum.fitted_energies import FittedIntegrals
from onekcal.quantum.fitted_potential import FittedPotential
from onekcal.quantum.grid_derivatives import GridDerivatives
from onekcal.quantum.method import LabelError, Method, Point, formula_of
from onekcal.quantum.pople import Mixed
from onekcal.quantum.solution import Solution

if TYPE_CHECKING:
    from typing import Any as Mol
    from typing import Any as Scf  # pyscf is untyped

METHOD = Method(
    "b3lyp/6-31g(2df,p) df",
    "b3lyp/6-31g(2df,p) df",
    "dft",
    "b3lyp",
    DensityFunctional,
    "6-31g(2df,p)",
    True,
)
AUXILIARY = "def2-universal-jkfit"
GRID = 1
"""pyscf's level of the integration grid."""
ENOUGH, TIGHT = 1e-8, 1e-10
"""Hartree; how far the SCF converges for a gradient and for a Hessian."""
COARSE = (30, 50)
"""Radial and angular points of the grid on which the orbitals respond, before pruning."""


class VibratingB3LYP(DensityFunctional):
    """One molecule under B3LYP/6-31G(2df,p), with second derivatives.

    Parameters
    ----------
    molecule
        One molecule; its positions are not used.
    """

    def __init__(self, molecule: Molecules) -> None:
        super().__init__(METHOD, molecule, grid=GRID, convergence=ENOUGH, auxiliary=AUXILIARY)
        self.last: tuple[np.ndarray, Scf] | None = None
        self.point: tuple[np.ndarray, Point] | None = None
        self.potential: FittedPotential | None = None  # of the last geometry

    def at(self, positions: np.ndarray, gradient: bool = True) -> Point:
        """Return energy, Mulliken charges and, on request, the gradient at one geometry.

        Parameters
        ----------
        positions
            (n, 3) Å.
        gradient
            Whether the gradient is computed; without it, `Point.gradient` is None.
        """
        if self.point is not None and np.array_equal(self.point[0], positions):
            return self.point[1]
        scf = self._whole(positions)
        charges = np.array(scf.mulliken_pop(verbose=0)[1])
        push = _gradient(scf, self._integrals) if gradient else None
        point = Point(float(scf.e_tot), push, charges)
        if gradient:
            self.point = positions.copy(), point
        return point

    def hessian(self, positions: np.ndarray) -> np.ndarray:
        """Return the second derivatives of the energy.

        Parameters
        ----------
        positions
            (n, 3) Å, relaxed.

        Returns
        -------
        ndarray
            (3n, 3n) Hartree/Bohr².
        """
        scf = self._tight(positions)
        coarse = None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if hasattr(scf, "xc"):
                    from pyscf.dft.gen_grid import Grids

                    coarse = Grids(scf.mol)
                    coarse.atom_grid = COARSE
                    coarse.build(with_non0tab=False)
                blocks = second_derivatives(Solution.of(scf), self._integrals, coarse)
        except (RuntimeError, np.linalg.LinAlgError) as error:
            raise LabelError(
                f"the B3LYP frequencies of {formula_of(self.molecule)} failed: {error}"
            ) from None
        return blocks.reshape(positions.size, positions.size)

    def _whole(self, positions: np.ndarray) -> Scf:
        """The SCF at one geometry in Cartesian functions; the last one is not solved again. Its
        empty orbitals are not canonical.
        """
        if self.last is None or not np.array_equal(self.last[0], positions):
            scf = self.solved(positions)
            self.last = positions.copy(), scf.whole() if isinstance(scf, Mixed) else scf
        return self.last[1]

    def _tight(self, positions: np.ndarray) -> Scf:
        """The same, converged further, with canonical orbitals."""
        self._whole(positions)
        assert self.potential is not None
        scf = self.potential.scf
        if not scf.conv_check:  # not pyscf's own
            scf.conv_tol = TIGHT
            scf.kernel(dm0=scf.make_rdm1())
        self.potential.finish()
        self.last = positions.copy(), scf.whole() if isinstance(scf, Mixed) else scf
        return self.last[1]

    def _converged(self, mol: Mol) -> Scf:
        """The SCF by the potential with fitted integrals, else by pyscf's own."""
        scf = self.scf(mol)
        self.potential = FittedPotential(scf, AUXILIARY)
        self.potential.attach()
        scf.conv_check = False
        scf.kernel(dm0=self.potential.start(self.density))
        if scf.converged:
            self.density = scf.make_rdm1()
            return scf
        self.potential.scf = super()._converged(mol)
        return self.potential.scf

    @property
    def _integrals(self) -> FittedIntegrals:
        assert self.potential is not None
        return self.potential.fitted


def _gradient(scf: Scf, fitted: FittedIntegrals) -> np.ndarray:
    """(n, 3) Hartree/Bohr."""
    solution = Solution.of(scf)
    out = FittedDerivatives(solution, fitted).gradient()
    if solution.functional:
        out += GridDerivatives(solution, scf.grids).gradient()
    plain = scf.nuc_grad_method()
    between = plain.hcore_generator(solution.mol)
    overlap = -solution.mol.intor("int1e_ipovlp", comp=3)
    density, weighted = solution.density, solution.weighted
    for atom, functions in enumerate(solution.atoms):
        out[atom] += np.einsum("xpq,pq->x", between(atom), density)
        out[atom] -= 2 * np.einsum("xpq,pq->x", overlap[:, functions], weighted[functions])
    return out + plain.grad_nuc()
