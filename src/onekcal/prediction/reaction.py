"""A reaction with its energies, and how that becomes JSON or a row of a table.

Energies are kcal/mol.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from onekcal.prediction.answers import Answer
from onekcal.prediction.estimate import DECIMALS, SHOWN, SLUGS, Unit, per_kcal
from onekcal.thermo.free_energies import PRESSURE, Thermochemistry
from onekcal.thermo.frequencies import TEMPERATURE


@dataclass(frozen=True)
class Participant:
    """One species of a reaction.

    Parameters
    ----------
    text
        As it was written.
    coefficient
        ν, negative on the left.
    answer
        Its energy.
    thermal
        What temperature and pressure add to it; None where it was not asked for.
    """

    text: str
    coefficient: Fraction
    answer: Answer
    thermal: Thermochemistry | None = None


@dataclass(frozen=True)
class Reaction:
    """A reaction and its energies, or the problem that prevented them.

    Parameters
    ----------
    text
        As it was written.
    balanced
        With its coefficients; empty where there is a problem.
    participants
        The species, those of the left side first.
    temperature, pressure
        K and bar.
    energy
        ΔrE(0 K), kcal/mol, zero-point energies included.
    enthalpy, free_energy
        ΔrH(T) and ΔrG(T), kcal/mol; NaN where they were not asked for.
    half
        Half of the joint interval (kcal/mol); infinite where none can be given.
    coverage
        The share of reactions that the interval is to cover.
    against
        What the interval is to cover: the energy at the model's level, or "experiment" where a
        species was computed or is an element in its standard state.
    level
        The level of theory of the answers.
    remarks
        One sentence each.
    problem
        Why there are no energies; empty where there are.
    unit
        The unit that energies are told in. The fields above stay in kcal/mol.
    """

    text: str
    balanced: str = ""
    participants: tuple[Participant, ...] = ()
    temperature: float = TEMPERATURE
    pressure: float = PRESSURE
    energy: float = math.nan
    enthalpy: float = math.nan
    free_energy: float = math.nan
    half: float = math.inf
    coverage: float = 0.9
    against: str = ""
    level: str = ""
    remarks: tuple[str, ...] = ()
    problem: str = ""
    unit: Unit = "kcal/mol"

    def __repr__(self) -> str:
        if self.problem:
            return f"Reaction({self.text}: {self.problem})"
        scale, digits = per_kcal(self.unit), SHOWN[self.unit]
        half = f" ± {self.half * scale:.{digits}f}" if math.isfinite(self.half) else ""
        return (
            f"Reaction({self.balanced}: ΔrH({self.temperature:g} K) "
            f"{self.enthalpy * scale:.{digits}f}{half}, "
            f"ΔrG {self.free_energy * scale:.{digits}f} {self.unit})"
        )

    @property
    def entropy(self) -> float:
        """ΔrS(T), cal/mol/K."""
        return 1000.0 * (self.enthalpy - self.free_energy) / self.temperature

    def energies(self) -> dict[str, float]:
        """Return ΔrE(0 K), ΔrH(T), ΔrG(T) and half of the interval, in the reaction's unit.

        What is unknown is NaN, and the half infinite.
        """
        own = {
            "energy_0": self.energy,
            "enthalpy": self.enthalpy,
            "free_energy": self.free_energy,
            "half": self.half,
        }
        return {name: value * per_kcal(self.unit) for name, value in own.items()}

    def to_dict(self) -> dict[str, object]:
        """Return everything, for JSON; what is unknown or not finite is None."""
        energies = {name: _known(value) for name, value in self.energies().items()}
        half = energies.pop("half")
        return {
            "reaction": self.text,
            "balanced": self.balanced or None,
            "level": self.level,
            "unit": self.unit,
            "temperature_K": self.temperature,
            "pressure_bar": self.pressure,
            **energies,
            "entropy_cal_per_mol_K": _known(self.entropy),
            "half": half,
            "coverage": self.coverage,
            "against": self.against,
            "species": [
                {
                    "species": one.text,
                    "coefficient": float(one.coefficient),
                    "answer": one.answer.to_dict(),
                    "thermochemistry": one.thermal.to_dict() if one.thermal else None,
                }
                for one in self.participants
            ],
            "remarks": list(self.remarks),
            "problem": self.problem or None,
        }

    def cells(self) -> dict[str, str | float | None]:
        """Return one flat row of a table. Names hold units; what is unknown is None or empty."""
        end, bounded = SLUGS[self.unit], math.isfinite(self.half)
        told = {name: _known(value) for name, value in self.energies().items()}
        return {
            "reaction": self.text,
            "balanced": self.balanced,
            "level": self.level,
            "temperature_K": self.temperature,
            "pressure_bar": self.pressure,
            f"energy_0K_{end}": told["energy_0"],
            f"enthalpy_{end}": told["enthalpy"],
            f"free_energy_{end}": told["free_energy"],
            "entropy_cal_per_mol_K": _known(self.entropy),
            f"half_{end}": told["half"],
            "coverage": self.coverage if bounded else None,
            "against": self.against if bounded else "",
            "remarks": "; ".join(self.remarks),
            "problem": self.problem,
        }

    def to_row(self) -> dict[str, object]:
        """Return `cells` as texts, for CSV; what is unknown is empty."""
        own = ("temperature_K", "pressure_bar", "coverage")
        return {
            key: ""
            if cell is None
            else cell
            if key in own or isinstance(cell, str)
            else f"{cell:.{DECIMALS[self.unit]}f}"
            for key, cell in self.cells().items()
        }


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


@dataclass(frozen=True)
class Conditions:
    """What the energies of reactions are asked for.

    Parameters
    ----------
    temperature
        K.
    pressure
        bar, of each species.
    free_energies
        Whether frequencies are computed. Without them there is no ΔrG, and ΔrH is that at 298.15 K.
    """

    temperature: float = TEMPERATURE
    pressure: float = PRESSURE
    free_energies: bool = True


STANDARD = Conditions()
"""1 bar and 298.15 K."""
