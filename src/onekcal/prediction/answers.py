"""What a model says of one molecule, and how that becomes JSON or a row of a table.

Energies are kcal/mol, lengths Å.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from onekcal.molecules import Molecules

if TYPE_CHECKING:
    from onekcal.prediction.isodesmic import Isodesmic
    from onekcal.thermo.free_energies import Thermochemistry
    from onekcal.thermo.ledger import Ledger


@dataclass(frozen=True)
class Spread:
    """The conformers of a molecule made from its SMILES.

    Parameters
    ----------
    embedded
        Conformers that the search began with.
    relative
        (conformers,) kcal/mol above the lowest, by GFN2-xTB, ascending.
    molecules
        The conformers themselves (Å), in the same order.
    """

    embedded: int
    relative: npt.NDArray[np.float64]
    molecules: Molecules | None = None

    @property
    def largest(self) -> float:
        """The energy between the lowest and the highest that were kept, kcal/mol."""
        return float(self.relative[-1])


@dataclass(frozen=True)
class Answer:
    """The energy of one molecule, or the problem that prevented it.

    Parameters
    ----------
    source
        What was asked: the SMILES, or the file and the place in it.
    name, smiles, formula
        What is known of the molecule; empty where it is not.
    level
        The level of theory that the model was fitted to, such as "g4mp2".
    kind
        Of the energy: "atomization" (relative to free atoms), "total" or "formation".
    at
        "electronic", "0 K" or "298 K".
    energy
        kcal/mol; negative when bound, where `kind` is "atomization".
    half
        Half width of the interval (kcal/mol); infinite where none can be given.
    coverage
        The share of molecules like this one that the interval is to cover.
    geometry
        The kind of geometry that the interval belongs to: smiles, gfn2, b3lyp or data.
    made
        How the geometry came about, in words.
    molecule
        The molecule at the geometry that was used (Å).
    conformers
        The conformers of a SMILES.
    ledger
        The terms that lead to heats of formation, where the energy allows them.
    novelty
        How unlike the training molecules it is; None where the model cannot tell.
    terms
        Further output of the model by name, such as HIP-NN's R and orders.
    forces
        (n, 3) kcal/mol/Å, where they were asked for.
    remarks
        One sentence each.
    problem
        Why there is no answer; empty where there is one.
    rung
        Which rung of the ladder answered: "learned", "b3lyp" or "g4mp2".
    waves
        (vibrations,) 1/cm, scaled, where the energy was computed; imaginary ones are negative.
    thermochemistry
        Entropy, heat capacity, H(T) − H(0) and G(T) − H(0), where they were asked for.
    thermal_source
        Where the wavenumbers of `thermochemistry` come from.
    isodesmic
        ΔfH(298 K) by a bond separation, where it was asked for or differs.
    forecast
        Seconds that the rung would take on one core, where it could answer and was not asked to.
    """

    source: str
    name: str = ""
    smiles: str = ""
    formula: str = ""
    level: str = ""
    kind: str = "atomization"
    at: str = "electronic"
    energy: float = math.nan
    half: float = math.inf
    coverage: float = 0.9
    geometry: str = ""
    made: str = ""
    molecule: Molecules | None = None
    conformers: Spread | None = None
    ledger: Ledger | None = None
    novelty: float | None = None
    terms: dict[str, list[float]] = field(default_factory=dict)
    forces: npt.NDArray[np.float64] | None = None
    remarks: tuple[str, ...] = ()
    problem: str = ""
    rung: str = "learned"
    waves: npt.NDArray[np.float64] | None = None
    thermochemistry: Thermochemistry | None = None
    thermal_source: str = ""
    isodesmic: Isodesmic | None = None
    forecast: float | None = None

    def __repr__(self) -> str:
        if self.problem:
            return f"Answer({self.label}: {self.problem})"
        half = f" ± {self.half:.2f}" if math.isfinite(self.half) else ""
        what = ", ".join(filter(None, (self.kind, self.at, self.level)))
        return f"Answer({self.label}: {self.energy:.2f}{half} kcal/mol, {what})"

    @property
    def label(self) -> str:
        """The molecule's name, or its SMILES, or the place it was read from."""
        return self.name or self.smiles or self.source

    @property
    def lower(self) -> float:
        """The lower end of the interval, kcal/mol."""
        return self.energy - self.half

    @property
    def upper(self) -> float:
        """The upper end of the interval, kcal/mol."""
        return self.energy + self.half

    def to_dict(self) -> dict[str, object]:
        """Return everything, for JSON; what is unknown or not finite is None."""
        energy = {
            "value": self.energy,
            "lower": self.lower,
            "upper": self.upper,
            "coverage": self.coverage,
        }
        bounded = math.isfinite(self.half)
        out: dict[str, object] = {
            "source": self.source,
            "name": self.name,
            "formula": self.formula,
            "smiles": self.smiles or None,
            "rung": self.rung,
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
            "waves": None if self.waves is None else self.waves.tolist(),
            "thermochemistry": self.thermochemistry.to_dict() if self.thermochemistry else None,
            "isodesmic": self.isodesmic.to_dict() if self.isodesmic else None,
            "forecast_seconds": self.forecast,
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

    def to_row(self) -> dict[str, object]:
        """Return one flat row, for CSV. Names hold the units; what is unknown is empty."""
        ledger, spread = self.ledger, self.conformers
        return {
            "source": self.source,
            "name": self.name,
            "formula": self.formula,
            "smiles": self.smiles,
            "rung": self.rung,
            "level": self.level,
            "kind": self.kind,
            "geometry": self.geometry,
            "energy_kcal_per_mol": _number(self.energy),
            "lower_kcal_per_mol": _number(self.lower),
            "upper_kcal_per_mol": _number(self.upper),
            "coverage": self.coverage if math.isfinite(self.half) else "",
            "formation_0K_kcal_per_mol": _number(ledger.formation_0) if ledger else "",
            "formation_298K_kcal_per_mol": _number(ledger.formation_298) if ledger else "",
            **self._isodesmic_row(),
            **self._thermal_row(),
            "conformers": len(spread.relative) if spread else "",
            "spread_kcal_per_mol": _number(spread.largest) if spread else "",
            "novelty": "" if self.novelty is None else f"{self.novelty:.4g}",
            "forecast_seconds": "" if self.forecast is None else f"{self.forecast:.1f}",
            "remarks": "; ".join(self.remarks),
            "problem": self.problem,
        }

    def _isodesmic_row(self) -> dict[str, object]:
        """Columns of the second route, empty where there is none."""
        route = self.isodesmic
        return {
            "isodesmic_298K_kcal_per_mol": _number(route.formation) if route else "",
            "isodesmic_half_kcal_per_mol": _number(route.half) if route else "",
            "isodesmic_reaction": str(route.separation) if route else "",
        }

    def _thermal_row(self) -> dict[str, object]:
        """Columns of the thermochemistry, empty where it was not asked for."""
        thermal = self.thermochemistry
        return {
            "enthalpy_content_kcal_per_mol": _number(thermal.enthalpy) if thermal else "",
            "free_energy_content_kcal_per_mol": _number(thermal.free_energy) if thermal else "",
            "entropy_cal_per_mol_K": _number(thermal.entropy) if thermal else "",
            "heat_capacity_cal_per_mol_K": _number(thermal.heat_capacity) if thermal else "",
        }


def _number(value: float) -> str:
    """Four decimals; empty where not finite."""
    return f"{value:.4f}" if math.isfinite(value) else ""
