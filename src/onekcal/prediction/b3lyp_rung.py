"""The rung between the learned model and G4(MP2): learned on B3LYP, for minutes of computing.

    E(G4(MP2), 0 K) ≈ E(B3LYP/6-31G(2df,p), electronic) + Δ(geometry)

The geometry is B3LYP's minimum, Δ is the model that ships as `b3lyp`. It holds the zero-point
energy too, so that no frequencies are needed. Minimum and energy are kept in the store; G4(MP2) of
the same molecule goes on from them.

The interval is the model's, calibrated at QM9's B3LYP minima. It belongs to the conformer that was
answered.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
import torch

from onekcal.data.dataset import Column
from onekcal.errors import InputError
from onekcal.geometry.conformers import conformers
from onekcal.labels.b3lyp import LEVEL, Minima, Minimum, b3lyp_minimum, cost
from onekcal.labels.computed import Steps
from onekcal.labels.forecast import Forecast, forecast, spell
from onekcal.labels.g4mp2 import SCALE, Computed, Value
from onekcal.labels.start import lower_start
from onekcal.models.artefact import Artefact
from onekcal.models.shipped import SHIPPED, load_model
from onekcal.molecules import Molecules
from onekcal.prediction.answers import Answer, Spread
from onekcal.prediction.geometry import KINDS
from onekcal.prediction.options import Options
from onekcal.prediction.questions import Question
from onekcal.prediction.rungs import (
    WAITING,
    Asked,
    OutsideScope,
    Watch,
    check_memory,
    elapsed,
    on_all_cores,
)
from onekcal.prediction.scope import half_width, outside
from onekcal.quantum.dft import pyscf_package
from onekcal.quantum.g4mp2 import check_elements
from onekcal.quantum.method import check_electrons
from onekcal.thermo.free_energies import thermochemistry
from onekcal.thermo.ledger import HeatFrom, Term, ledger

BEYOND = "outside the model's scope, hence no interval"
NAME = "b3lyp"
"""The model that ships, the column that it starts from, and its kind of geometry."""
RAW = 2.0
"""Where GFN2-xTB's geometry is more than so many times as novel as the limit, nothing is computed.
Of 588 validation molecules that the model knows, the most novel had 1.9 times the limit there.
"""


@cache
def shipped() -> Artefact:
    """Return the model that ships for this rung."""
    return load_model(SHIPPED / f"{NAME}.safetensors")


def is_for_b3lyp(artefact: Artefact) -> bool:
    """Tell whether a model starts from B3LYP at B3LYP's geometry, as this rung computes them.

    Parameters
    ----------
    artefact
        The model.
    """
    first = dict(artefact.stages).get("baseline", {})
    return artefact.geometry == NAME and first.get("method") == NAME


def b3lyp_answer(
    question: Question,
    bare: Answer,
    artefact: Artefact,
    options: Options,
    may_compute: bool,
    watch: Watch = lambda molecule, step: None,
) -> Answer:
    """Answer with a model on B3LYP; what B3LYP gives comes from the store or is computed now.

    Parameters
    ----------
    question
        A SMILES, or a molecule with a geometry.
    bare
        The answer as far as it is known.
    artefact
        A model of B3LYP geometries whose stages read the column `b3lyp` (electronic).
    options
        How a geometry is found, and whether the molecules of a list are computed.
    may_compute
        Whether a molecule that nobody has computed may be computed now.
    watch
        Told of each step.

    Returns
    -------
    Answer
        With its ledger. Where nothing may be computed, it has a `problem` and a `forecast`.

    Raises
    ------
    OutsideScope
        A molecule that the model does not know; says what G4(MP2) would cost.
    """
    case = _Case(Asked.of(question), question, artefact, options)
    check_electrons(case.asked.molecule)
    if len(case.asked.molecule.numbers) == 1 and not int(case.asked.molecule.charges[0]):
        return _atom(case, bare)
    case.refuse(outside(artefact, case.asked.molecule))
    done = case.store.find(case.key)
    if done is None and not (may_compute or options.compute):
        price, place = case.price().total, case.question.place
        said = f"B3LYP would take about {spell(elapsed(price))} (--compute computes it)"
        formula = case.asked.molecule.formulas[0]
        return replace(bare, formula=formula, problem=f"{place}: {said}", forecast=price)
    return _told(done or _computed(case, watch), case, bare)


@dataclass(frozen=True)
class _Case:
    """One molecule, the model that is to answer it, and how."""

    asked: Asked
    question: Question
    artefact: Artefact
    options: Options
    store: Minima = field(default_factory=Minima)

    @property
    def kept(self) -> bool:
        """Whether the geometry of a file is kept."""
        return self.options.keep_geometry and self.asked.state is None

    @property
    def key(self) -> str:
        """The key of the molecule, here and in the store of G4(MP2)."""
        return self.asked.key("g4mp2" + (" kept" if self.kept else ""))

    def above(self) -> Computed | None:
        """The molecule's G4(MP2), where it is finished and has B3LYP's geometry."""
        done = self.store.above.find(self.key)
        return done if done is not None and done.method == "g4mp2" else None

    def price(self) -> Forecast:
        """The cost of what is not in the store yet."""
        there = "geometry" in self.store.steps(self.key) or self.above() is not None
        return cost(self.asked.molecule, geometry=not there)

    def refuse(self, reasons: list[str]) -> None:
        """Refuse a molecule that the model does not know, and say what G4(MP2) would cost."""
        if not reasons or self.options.force:
            return
        reason, molecule = "; ".join(reasons), self.asked.molecule
        try:
            check_elements(molecule)
        except InputError as problem:
            raise OutsideScope(f"{reason}; {problem}") from None
        price = spell(elapsed(forecast(molecule, "g4mp2", self.options.exact).total))
        raise OutsideScope(
            f"{reason}; G4(MP2) would take about {price} (--rung g4mp2 computes it; --force "
            "answers all the same, without an interval)"
        )

    def strange(self, molecule: Molecules, allowed: float = 1.0) -> tuple[float | None, list[str]]:
        """The novelty of a geometry, and a reason where it is above `allowed` times the limit."""
        found = self.artefact.model.novelty(molecule)
        novelty = None if found is None else float(found[0])
        limit = allowed * self.artefact.novelty_limit
        if novelty is None or novelty <= limit:
            return novelty, []
        return novelty, [
            f"holds environments the model has never seen (novelty {novelty:.3g}, at most "
            f"{limit:.3g} is known)"
        ]


def _computed(case: _Case, watch: Watch) -> Minimum:
    """B3LYP's minimum, from the steps that are there."""
    pyscf_package()  # a missing package is said before the geometry is made
    check_memory(case.price(), "B3LYP")
    label = case.question.name or case.question.source

    def fresh(steps: Steps) -> Minimum:
        above, molecule = case.above(), case.asked.molecule
        if above is not None and "geometry" not in steps:
            place = above.molecule.positions.tolist()
            steps["start"] = steps["geometry"] = {"positions": place}
        if "start" not in steps:
            watch(label, "start")
            steps["start"] = _start(case)
        begin = molecule.moved(
            torch.tensor(steps["start"]["positions"], dtype=molecule.positions.dtype)
        )
        case.refuse(case.strange(begin, RAW)[1])  # before anything dear is computed
        with on_all_cores():
            done = b3lyp_minimum(begin, case.kept, steps, lambda step: watch(label, step))
        relative = np.array(steps["start"].get("relative", []), dtype=float)
        return replace(
            done,
            relative=tuple(relative.tolist()),
            smiles=case.asked.state.smiles if case.asked.state else "",
            name=case.question.name,
        )

    return case.store.once(case.key, fresh, lambda: watch(label, WAITING))


def _start(case: _Case) -> dict[str, Value]:
    """The geometry that B3LYP begins with; of a SMILES, how far its conformers lie apart too."""
    if case.asked.state is None:
        return {"positions": case.asked.start(case.options).positions.tolist()}
    found = conformers(case.asked.state, case.options.conformers)
    return {
        "positions": lower_start(found).positions.tolist(),
        "relative": found.relative.tolist(),
    }


def _told(done: Minimum, case: _Case, bare: Answer) -> Answer:
    """The answer of the model at a minimum of B3LYP."""
    artefact, options, molecule = case.artefact, case.options, done.molecule
    novelty, strange = case.strange(molecule)
    beyond = outside(artefact, molecule) + strange
    case.refuse(beyond)
    half = (
        math.inf
        if beyond
        else half_width(artefact, NAME, options.coverage, None, molecule, novelty)
    )
    waves = case.store.waves(case.key, done)
    answer = replace(
        bare,
        smiles=bare.smiles or done.smiles,
        name=bare.name or done.name,
        formula=molecule.formulas[0],
        level=artefact.level,
        kind=artefact.kind,
        at=artefact.at,
        energy=_energy(done, artefact),
        half=half,
        geometry=NAME,
        made=KINDS[NAME] if case.kept else "B3LYP/6-31G(2df,p), relaxed",
        molecule=molecule,
        conformers=Spread(len(done.relative), np.array(done.relative)) if done.relative else None,
        novelty=novelty,
        remarks=tuple(f"{BEYOND}: {reason}" for reason in beyond),
        rung="b3lyp",
        waves=None if waves is None else waves * SCALE,
    )
    return _with_ledger(answer, options)


def _energy(done: Minimum, artefact: Artefact) -> float:
    """kcal/mol relative to free atoms: B3LYP's energy and what the model adds."""
    electronic = torch.tensor([done.energy], dtype=torch.float64)
    columns = {NAME: Column(electronic, level=LEVEL)}
    with torch.no_grad():
        energy = float(artefact.model.energies(done.molecule, columns)[0])
    if not math.isfinite(energy):
        raise InputError("the model gives no finite energy")
    return energy


def _with_ledger(answer: Answer, options: Options) -> Answer:
    """Add the heats of formation; H(298 K) − H(0) is B3LYP's where its frequencies are there."""
    bounded, molecule = math.isfinite(answer.half), answer.molecule
    assert molecule is not None
    thermal: Term | HeatFrom = options.thermal
    if answer.waves is not None:
        heat = thermochemistry(molecule, answer.waves).enthalpy
        source = "B3LYP/6-31G(2df,p) harmonic frequencies times 0.9854, rigid rotor"
        thermal = Term("H(298 K) − H(0)", heat, None, source, "formation 298 K")
    said = f"learned on B3LYP; ± is its {100 * options.coverage:.0f} % interval"
    lines = ledger(
        molecule,
        answer.energy,
        answer.level,
        answer.half if bounded else None,
        said if bounded else "learned on B3LYP",
        thermal=thermal,
    )
    return replace(answer, ledger=lines)


def _atom(case: _Case, bare: Answer) -> Answer:
    """The answer for a free atom, which is 0 by definition."""
    atom, level = case.asked.molecule, case.artefact.level
    return replace(
        bare,
        formula=atom.formulas[0],
        level=level,
        energy=0.0,
        half=0.0,
        molecule=atom,
        remarks=("a lone atom is 0 by definition",),
        ledger=ledger(atom, 0.0, level, 0.0, "0 by definition"),
        rung="b3lyp",
    )
