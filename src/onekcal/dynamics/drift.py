"""How the conserved energy drifts: the slope of a straight line through all steps."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Drift:
    """Sums over the steps so far, from which the slope follows; they can be stored and continued.

    Parameters
    ----------
    start
        The energy at the first step, kcal/mol.
    count
        Steps so far.
    times, squares
        Σt (ps) and Σt² (ps²).
    energies, products
        Σ(E − start) (kcal/mol) and Σt(E − start) (kcal/mol · ps).
    widest
        The largest |E − start|, kcal/mol.
    """

    start: float = math.nan
    count: int = 0
    times: float = 0.0
    squares: float = 0.0
    energies: float = 0.0
    products: float = 0.0
    widest: float = 0.0

    def after(self, time: float, energy: float) -> Drift:
        """Return the sums with one more step.

        Parameters
        ----------
        time
            ps.
        energy
            kcal/mol.
        """
        start = energy if self.count == 0 else self.start
        rise = energy - start
        return Drift(
            start,
            self.count + 1,
            self.times + time,
            self.squares + time * time,
            self.energies + rise,
            self.products + time * rise,
            max(self.widest, abs(rise)),
        )

    @property
    def slope(self) -> float:
        """The least-squares slope, kcal/mol/ps; not a number before the second step."""
        spread = self.count * self.squares - self.times**2
        if self.count < 2 or spread <= 0:
            return math.nan
        return (self.count * self.products - self.times * self.energies) / spread
