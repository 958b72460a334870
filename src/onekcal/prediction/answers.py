"""What a model says of one molecule, and how that becomes JSON or a row of a table. Energies are
kcal/mol, lengths Å.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from onekcal.molecules import Molecules

if TYPE_CHECKING:
    from onekcal.thermo.ledger import Ledger


@dataclass(frozen=True)
class Spread:
    """The conformers of a molecule made from its SMILES."""

    embedded: int  # that the search began with
    relative: np.ndarray  # (conformers,) kcal/mol above the lowest, by GFN2-xTB

    @property
    def largest(self) -> float:
        """kcal/mol between the lowest and the highest of those kept."""
        return float(self.relative[-1])


@dataclass(frozen=True)
class Answer:
    """The energy of one molecule (kcal/mol), or the `problem` that prevented it."""

    source: str
    name: str = ""
    smiles: str = ""
    formula: str = ""
    level: str = ""
    kind: str = "atomization"
    at: str = "electronic"
    energy: float = (
        math.nan
    )  # relative to free atoms and negative when bound, where `kind` is atomization
    half: float = math.inf  # half width of the interval; infinite where none can be given
    coverage: float = 0.9  # the share of molecules like this one the interval is to cover
    geometry: str = ""  # the kind the interval belongs to: smiles, gfn2, b3lyp, data
    made: str = ""  # how the geometry came about, in words
    molecule: Molecules | None = None  # at the geometry used
    conformers: Spread | None = None
    ledger: Ledger | None = None
    novelty: float | None = None
    terms: dict[str, list[float]] = field(
        default_factory=dict
    )  # what the model tells besides: HIP-NN's R and orders
    forces: np.ndarray | None = None  # (n, 3) kcal/mol/Å
    remarks: tuple[str, ...] = ()
    problem: str = ""

    @property
    def label(self) -> str:
        """What the user calls it: its name, its SMILES, or where it stands."""
        return self.name or self.smiles or self.source

    @property
    def lower(self) -> float:
        """kcal/mol."""
        return self.energy - self.half

    @property
    def upper(self) -> float:
        """kcal/mol."""
        return self.energy + self.half

    def to_dict(self) -> dict[str, Any]:
        """Everything, for JSON: what is not known or not finite is null."""
        energy = {
            "value": self.energy,
            "lower": self.lower,
            "upper": self.upper,
            "coverage": self.coverage,
        }
        bounded = math.isfinite(self.half)
        out: dict[str, Any] = {
            "source": self.source,
            "name": self.name,
            "formula": self.formula,
            "smiles": self.smiles or None,
            "level": self.level,
            "kind": self.kind,
            "at": self.at,
            "unit": "kcal/mol",
            "geometry": self.geometry,
            self.kind: None
            if self.problem
            else {k: v if k == "value" or bounded else None for k, v in energy.items()},
            "formation_0": self.ledger.formation_0 if self.ledger else None,
            "formation_298": self.ledger.formation_298 if self.ledger else None,
            "terms": [vars(term) for term in self.ledger.terms] if self.ledger else [],
            "conformers": None,
            "novelty": self.novelty,
            "model": self.terms,
            "remarks": list(self.remarks),
            "problem": self.problem or None,
            "numbers": None,
            "positions": None,
            "forces": None if self.forces is None else self.forces.tolist(),
        }
        if self.conformers is not None:
            relative = self.conformers.relative.tolist()
            out["conformers"] = {
                "count": len(relative),
                "embedded": self.conformers.embedded,
                "spread": self.conformers.largest,
                "relative": relative,
            }
        if self.molecule is not None:
            out |= {
                "numbers": self.molecule.numbers.tolist(),
                "positions": self.molecule.positions.tolist(),
            }
        return out

    def to_row(self) -> dict[str, Any]:
        """Flat, for CSV: units stand in the names, what is not known is empty."""
        ledger, spread = self.ledger, self.conformers
        return {
            "source": self.source,
            "name": self.name,
            "formula": self.formula,
            "smiles": self.smiles,
            "level": self.level,
            "kind": self.kind,
            "geometry": self.geometry,
            "energy_kcal_per_mol": _number(self.energy),
            "lower_kcal_per_mol": _number(self.lower),
            "upper_kcal_per_mol": _number(self.upper),
            "coverage": self.coverage if math.isfinite(self.half) else "",
            "formation_0K_kcal_per_mol": _number(ledger.formation_0) if ledger else "",
            "formation_298K_kcal_per_mol": _number(ledger.formation_298) if ledger else "",
            "conformers": len(spread.relative) if spread else "",
            "spread_kcal_per_mol": _number(spread.largest) if spread else "",
            "novelty": "" if self.novelty is None else f"{self.novelty:.4g}",
            "remarks": "; ".join(self.remarks),
            "problem": self.problem,
        }


def _number(value: float) -> str:
    return f"{value:.4f}" if math.isfinite(value) else ""
