"""What a wavefunction file says, before it becomes orbitals: the same for every format."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from onekcal.quantum.orbitals.gaussians import Shell, radial_norms

OPEN = 1e-6
"""Electrons; an orbital of both spins is singly occupied when it is this near to one electron."""


@dataclass(frozen=True)
class Contracted:
    """A shell as files have it: coefficients of primitives that are normalised when
    `normalised`.
    """

    centre: np.ndarray  # (3,) Bohr
    angular: int
    exponents: np.ndarray  # (K,) Bohr⁻²
    coefficients: np.ndarray  # (K,)
    functions: np.ndarray  # (F, monomials)
    normalised: bool = True

    def shell(self, to_one: bool) -> Shell:
        """Return the shell with weights of bare Gaussians.

        Parameters
        ----------
        to_one
            Whether the contraction is scaled to norm one; without effect where the primitives are
            not `normalised`.

        Returns
        -------
        Shell
            At the same centre (Bohr), with the same exponents (Bohr⁻²).
        """
        weights = self.coefficients * (
            radial_norms(self.angular, self.exponents) if self.normalised else 1.0
        )
        if to_one and self.normalised:
            squares = (
                1 / radial_norms(self.angular, (self.exponents[:, None] + self.exponents) / 2) ** 2
            )
            weights = weights / np.sqrt(weights @ squares @ weights)
        return Shell(self.centre, self.angular, self.exponents, weights, self.functions)


@dataclass(frozen=True)
class Contents:
    """What a wavefunction file says."""

    numbers: np.ndarray  # (A,) nuclear charges
    centres: np.ndarray  # (A, 3) Bohr
    effective: np.ndarray  # (A,) nuclear charges less core electrons that are not in the orbitals
    shells: list[Contracted]
    coefficients: list[np.ndarray]  # per spin, or one for both: (basis, orbitals)
    occupations: list[np.ndarray]  # (orbitals,)
    electrons: float | None = None  # as the file says

    def of_each_spin(self) -> Contents:
        """Return the contents with α and β apart where some orbital holds one electron.

        That electron is an α electron. Contents of closed shells, and of two spins,
        come back as they are.
        """
        if len(self.occupations) == 2 or not (abs(self.occupations[0] - 1) < OPEN).any():
            return self
        alpha = self.occupations[0].clip(max=1.0)
        return replace(
            self,
            coefficients=self.coefficients * 2,
            occupations=[alpha, self.occupations[0] - alpha],
        )
