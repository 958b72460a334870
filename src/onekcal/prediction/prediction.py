"""Predict from a fitted model: one answer a molecule, or one clear line why there is none.

A SMILES gets conformers (RDKit, relaxed with GFN2-xTB), of which the lowest is taken. The geometry of a file is relaxed
to the nearest GFN2-xTB minimum for a model fitted to such minima, unless it is to be kept, and followed downhill where it
stays on a saddle point; other models take it as it is. The interval is the one calibrated for that kind of geometry.
What lies outside a model's scope is refused, or, forced, answered without an interval.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch

from onekcal.data.dataset import Dataset
from onekcal.energies import Kind
from onekcal.errors import InputError, OnekcalError
from onekcal.models.artefact import Artefact, calibrated
from onekcal.models.model import forces
from onekcal.models.shipped import load_model
from onekcal.molecules import SYMBOLS, Molecules
from onekcal.prediction.answers import Answer, Spread
from onekcal.prediction.questions import Question, questions
from onekcal.runs.experiment import read
from onekcal.trust.conformal import coverage, spread_of
from onekcal.trust.metrics import metrics

KINDS = {
    "smiles": "made from SMILES: the lowest conformer, relaxed with GFN2-xTB",
    "gfn2": "of a file, relaxed to the nearest GFN2-xTB minimum",
    "b3lyp": "of a file, kept as given; the interval is for geometries like B3LYP's",
    "data": "as given, like those of the training data",
}
"""What geometry an interval can be calibrated for."""


@dataclass(frozen=True)
class Settings:
    """How questions are answered."""

    keep_geometry: bool = False  # geometries of files are not relaxed
    conformers: int = 6  # at most so many are relaxed
    thermal: Literal["auto", "gfn2", "regression"] = "auto"  # where H(298 K) − H(0) comes from
    forces: bool = False
    force: bool = False  # answer outside the scope, too, without an interval
    coverage: float = 0.9
    length: str | None = None  # unit of coordinates in files; what the file says, else Å


# --- models ----------------------------------------------------------------------------------------------------------


def evaluate(path: str | Path, data: Dataset) -> dict[str, Any]:
    """Errors on data with a target, in its unit, and the coverage of the intervals the model has."""
    artefact, column = load_model(path), data.aim
    if column.unit != artefact.unit or column.sort != artefact.kind:
        both = column.quantity == "energy" and artefact.kind in get_args(Kind)
        hint = (
            f"; if that is not what they are: onekcal data import FILE --kind {artefact.kind}"
            if both
            else ""
        )
        raise InputError(
            f"the model gives {artefact.kind} in {artefact.unit}, but {data.target!r} is {column.meaning}"
            f"{hint}"
        )
    _refuse_strange(artefact, data.molecules)
    predicted = artefact.model.energies(data.molecules, data.columns)
    found: dict[str, Any] = {
        **metrics(data.energies, predicted, column.unit),
        "unit": column.unit,
        "of": "atoms" if column.atomic else "molecules",
    }
    spread = spread_of(data)
    for kind, conformal in calibrated(artefact).items():
        name = "coverage of 0.9" + (
            "" if kind == "data" else f" by the interval of {kind!r} geometries"
        )
        if math.isfinite(conformal.radius()) and not (conformal.by_spread and spread is None):
            found[name] = coverage(data.energies, *conformal.interval(predicted, spread=spread))
    ours, theirs = (f"{one.level or 'an unknown level'} ({one.at})" for one in (artefact, column))
    if column.quantity == "energy" and ours != theirs:
        found["note"] = f"the model was fitted to {ours}, {data.target!r} is {theirs}"
    return found


def _refuse_strange(artefact: Artefact, molecules: Molecules) -> None:
    """Elements the model has never seen, with the first molecule that holds one."""
    strange = ~torch.isin(molecules.numbers, torch.tensor(artefact.elements))
    if artefact.elements and strange.any():
        rows = molecules.owner[strange].unique().tolist()
        known = ", ".join(SYMBOLS[z] for z in artefact.elements)
        raise InputError(
            f"{len(rows)} of {len(molecules)} molecules hold elements that the model has never seen, first: "
            f"molecule {rows[0]} ({molecules.formulas[rows[0]]}); it knows {known}: leave the others out"
        )


def fitted_to(path: str | Path, data: str) -> int:
    """How many molecules of the data set of this name the run in a folder was fitted to; 0 where it was fitted to others."""
    split, experiment = Path(path, "split.npz"), Path(path, "experiment.yaml")
    if not (split.is_file() and experiment.is_file()) or read(experiment).data.set != data:
        return 0
    with np.load(split) as parts:
        return len(parts["train"]) + (len(parts["valid"]) if read(experiment).refit else 0)


def half_width(
    artefact: Artefact, geometry: str, nominal: float = 0.9, spread: float = 0.0
) -> float:
    """Half width of the interval (kcal/mol) for a kind of geometry and, made from SMILES, the spread of the conformers
    (kcal/mol); infinite where it was not calibrated."""
    conformal = calibrated(artefact).get(geometry)
    return math.inf if conformal is None else conformal.radius(nominal, spread)


def scope(artefact: Artefact, nominal: float = 0.9) -> dict[str, Any]:
    """What a model may be asked: elements, size, charge, spin, and how wide its intervals are (kcal/mol).

    Those of the kinds in `by_spread` are (1 + spread of the conformers in kcal/mol) times as wide.
    """
    halves = {kind: half_width(artefact, kind, nominal) for kind in artefact.calibration}
    limit = artefact.novelty_limit
    return {
        "level": artefact.level,
        "kind": artefact.kind,
        "at": artefact.at,
        "unit": artefact.unit,
        "elements": [SYMBOLS[z] for z in artefact.elements],
        "largest": artefact.largest,
        "heavy": artefact.card.get("heavy_atoms"),
        "charge": 0,
        "spin": 0,
        "geometry": artefact.geometry or "data",
        "novelty_limit": limit if math.isfinite(limit) else None,
        "coverage": nominal,
        "intervals": {kind: half if math.isfinite(half) else None for kind, half in halves.items()},
        "by_spread": artefact.by_spread,
        "card": artefact.card,
    }


# --- answers ---------------------------------------------------------------------------------------------------------


def predict(
    inputs: str | Molecules | Iterable[str | Molecules],
    model: str | Path | Artefact = "g4mp2",
    settings: Settings = Settings(),
) -> Iterator[Answer]:
    """Answers for SMILES, files, "-" and molecules, one at a time and in order; one that fails does not stop the others.

    `model` is one that ships, a run folder, a model file, or what `load_model` made of one.
    """
    artefact = model if isinstance(model, Artefact) else load_model(model)
    if artefact.kind not in get_args(Kind):
        raise InputError(
            f"this model gives {artefact.kind} in {artefact.unit}, and `predict` is about energies; "
            "`onekcal evaluate` compares it with data"
        )
    if settings.conformers < 1:
        raise InputError(f"`conformers` must be at least 1, got {settings.conformers}")
    if settings.thermal not in ("auto", "gfn2", "regression"):
        raise InputError(f"`thermal` must be auto, gfn2 or regression, got {settings.thermal!r}")
    asked = [inputs] if isinstance(inputs, (str, Molecules)) else inputs
    return (answer(question, artefact, settings) for question in questions(asked, settings.length))


def answer(question: Question, artefact: Artefact, settings: Settings = Settings()) -> Answer:
    """The answer to one question; what prevents it is its `problem`, one line that names the molecule."""
    bare = Answer(
        question.source,
        question.name,
        question.smiles,
        level=artefact.level,
        kind=artefact.kind,
        at=artefact.at,
        coverage=settings.coverage,
        problem=question.problem,
    )
    if question.problem:
        return bare
    if question.molecule is not None:
        bare = replace(bare, formula=question.molecule.formulas[0])
    try:
        return _answer(question, bare, artefact, settings)
    except OnekcalError as problem:
        what = str(problem)
    except (
        ArithmeticError,
        LookupError,
        RuntimeError,
        ValueError,
    ) as problem:  # of a library, on one odd molecule
        what = f"{type(problem).__name__}: {problem}"
    what = " ".join(what.split())
    return replace(
        bare, problem=what if repr(question.source) in what else f"{question.source}: {what}"
    )


def _answer(question: Question, bare: Answer, artefact: Artefact, settings: Settings) -> Answer:
    drawn = question.molecule or _drawn(question.smiles)
    if question.molecule is not None and (problems := drawn.check()):
        raise InputError(problems[0])
    bare = replace(bare, formula=drawn.formulas[0])
    if len(drawn.numbers) == 1 and artefact.kind == "atomization" and not int(drawn.charges[0]):
        return _lone_atom(bare, drawn, artefact)
    beyond = outside(artefact, drawn)
    if beyond and not settings.force:
        raise InputError(f"{'; '.join(beyond)} (--force answers all the same, without an interval)")
    found = _placed(question, bare, artefact, settings)
    assert found.molecule is not None
    energy, novelty = _asked(artefact, found.molecule)
    terms = {
        name: values[0].reshape(-1).tolist()
        for name, values in artefact.model.terms(found.molecule).items()
    }
    if novelty is not None and novelty > artefact.novelty_limit:
        beyond = [
            *beyond,
            f"holds environments the model has never seen (novelty {novelty:.3g}, "
            f"at most {artefact.novelty_limit:.3g} is known)",
        ]
        if not settings.force:
            raise InputError(f"{beyond[-1]}; --force answers all the same, without an interval")
    remarks = list(found.remarks) + [
        f"outside the model's scope, hence no interval: {reason}" for reason in beyond
    ]
    half, remark = (math.inf, "") if beyond else _half(artefact, found, settings)
    remarks += [remark] if remark else []
    pull = forces(artefact.model, found.molecule).numpy() if settings.forces else None
    found = replace(
        found,
        energy=energy,
        half=half,
        novelty=novelty,
        terms=terms,
        remarks=tuple(remarks),
        forces=pull,
    )
    return _with_ledger(found, artefact, settings)


def _half(artefact: Artefact, found: Answer, settings: Settings) -> tuple[float, str]:
    """Half width of the interval (kcal/mol) at the geometry found; infinite, and why, where there is none."""
    if found.geometry == "smiles" and settings.conformers < Settings().conformers:
        return math.inf, (
            f"no interval: it was calibrated with {Settings().conformers} conformers; with fewer the lowest "
            "may be missed, and how far they lie apart"
        )
    half = half_width(
        artefact,
        found.geometry,
        settings.coverage,
        found.conformers.largest if found.conformers else 0.0,
    )
    if not math.isfinite(half):
        return (
            half,
            f"no interval: the model was not calibrated for geometries {KINDS.get(found.geometry, found.made)}",
        )
    return half, ""


def outside(artefact: Artefact, molecule: Molecules) -> list[str]:
    """Why one molecule lies outside what a model was fitted to; empty where it does not."""
    from onekcal.geometry.bonds import fragments

    reasons = []
    strange = [SYMBOLS[z] for z in molecule.elements if z not in artefact.elements]
    if strange:
        known = ", ".join(SYMBOLS[z] for z in artefact.elements)
        reasons.append(f"the model has never seen {', '.join(strange)}; it knows {known}")
    size = len(molecule.numbers)
    if artefact.largest and size > artefact.largest:
        reasons.append(
            f"{size} atoms; the largest molecule the model has seen has {artefact.largest}"
        )
    heavy, most = int((molecule.numbers > 1).sum()), artefact.card.get("heavy_atoms")
    if most and heavy > most:
        reasons.append(f"{heavy} atoms heavier than hydrogen; the model has seen up to {most}")
    charge, spin = int(molecule.charges[0]), int(molecule.spins[0])
    odd = (int(molecule.numbers.sum()) - charge) % 2
    if charge:
        reasons.append(f"an ion (charge {charge:+d}); the model knows neutral molecules")
    if spin or odd:
        said = f"unpaired electrons: {spin}" if spin else "an odd number of electrons"
        reasons.append(f"a radical ({said}); the model knows closed shells")
    pieces = (
        fragments(molecule.numbers.numpy(), molecule.positions.numpy())
        if molecule.positions.any()
        else 1
    )
    if pieces > 1:
        reasons.append(f"{pieces} pieces that no bond connects; the model knows single molecules")
    return reasons


def _drawn(smiles: str) -> Molecules:
    """The nuclei of a SMILES, as yet without positions (all 0); an atom such as [O] has its own number of electrons."""
    from rdkit import Chem

    from onekcal.geometry.conformers import parse
    from onekcal.io.smiles import read_smiles

    mol = read_smiles(smiles)
    alone = mol.GetNumAtoms() == 1 and not mol.GetAtomWithIdx(0).GetTotalNumHs()
    if not alone or Chem.GetFormalCharge(mol):
        mol = parse(smiles)
    if any(atom.GetIsotope() for atom in mol.GetAtoms()):
        raise InputError(
            f"{smiles!r} names isotopes, but energies hold the zero-point energy of the most abundant ones; "
            "leave the mass numbers out to be answered for those"
        )
    numbers = [atom.GetAtomicNum() for atom in mol.GetAtoms()]
    return Molecules.one(numbers, [[0.0, 0.0, 0.0]] * len(numbers), name=smiles)


def _placed(question: Question, bare: Answer, artefact: Artefact, settings: Settings) -> Answer:
    """The molecule at the geometry it is answered at, what kind that is, and how it came about."""
    if question.molecule is None:
        from onekcal.geometry.conformers import conformers

        found = conformers(question.smiles, settings.conformers)
        kind = "smiles" if artefact.geometry else "data"
        remarks = (
            []
            if artefact.geometry
            else [
                "the interval was calibrated on geometries of the training data, not on "
                "conformers made from SMILES"
            ]
        )
        if found.undecided:
            remarks.append(
                f"the SMILES leaves {found.undecided} of its stereocentres and double bonds open: the lowest "
                "stereoisomer found is answered (@ and / name one)"
            )
        return replace(
            bare,
            molecule=found.lowest,
            geometry=kind,
            remarks=tuple(remarks),
            made=KINDS["smiles"],
            conformers=Spread(found.embedded, found.relative),
        )
    if artefact.geometry == "gfn2" and not settings.keep_geometry:
        from onekcal.geometry.minimum import minimum

        relaxed, saddles = minimum(question.molecule)
        said = (
            ("the geometry given relaxes to a saddle point, and was followed downhill from there",)
            if saddles
            else ()
        )
        return replace(
            bare, molecule=relaxed.molecule, geometry="gfn2", made=KINDS["gfn2"], remarks=said
        )
    kind = "b3lyp" if artefact.geometry == "gfn2" else artefact.geometry or "data"
    return replace(
        bare, molecule=question.molecule, geometry=kind, made=KINDS.get(kind, "as given")
    )


def _asked(artefact: Artefact, molecule: Molecules) -> tuple[float, float | None]:
    """Energy (kcal/mol) and novelty of one molecule."""
    strange = [SYMBOLS[z] for z in molecule.elements if z not in artefact.elements]
    try:
        with torch.no_grad():
            energy, novelty = (
                float(artefact.model.energies(molecule)[0]),
                artefact.model.novelty(molecule),
            )
    except (OnekcalError, LookupError, ValueError) as problem:
        if strange:
            raise InputError(
                f"the model cannot describe {', '.join(strange)} at all, not even with --force"
            ) from problem
        raise
    if not math.isfinite(energy):
        raise InputError("the model gives no finite energy")
    return energy, None if novelty is None else float(novelty[0])


def _lone_atom(bare: Answer, atom: Molecules, artefact: Artefact) -> Answer:
    """0 by definition."""
    found = replace(
        bare, molecule=atom, energy=0.0, half=0.0, remarks=("a lone atom is 0 by definition",)
    )
    return _with_ledger(found, artefact, Settings())


def _with_ledger(found: Answer, artefact: Artefact, settings: Settings) -> Answer:
    """The heats of formation, where energies are atomization energies at 0 K; the energy stays where they fail."""
    if artefact.kind != "atomization" or artefact.at != "0 K":
        return found
    from onekcal.thermo.ledger import ledger

    assert found.molecule is not None
    bounded = math.isfinite(found.half)
    try:
        lines = ledger(
            found.molecule,
            found.energy,
            artefact.level,
            found.half if bounded else None,
            "0 by definition"
            if len(found.molecule.numbers) == 1
            else f"learned; ± is its {100 * settings.coverage:.0f} % interval"
            if bounded
            else "learned",
            thermal=settings.thermal,
        )
    except OnekcalError as problem:
        return replace(found, remarks=(*found.remarks, f"no heat of formation: {problem}"))
    return replace(found, ledger=lines)
