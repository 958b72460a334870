r"""How the weights of an integration grid follow the nuclei: Becke's fuzzy cells.

    w_g = q_g p_A / Σ_j p_j         p_j = Π_k≠j ½ [1 − s(ν_jk)]     of a point g that belongs to A
    μ_jk = (r_j − r_k) / R_jk       ν = μ + a_jk (1 − μ²)            r_j: distance of g to nucleus j
    s = f(f(f(ν))),  f(x) = (3x − x³) / 2

Becke, J. Chem. Phys. 88, 2547 (1988); Johnson, Gill, Pople, J. Chem. Phys. 98, 5612 (1993).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from typing import Any as Grids  # pyscf is untyped

OUTSIDE = 1e-14
"""Where ½ (1 − s) is smaller, the point is not in the cell at all."""


class Cells:
    """The cells of one grid of pyscf.

    Parameters
    ----------
    grids
        With Becke's partition.
    """

    def __init__(self, grids: Grids) -> None:
        self.coords = grids.coords
        self.nuclei = grids.mol.atom_coords()
        atoms = range(len(self.nuclei))
        apart = self.nuclei[:, None] - self.nuclei[None]
        self.distances = np.linalg.norm(apart, axis=-1)  # (j, k) Bohr
        self.axes = apart / (self.distances + np.eye(len(atoms)))[..., None]
        adjust = grids.radii_adjust(grids.mol, grids.atomic_radii)
        self.sizes = np.array([[adjust(j, k, np.zeros(1))[0] for k in atoms] for j in atoms])

    def gradient(self, atom: int, rows: np.ndarray, energies: np.ndarray) -> np.ndarray:
        """Return Σ_g ∂w_g/∂R f_g of points that move with their atom.

        Parameters
        ----------
        atom
            The one that the points belong to.
        rows
            (g,) which points.
        energies
            (g,) w_g f_g, Hartree.

        Returns
        -------
        ndarray
            (atoms, 3) Hartree/Bohr.
        """
        count = len(self.nuclei)
        out = np.zeros((count, 3))
        if count == 1:
            return out
        away = self.coords[rows].T[None] - self.nuclei[..., None]  # (j, 3, g)
        distances = np.linalg.norm(away, axis=1)  # (j, g)
        first, second = np.triu_indices(count, 1)
        lengths = self.distances[first, second][:, None]
        mu = (distances[first] - distances[second]) / lengths  # (pairs, g)
        size = self.sizes[first, second][:, None]
        step, slope = _step(mu + size * (1 - mu**2))
        slope *= 0.5 * (1 - 2 * size * mu)
        below, above = 0.5 * (1 - step), 0.5 * (1 + step)
        cells = np.ones((count, len(rows)))
        for pair, (j, k) in enumerate(zip(first, second)):
            cells[j] *= below[pair]
            cells[k] *= above[pair]
        share = -cells / cells.sum(0)
        share[atom] += 1.0  # ∂ ln w / ∂ ln p_j
        fall = np.where(below > OUTSIDE, slope / np.maximum(below, OUTSIDE), 0.0)
        rise = np.where(above > OUTSIDE, slope / np.maximum(above, OUTSIDE), 0.0)
        push = energies * (share[second] * rise - share[first] * fall)  # by μ, (pairs, g)
        along = (push * mu / lengths).sum(1)[:, None] * self.axes[first, second]
        pull = np.zeros((count, len(rows)))  # by r_j
        np.add.at(pull, first, push / lengths)
        np.add.at(pull, second, -push / lengths)
        units = away / np.maximum(distances, 1e-12)[:, None]
        own = np.einsum("jg,jxg->jx", pull, units)
        out -= own
        out[atom] += own.sum(0)
        np.add.at(out, first, -along)
        np.add.at(out, second, along)
        return out


def _step(nu: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """s(ν) and its derivative."""
    slope = np.ones_like(nu)
    for _ in range(3):
        slope *= 1.5 * (1 - nu**2)
        nu = nu * (3 - nu**2) / 2
    return nu, slope
