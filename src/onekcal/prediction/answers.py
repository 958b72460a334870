"""What a model says of one molecule, and how that becomes JSON or a row of a table.

Fields are kcal/mol and Å. What is told of them (`atomization`, `formation_298`, JSON, tables) is in
the answer's `unit`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from onekcal.geometry.conformers import rivalry_among
from onekcal.molecules import Molecules
from onekcal.prediction.estimate import (
    DECIMALS,
    SHOWN,
    SLUGS,
    Estimate,
    Unit,
    estimated,
    per_kcal,
    scaled,
)

if TYPE_CHECKING:
    from onekcal.prediction.isodesmic import Isodesmic
    from onekcal.thermo.free_energies import Thermochemistry
    from onekcal.thermo.ledger import Ledger

ENERGIES = frozenset(
    "value lower upper uncertainty half experiment computed spread relative forces "
    "formation_0 formation_0_lower formation_0_upper "
    "formation_298 formation_298_lower formation_298_upper formation_half".split()
)
"""Keys of an answer's JSON that hold energies."""


@dataclass(frozen=True)
class Spread:
    """The conformers of a molecule made from its SMILES.

    Parameters
    ----------
    embedded
        Conformers that the search began with.
    relative
        (conformers,) kcal/mol above the lowest, ascending.
    molecules
        The conformers themselves (Å), in the same order.
    by
        Whose energies these are: "GFN2-xTB" or "the model".
    """

    embedded: int
    relative: npt.NDArray[np.float64]
    molecules: Molecules | None = None
    by: str = "GFN2-xTB"

    def __repr__(self) -> str:
        return f"Spread({len(self.relative)} conformers, {self.largest:.2f} kcal/mol)"

    @property
    def rivalry(self) -> float:
        """kcal/mol, how much other conformers may change the answer."""
        return rivalry_among(self.relative)

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
    unit
        The unit that energies are told in. The fields above stay in kcal/mol.
    columns
        What came with the molecule: further columns of its table, or tags of its sdf block.
    formation_half
        Half width of the intervals of heats of formation (kcal/mol), where it is not `half`: with a
        correction to experiment they are against experiment.
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
    unit: Unit = "kcal/mol"
    columns: Mapping[str, str] = field(default_factory=dict)
    formation_half: float | None = None

    def __repr__(self) -> str:
        if self.problem:
            return f"Answer({self.label}: {self.problem})"
        what = ", ".join(filter(None, (self.kind, self.at, self.level)))
        if self.ledger is None:
            return f"Answer({self.label}: {self.estimate}, {what})"
        digits = SHOWN[self.unit]
        heat = f"ΔfH(298 K) {self.formation_298.value:.{digits}f}"
        return f"Answer({self.label}: {self.estimate}, {what}; {heat})"

    @property
    def label(self) -> str:
        """The molecule's name, or its SMILES, or the place it was read from."""
        return self.name or self.smiles or self.source

    @property
    def refused(self) -> str:
        """The reason why there is no answer; empty where there is one."""
        return self.problem

    @property
    def lower(self) -> float:
        """The lower end of the interval, kcal/mol."""
        return self.energy - self.half

    @property
    def upper(self) -> float:
        """The upper end of the interval, kcal/mol."""
        return self.energy + self.half

    @property
    def estimate(self) -> Estimate:
        """The energy with its interval, in the answer's unit; `kind` and `at` say which it is."""
        return self._estimate(self.energy, self.half)

    @property
    def heat_half(self) -> float:
        """Half width of the intervals of heats of formation, kcal/mol."""
        return self.half if self.formation_half is None else self.formation_half

    @property
    def separated(self) -> bool:
        """Whether a bond separation gave ΔfH(298.15 K) (route "isodesmic")."""
        route, lines = self.isodesmic, self.ledger
        return route is not None and lines is not None and route.gives(lines)

    @property
    def heat_half_298(self) -> float:
        """Half width of the interval of ΔfH(298.15 K), kcal/mol.

        It is that of ΔfH(0 K), but for a bond separation, which has its own.
        """
        return self.isodesmic.half if self.isodesmic and self.separated else self.heat_half

    @property
    def formation_0(self) -> Estimate:
        """ΔfH(0 K) with its interval, in the answer's unit; NaN where it is not known."""
        value = self.ledger.formation_0 if self.ledger else math.nan
        return self._estimate(value, self.heat_half)

    @property
    def formation_298(self) -> Estimate:
        """ΔfH(298.15 K) with its interval, in the answer's unit; NaN where it is not known."""
        value = self.ledger.formation_298 if self.ledger else math.nan
        return self._estimate(value, self.heat_half_298)

    def _estimate(self, value: float, half: float) -> Estimate:
        return estimated(value, half, self.unit)

    def to_dict(self) -> dict[str, object]:
        """Return everything, for JSON, in the answer's unit; what is unknown is None."""
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
            "unit": self.unit,
            "geometry": self.geometry,
            self.kind: None
            if self.problem
            else {k: v if k == "value" or bounded else None for k, v in energy.items()},
            **self._formations(),
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
            "columns": dict(self.columns),
        }
        if self.conformers is not None:
            relative = self.conformers.relative.tolist()
            out["conformers"] = {
                "count": len(relative),
                "embedded": self.conformers.embedded,
                "spread": self.conformers.largest,
                "rivalry": self.conformers.rivalry,
                "relative": relative,
                "by": self.conformers.by,
            }
        if self.molecule is not None:
            out |= {
                "numbers": self.molecule.numbers.tolist(),
                "positions": self.molecule.positions.tolist(),
            }
        if self.unit == "kcal/mol":
            return out
        return cast(dict[str, object], scaled(out, ENERGIES, per_kcal(self.unit)))

    def _formations(self) -> dict[str, float | None]:
        """Heats of formation with the ends of their intervals, kcal/mol."""
        out: dict[str, float | None] = {}
        for name in ("formation_0", "formation_298"):
            told: Estimate = getattr(replace(self, unit="kcal/mol"), name)
            out[name] = _known(told.value)
            out[f"{name}_lower"], out[f"{name}_upper"] = _known(told.lower), _known(told.upper)
        return out

    def cells(self) -> dict[str, str | float | None]:
        """Return one flat row of a table: what the answer says, then the columns that came along.

        Names hold the units. What is unknown is None or empty. A column that has the name of one
        of these is called given_….
        """
        spread, end = self.conformers, SLUGS[self.unit]
        energy, zero, warm = self.estimate, self.formation_0, self.formation_298
        own: dict[str, str | float | None] = {
            "source": self.source,
            "name": self.name,
            "formula": self.formula,
            "smiles": self.smiles,
            "rung": self.rung,
            "level": self.level,
            "kind": self.kind,
            "geometry": self.geometry,
            f"energy_{end}": _known(energy.value),
            f"lower_{end}": _known(energy.lower),
            f"upper_{end}": _known(energy.upper),
            "coverage": self.coverage if math.isfinite(self.half) else None,
            f"formation_0K_{end}": _known(zero.value),
            f"formation_298K_{end}": _known(warm.value),
            f"formation_298K_lower_{end}": _known(warm.lower),
            f"formation_298K_upper_{end}": _known(warm.upper),
            **self._isodesmic_cells(),
            **self._thermal_cells(),
            "conformers": len(spread.relative) if spread else None,
            f"spread_{end}": spread.largest * per_kcal(self.unit) if spread else None,
            "novelty": self.novelty,
            "forecast_seconds": self.forecast,
            "remarks": "; ".join(self.remarks),
            "problem": self.problem,
        }
        came = {f"given_{key}" if key in own else key: cell for key, cell in self.columns.items()}
        return {**own, **came}

    def to_row(self) -> dict[str, object]:
        """Return `cells` as texts, for CSV; what is unknown is empty."""
        return {key: _text(key, cell, DECIMALS[self.unit]) for key, cell in self.cells().items()}

    def _isodesmic_cells(self) -> dict[str, str | float | None]:
        """Columns of the second route, empty where there is none."""
        route, end, scale = self.isodesmic, SLUGS[self.unit], per_kcal(self.unit)
        return {
            f"isodesmic_298K_{end}": _known(route.formation * scale) if route else None,
            f"isodesmic_half_{end}": _known(route.half * scale) if route else None,
            "isodesmic_reaction": str(route.separation) if route else "",
        }

    def _thermal_cells(self) -> dict[str, str | float | None]:
        """Columns of the thermochemistry, empty where it was not asked for."""
        thermal, end, scale = self.thermochemistry, SLUGS[self.unit], per_kcal(self.unit)
        return {
            f"enthalpy_content_{end}": thermal.enthalpy * scale if thermal else None,
            f"free_energy_content_{end}": thermal.free_energy * scale if thermal else None,
            "entropy_cal_per_mol_K": thermal.entropy if thermal else None,
            "heat_capacity_cal_per_mol_K": thermal.heat_capacity if thermal else None,
        }


def _known(value: float) -> float | None:
    """None where it is not finite."""
    return value if math.isfinite(value) else None


def _text(key: str, cell: str | float | None, decimals: int) -> object:
    """A cell as CSV has it."""
    if cell is None or isinstance(cell, (str, int)) or key == "coverage":
        return "" if cell is None else cell
    if key == "novelty":
        return f"{cell:.4g}"
    return f"{cell:.1f}" if key == "forecast_seconds" else f"{cell:.{decimals}f}"
