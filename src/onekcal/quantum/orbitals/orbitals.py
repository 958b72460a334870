r"""Occupied orbitals of a molecule, and the densities they make: ρ, ∇ρ and τ of each spin. Atomic
units.

    ρ_σ = Σ_i n_iσ |φ_iσ|²    ∇ρ_σ = 2 Σ_i n_iσ φ_iσ ∇φ_iσ    τ_σ = ½ Σ_i n_iσ |∇φ_iσ|²

`orbitals(molecule, "gfn2")` computes them, `read_orbitals(path)` reads those of another program.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from onekcal.quantum.orbitals.gaussians import Basis

PIECE = 2048
"""Points evaluated at a time: few enough for the processor's cache, together enough to leave far
shells out.
"""


class Density(NamedTuple):
    """Of one spin, or of both together where the shells are closed."""

    rho: Tensor  # (P,) e/Bohr³
    gradient: Tensor  # (P, 3) e/Bohr⁴
    tau: Tensor  # (P,) Hartree/Bohr³, positive definite: ½ Σ n |∇φ|²


@dataclass(frozen=True)
class Orbitals:
    """Occupied orbitals in a Gaussian basis; one entry of `coefficients` where the shells are
    closed, else α and β.
    """

    numbers: Tensor  # (A,) nuclear charges
    centres: Tensor  # (A, 3) Bohr
    effective: Tensor  # (A,) nuclear charges less the core electrons that no orbital here holds
    basis: Basis
    coefficients: tuple[Tensor, ...]  # per spin: (basis, occupied)
    occupations: tuple[
        Tensor, ...
    ]  # per spin: (occupied,), to 2 where the shells are closed, else to 1
    source: str

    @property
    def electrons(self) -> float:
        """Return the number of electrons in the orbitals."""
        return float(sum(occupied.sum() for occupied in self.occupations))

    def density(self, points: Tensor, screened: bool = True) -> list[Density]:
        """Return the density, its gradient and the kinetic energy density at points.

        Far shells are left out for `PIECE` points at a time, so neighbours in the list should be
        neighbours in space.

        Parameters
        ----------
        points
            (P, 3) Bohr, P > 0.
        screened
            Whether negligible shells are left out.

        Returns
        -------
        list of Density
            One where the shells are closed, else α and β.
        """
        points = points.to(torch.float64)
        pieces = [self._density(piece, screened) for piece in points.split(PIECE)]
        return [Density(*(torch.cat(part) for part in zip(*spin))) for spin in zip(*pieces)]

    def _density(self, points: Tensor, screened: bool) -> list[Density]:
        rows, values = self.basis.values(points, screened)  # (n,), (4, n, P)
        spins = []
        for coefficients, occupations in zip(self.coefficients, self.occupations):
            phi = coefficients[rows].T @ values  # (4, occupied, P)
            filled = occupations[:, None] * phi
            rho = (filled[0] * phi[0]).sum(0)
            gradient = 2.0 * (filled[0] * phi[1:]).sum(1).T  # (P, 3)
            spins.append(Density(rho, gradient, 0.5 * (filled[1:] * phi[1:]).sum((0, 1))))
        return spins
