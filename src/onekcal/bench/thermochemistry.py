"""Heats of formation beside experiment: the whole way a user goes, rung by rung.

The common molecules of `experiment.csv` are asked as SMILES, species of RMG's reference set, of
G3/05 and of PPE1694 by their geometries. Every molecule has one experiment (`experiments.py`).

The correction to experiment that ships was fitted to some of these experiments. So each molecule
takes one that was fitted without it and all its copies (`corrections.py`). The learned rung stands
alone: nothing that was stored or computed answers for it. It was trained on G4(MP2) energies of
species of G3/05, PPE1694 and a G4 collection, and not on any experiment.

Each common molecule is also asked in ten spellings of its SMILES: the answers must be the same.

Other programs that are installed (`programs/`) are asked for the common molecules at the same
GFN2-xTB minima.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import torch

from onekcal.battery.spellings import spellings
from onekcal.bench.corrections import corrected
from onekcal.bench.experiments import Heat, Published, best, experiment, folds, heat_of, published
from onekcal.bench.programs.registry import PROGRAMS
from onekcal.bench.results import Measured, Results
from onekcal.bench.results_file import write
from onekcal.errors import ConfigError, OnekcalError, unknown
from onekcal.geometry.identity import identity_of_species
from onekcal.geometry.species import species
from onekcal.labels.deviations import class_of
from onekcal.models.artefact import Artefact
from onekcal.models.bond_correction import BondCorrection
from onekcal.models.shipped import DEFAULT, load_model
from onekcal.models.to_experiment import LABEL, shipped
from onekcal.molecules import Molecules
from onekcal.prediction.answers import Answer
from onekcal.prediction.options import Options
from onekcal.prediction.prediction import answer, predict
from onekcal.prediction.questions import Question
from onekcal.system.provenance import provenance
from onekcal.trust.conformal import coverage
from onekcal.trust.metrics import metrics

NAME = "thermochemistry"
Set = Literal["common", "rmg", "g305", "ppe"]
SETS: tuple[Set, ...] = get_args(Set)
TOLD: dict[Set, str] = {
    "common": "common molecules from SMILES",
    "rmg": "species of RMG's reference set",
    "g305": "species of G3/05",
    "ppe": "species of PPE1694",
}
FILES: dict[str, Set] = {"rmg_reference": "rmg", "g305": "g305", "ppe_dev": "ppe"}
FOLDS = 10
FEW = 5
"""A class of fewer species has no row."""

Record = dict[str, Any]
"""One species: names, experiment, what the rungs say (kcal/mol), and seconds."""


@dataclass(frozen=True)
class Case:
    """A species with its experiment.

    Parameters
    ----------
    set
        Where it comes from.
    name
        What it is called.
    question
        How it is asked.
    identity
        Its identity.
    heat
        Its experiment.
    compared
        Whether the numbers of other programs that were recorded belong to it.
    """

    set: Set
    name: str
    question: Question
    identity: str
    heat: Heat
    compared: bool = False


class Corrections:
    """The correction to experiment without a molecule; the one that ships where there is no data.

    Parameters
    ----------
    every
        Published species of all archives.
    heats
        Identity → experiment.
    """

    def __init__(self, every: Sequence[Published], heats: dict[str, Heat]) -> None:
        some = [one for one in every if one.level == "g4mp2" and math.isfinite(one.formation)]
        self.dealt = folds((one.identity for one in some), FOLDS)
        self.fitted: list[BondCorrection] = []
        for k in range(FOLDS if some else 0):
            stage = BondCorrection()
            corrected([one for one in some if self.dealt[one.identity] != k], heats, stage)
            self.fitted.append(stage)

    def without(self, identity: str, molecule: Molecules) -> float:
        """Return the correction of a molecule by a fit that has not seen it, kcal/mol.

        Parameters
        ----------
        identity
            Its identity.
        molecule
            At its geometry.
        """
        fold = self.dealt.get(identity)
        stage = shipped().correction if fold is None else self.fitted[fold]
        with torch.no_grad():
            return float(stage.energies(molecule)[0])


def cases(sets: Iterable[str], data: Path | None) -> tuple[list[Case], Corrections]:
    """List the species of some sets, and the corrections without them.

    Parameters
    ----------
    sets
        Which.
    data
        The folder of the archives; None: there is none, and only "common" can be asked.
    """
    every = published(data) if data else []
    heats, out = best(every), []
    if "common" in sets:
        for row in experiment():
            key, smiles = identity_of_species(species(row["smiles"])), row["smiles"]
            question = Question(smiles, row["name"], smiles=smiles)
            heat, compared = heat_of(row), row["compared"] == "yes"  # stereoisomers have their own
            out.append(Case("common", row["name"], question, key, heat, compared))
    seen: set[tuple[str, str]] = set()
    for one in every:
        kind = FILES[one.file]
        if kind not in sets or one.identity not in heats or (kind, one.identity) in seen:
            continue
        seen.add((kind, one.identity))  # one of several copies
        question = Question(f"{one.file} {one.row}", molecule=one.molecule)
        name = one.molecule.formulas[0]
        out.append(Case(kind, name, question, one.identity, heats[one.identity]))
    return out, Corrections(every, heats)


def run(
    results: Path,
    data: Path | None = None,
    model: str = DEFAULT,
    sets: Iterable[str] = SETS,
    watch: Callable[[Record], None] = lambda record: None,
) -> Results:
    """Ask for every species and write `results`/thermochemistry.json.

    Parameters
    ----------
    results
        The folder of results.
    data
        The folder of the archives; None: that in ONEKCAL_MIRROR. Without archives only the common
        molecules are asked.
    model
        The model that answers.
    sets
        Which species.
    watch
        Told of each as it is done.

    Raises
    ------
    ConfigError
        A set is unknown.
    """
    for name in sets:
        if name not in SETS:
            unknown("set", name, SETS, ConfigError)
    data = data or _mirror()
    artefact, started = load_model(model), time.perf_counter()
    torch.set_num_threads(1)
    asked, corrections = cases(sets, data)
    records = []
    for case in asked:
        records.append(_asked(case, artefact, corrections))
        watch(records[-1])
    made = provenance()
    shared: Measured = {
        "paper": {},
        "train": artefact.card.train or 0,
        "seconds": round(time.perf_counter() - started, 1),
        "commit": made["commit"],
        "hardware": made["hardware"],
        "packages": made["packages"],
        "time": made["time"],
    }
    lines: list[Measured] = [
        {
            "name": name,
            "ours": ours,
            "test": len(some),
            "columns": _columns(len(some), ours),
            **shared,
        }
        for name, some, ours in _rows(records)
    ]
    content: Results = {
        "suite": NAME,
        "title": "ΔfH(298 K) against experiment, corrections fitted without the molecule",
        "cite": "Ruscic, Bross, Active Thermochemical Tables 1.112 (2019); Curtiss et al., J. "
        "Chem. Phys. 106, 1063 (1997); 123, 124107 (2005); RMG-database",
        "unit": "kcal/mol",
        "rows": lines,
        "molecules": records,
    }
    write(results / f"{NAME}.json", content)
    return content


def _mirror() -> Path | None:
    """The folder in ONEKCAL_MIRROR, where it holds the archives."""
    folder = Path(os.environ.get("ONEKCAL_MIRROR") or "no mirror")
    return folder if (folder / "g305.npz").is_file() else None


def _asked(case: Case, artefact: Artefact, corrections: Corrections) -> Record:
    """One species by the learned rung, and as `predict` answers."""
    plain = Options(rung="learned", route="atomization")
    started = time.process_time()
    learned = answer(case.question, artefact, plain, may_compute=False)
    seconds = time.process_time() - started
    given = learned
    inside = not learned.problem
    if inside and case.question.molecule is not None:
        given = learned  # nothing is stored for these geometries
    else:
        given = answer(case.question, artefact, Options(route="atomization"), may_compute=False)
    if not inside:
        forced = Options(rung="learned", route="atomization", force=True)
        learned = answer(case.question, artefact, forced, may_compute=False)
    others = _others(learned) if case.set == "common" else {}
    value, half, _ = _told(learned, case, corrections)
    best_value, best_half, level = _told(given, case, corrections)
    state = given.molecule if given.molecule is not None else case.question.molecule
    return {
        "set": case.set,
        "name": case.name,
        "smiles": case.question.smiles,
        "class": "" if state is None else class_of(state),
        "heavy": None if state is None else int((state.numbers > 1).sum()),
        "compared": case.compared,
        "experiment": round(case.heat.formation, 3),
        "uncertainty": round(case.heat.stated, 3),
        "inside": inside,
        "learned": value,
        "learned_half": half if inside else None,
        "spread": _spread(case.question, artefact) if case.set == "common" and inside else None,
        "answered": best_value,
        "half": best_half,
        "at_level": level,
        "rung": "" if given.problem else given.rung,
        "problem": given.problem or None,
        "seconds": round(seconds, 2),
        "others": others,
    }


def _spread(question: Question, artefact: Artefact) -> float:
    """The largest less the smallest learned energy of the spellings of a SMILES, kcal/mol."""
    options = Options(rung="learned", route="atomization")
    answers = predict(spellings(question.smiles), artefact, options)
    return max(one.energy for one in answers) - min(one.energy for one in answers)


def _others(learned: Answer) -> dict[str, Record]:
    """What other programs say of a molecule at the geometry of the answer, and CPU seconds."""
    out: dict[str, Record] = {}
    for program in PROGRAMS:
        if program.lacking() or learned.molecule is None:
            continue
        started = time.process_time()
        try:
            said: float | None = round(program.formation(learned.molecule), 3)
        except OnekcalError:
            said = None
        seconds = round(time.process_time() - started, 2)
        out[program.name] = {"formation": said, "seconds": seconds, "version": program.version()}
    return out


def _told(
    given: Answer, case: Case, corrections: Corrections
) -> tuple[float | None, float | None, float | None]:
    """ΔfH(298 K) with the correction of a fit without the molecule, its ±, and without any."""
    lines = given.ledger
    if given.problem or lines is None or given.molecule is None:
        return None, None, None
    own = sum(term.value for term in lines.terms if term.label == LABEL)
    level = lines.formation_298 - own
    exact = given.formation_half is None  # by definition, without a correction
    shift = 0.0 if exact else corrections.without(case.identity, given.molecule)
    half = round(given.heat_half, 3) if math.isfinite(given.heat_half) else None
    return round(level + shift, 3), half, round(level, 3)


def _rows(records: Sequence[Record]) -> list[tuple[str, list[Record], dict[str, float]]]:
    """Name, species and errors of each row."""
    out = []

    def add(name: str, some: list[Record], key: str, half: str = "") -> None:
        answered = [one for one in some if one[key] is not None]
        if len(answered) >= FEW:
            out.append((name, answered, _errors(answered, key, half)))

    compared = [one for one in records if one["compared"]]
    add("common molecules that other programs answered, too, learned rung", compared, "learned")
    for kind in SETS:
        some, name = [one for one in records if one["set"] == kind], TOLD[kind]
        inside = [one for one in some if one["inside"]]
        add(f"{name}, learned rung", inside, "learned", "learned_half")
        if kind == "common":
            add(f"{name}, learned rung, forced outside its scope", some, "learned")
            spread = [one for one in inside if one["spread"] is not None]
            if len(spread) >= FEW:
                title = f"{name}, learned rung, largest difference between ten spellings"
                out.append((title, spread, _rounded(_spreads(spread))))
        add(f"{name}, as predict answers", some, "answered", "half")
        add(f"{name}, as predict answers, without the correction", some, "at_level")
        for group in dict.fromkeys(one["class"] for one in some) if kind != "common" else ():
            own = [one for one in some if one["class"] == group]
            add(f"{name}, as predict answers, {group}", own, "answered", "half")
    return out


def _columns(count: int, ours: dict[str, float]) -> dict[str, float | str | None]:
    """What the table shows."""
    held = ours.get("coverage")
    return {
        "species": count,
        "MAE": ours["mae"],
        "median": ours["median"],
        "mean": ours["bias"],
        "> 1": f"{100 * ours['above_1']:.0f} %",
        "90 % holds": "–" if held is None else f"{100 * held:.1f} %",
    }


def _errors(some: Sequence[Record], key: str, half: str) -> dict[str, float]:
    """With the share of experiments inside the interval, where every species has one."""
    reference, said = torch.tensor(
        [(one["experiment"], one[key]) for one in some], dtype=torch.float64
    ).T
    errors = metrics(reference, said)
    if half and all(one[half] is not None for one in some):
        width = torch.tensor([one[half] for one in some], dtype=torch.float64)
        errors["coverage"] = coverage(reference, said - width, said + width)
    return _rounded(errors)


def _spreads(some: Sequence[Record]) -> dict[str, float]:
    """The spreads, as if each were an error."""
    spread = torch.tensor([one["spread"] for one in some], dtype=torch.float64)
    return metrics(torch.zeros_like(spread), spread)


def _rounded(errors: dict[str, float]) -> dict[str, float]:
    return {key: float(f"{value:.5g}") for key, value in errors.items()}
