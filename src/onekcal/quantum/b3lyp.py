"""B3LYP/6-31G(2df,p) with an analytic Hessian: the geometries and frequencies of G4(MP2).

The basis has six Cartesian d but pure f functions, which pyscf's molecules cannot have. The SCF is
solved in the mixed set (`quantum.pople`). Its orbitals, written in the Cartesian set, give pyscf's
analytic Hessian all it needs: the response of the orbitals stays within the orbitals that are
given, and the contraction of functions does not move with the nuclei. Ethane's zero-point energy
is 46.771 kcal/mol, in QM9 46.776; with five pure d functions it would be 46.841.

Deliberate deviation: integrals are fitted.
"""

from __future__ import annotations

import warnings

import numpy as np

from onekcal.molecules import Molecules
from onekcal.quantum.dft import DensityFunctional
from onekcal.quantum.method import LabelError, Method, formula_of
from onekcal.quantum.pople import Mixed

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
HESSIAN_GRID = 2
"""pyscf's level of the integration grid for second derivatives."""


class VibratingB3LYP(DensityFunctional):
    """One molecule under B3LYP/6-31G(2df,p), with second derivatives.

    Parameters
    ----------
    molecule
        One molecule; its positions are not used.
    """

    def __init__(self, molecule: Molecules) -> None:
        super().__init__(METHOD, molecule, auxiliary=AUXILIARY)

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
        grid, self.grid = self.grid, HESSIAN_GRID
        try:
            scf = self.solved(positions)
            cartesian = scf.whole() if isinstance(scf, Mixed) else scf
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                blocks = cartesian.Hessian().kernel()  # (n, n, 3, 3)
        except (RuntimeError, np.linalg.LinAlgError) as error:
            raise LabelError(
                f"the B3LYP frequencies of {formula_of(self.molecule)} failed: {error}"
            ) from None
        finally:
            self.grid = grid
        count = positions.size
        return np.asarray(blocks).transpose(0, 2, 1, 3).reshape(count, count)
