"""A heat of formation by a bond separation with experimental partners. Energies are kcal/mol."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from onekcal.prediction.separation import NAMES, Separation
from onekcal.thermo.ledger import Ledger, Term


@dataclass(frozen=True)
class Partner:
    """One small species of a separation; energies in kcal/mol at 298.15 K.

    Parameters
    ----------
    smiles
        Canonical.
    count
        How often it is counted; negative on the molecule's side.
    experiment, uncertainty, source
        Its experimental ΔfH.
    computed
        Its ΔfH at the level of the answer.
    how
        "stored", "published" or "learned".
    half
        Half of the interval of `computed`; 0 where it was not learned.
    """

    smiles: str
    count: int
    experiment: float
    uncertainty: float
    source: str
    computed: float
    how: str
    half: float = 0.0

    @property
    def error(self) -> float:
        """Computed − experiment."""
        return self.computed - self.experiment


@dataclass(frozen=True)
class Isodesmic:
    """A heat of formation by a separation.

    Parameters
    ----------
    separation
        The reaction.
    partners
        Its small species.
    formation
        ΔfH(298.15 K), kcal/mol.
    half
        Half of its interval against experiment, kcal/mol; infinite where none can be given.
    apart
        Whether it differs from the first route by more than the intervals of both.
    """

    separation: Separation
    partners: tuple[Partner, ...]
    formation: float
    half: float
    apart: bool

    def __str__(self) -> str:
        half = f" ± {self.half:.2f}" if math.isfinite(self.half) else ""
        value = f"{self.formation:.2f}".replace("-", "−")
        return f"{value}{half} by {NAMES[self.separation.rung]}, {self.separation}"

    @property
    def mixture(self) -> str:
        """Where the energies of the partners come from."""
        counts = Counter(one.how for one in self.partners)
        return ", ".join(f"{n} {how}" for how, n in sorted(counts.items()))

    def gives(self, lines: Ledger) -> bool:
        """Return whether a ledger's ΔfH(298.15 K) is that of the separation.

        Parameters
        ----------
        lines
            The ledger of an answer.
        """
        return math.isclose(lines.formation_298, self.formation, abs_tol=1e-9)

    def terms(self) -> tuple[Term, ...]:
        """What the separation adds to the ledger."""
        return tuple(
            Term(
                f"{'−' if one.count > 0 else '+'} {abs(one.count)} × error of {one.smiles} "
                f"({one.error:+.2f})",
                -one.count * one.error,
                abs(one.count) * math.hypot(one.uncertainty, one.half),
                f"G4(MP2) ({one.how}) − experiment ({one.source})",
                "formation 298 K",
            )
            for one in self.partners
        )

    def to_dict(self) -> dict[str, object]:
        """Return everything, for JSON."""
        return {
            "reaction": str(self.separation),
            "kind": NAMES[self.separation.rung],
            "formation_298": self.formation,
            "half": self.half if math.isfinite(self.half) else None,
            "apart": self.apart,
            "partners": [vars(one) for one in self.partners],
        }
