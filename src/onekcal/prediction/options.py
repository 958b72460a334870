"""How questions are answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypedDict, get_args

from onekcal.prediction.estimate import Unit

Rung = Literal["auto", "learned", "b3lyp", "g4mp2"]
RUNGS: tuple[Rung, ...] = get_args(Rung)
"""The rungs of the ladder of answers."""
Route = Literal["auto", "atomization", "isodesmic", "both"]
ROUTES: tuple[Route, ...] = get_args(Route)
"""The routes to a heat of formation."""
Level = Literal["experiment", "g4mp2"]
LEVELS: tuple[Level, ...] = get_args(Level)
"""What heats of formation are to meet."""


@dataclass(frozen=True)
class Options:
    """How `predict` answers.

    Parameters
    ----------
    keep_geometry
        Keep the geometries of files; otherwise they are relaxed.
    conformers
        The most conformers of a SMILES that are relaxed. With fewer than 6 there is no interval.
    thermal
        Where H(298 K) − H(0) comes from: frequencies of GFN2-xTB ("gfn2"), a regression on groups
        ("regression"), or the better of them that is possible ("auto").
    forces
        Answer with forces too (kcal/mol/Å).
    force
        Answer outside the model's scope too, without an interval.
    coverage
        The share of molecules that the interval is to cover.
    length
        The unit of coordinates in files; None: the unit that the file names, or Å.
    rung
        Which rung of the ladder answers: the learned model ("learned"), a model on B3LYP, which is
        computed ("b3lyp"), G4(MP2) computed ("g4mp2"), or "auto": G4(MP2) where it was computed
        before, the learned model where it knows the molecule, and G4(MP2) computed elsewhere. A
        model of your own is always asked first.
    budget
        Seconds. With "auto", a single molecule that the model does not know is computed if the
        forecast is below this.
    compute
        Compute the molecules of a list too, whatever the forecast.
    exact
        Compute without fitted integrals.
    thermochemistry
        Add entropy, heat capacity, H(T) − H(0) and G(T) − H(0) to each answer.
    temperature, pressure
        K and bar, of the thermochemistry.
    route
        How ΔfH(298 K) comes about: from free atoms ("atomization"), by a bond separation with
        experimental partners ("isodesmic"), or by both. "auto" says where the second differs by
        more than the intervals, if its partners need no computation.
    unit
        The unit that energies are told in: "kcal/mol", "kJ/mol" or "eV".
    smiles_column
        The heading of the column of SMILES in tables; None: smiles or canonical_smiles.
    max_interval
        The largest half width that is answered, in `unit`, of the interval of ΔfH, or of the energy
        where there is no ΔfH; a molecule with a wider one, or with none, is refused. None answers
        all.
    level
        Heats of formation with the correction of G4(MP2) to experiment ("experiment"), or without
        it ("g4mp2"). Energies are those of the level of theory in both.
    boltzmann
        ΔfH(298 K) of the mixture of conformers at that temperature, not of the lowest alone.
    """

    keep_geometry: bool = False
    conformers: int = 6
    thermal: Literal["auto", "gfn2", "regression"] = "auto"
    forces: bool = False
    force: bool = False
    coverage: float = 0.9
    length: str | None = None
    rung: Rung = "auto"
    budget: float = 120.0
    compute: bool = False
    exact: bool = False
    thermochemistry: bool = False
    temperature: float = 298.15
    pressure: float = 1.0
    route: Route = "auto"
    unit: Unit = "kcal/mol"
    smiles_column: str | None = None
    max_interval: float | None = None
    level: Level = "experiment"
    boltzmann: bool = False


class OptionKeywords(TypedDict, total=False):
    """The fields of `Options`, as `predict` takes them one by one."""

    keep_geometry: bool
    conformers: int
    thermal: Literal["auto", "gfn2", "regression"]
    forces: bool
    force: bool
    coverage: float
    length: str | None
    rung: Rung
    budget: float
    compute: bool
    exact: bool
    thermochemistry: bool
    temperature: float
    pressure: float
    route: Route
    unit: Unit
    smiles_column: str | None
    max_interval: float | None
    level: Level
    boltzmann: bool


DEFAULTS = Options()
"""The options of a call that names none."""
