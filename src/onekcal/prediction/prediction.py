"""Predict from a fitted model: one answer a molecule, or one clear line why there is none.

A SMILES gets conformers from RDKit. They are relaxed with GFN2-xTB, and the lowest by the model is
taken. The geometry of a file is relaxed to the nearest minimum of GFN2-xTB if the model was fitted
to such minima; an option keeps it. If it ends on a saddle point, it is followed downhill from
there. Other models take the geometry as it is. The interval is the one that was calibrated for that
kind of geometry. A molecule outside the model's scope is answered by G4(MP2) (`rungs`), or refused;
with `force` the model answers it without an interval.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Unpack, get_args, overload

import torch

from onekcal.energies import Kind
from onekcal.errors import InputError, MissingExtra, OnekcalError
from onekcal.io.python_objects import listed
from onekcal.models.artefact import Artefact
from onekcal.models.force_meaning import check_forces
from onekcal.models.model import refuse_unsound
from onekcal.models.shipped import load_model
from onekcal.molecules import SYMBOLS, Molecules
from onekcal.prediction.answer_table import Answers
from onekcal.prediction.answers import Answer
from onekcal.prediction.b3lyp_rung import b3lyp_answer, is_for_b3lyp, shipped
from onekcal.prediction.chosen import chosen
from onekcal.prediction.crew import by_a_crew
from onekcal.prediction.experiment import to_experiment
from onekcal.prediction.geometry import drawn, placed
from onekcal.prediction.mixture import with_conformers
from onekcal.prediction.options import DEFAULTS, OptionKeywords, Options
from onekcal.prediction.questions import STANDARD_INPUT, Question, count, questions
from onekcal.prediction.routes import with_route
from onekcal.prediction.rungs import OutsideScope, Watch, computed_answer, stored_answer
from onekcal.prediction.scope import half_of, outside
from onekcal.prediction.thermal import with_thermochemistry
from onekcal.prediction.trusted import trusted
from onekcal.system.notebook import watched
from onekcal.system.threads import one_thread
from onekcal.thermo.ledger import ledger

if TYPE_CHECKING:
    from onekcal.io.python_objects import Given


@overload
def predict(
    inputs: Given | Iterable[Given],
    model: str | Path | Artefact = ...,
    options: Options = ...,
    watch: Watch = ...,
    *,
    stream: Literal[False] = ...,
    workers: int = ...,
    skip: int = ...,
    **settings: Unpack[OptionKeywords],
) -> Answers: ...
@overload
def predict(
    inputs: Given | Iterable[Given],
    model: str | Path | Artefact = ...,
    options: Options = ...,
    watch: Watch = ...,
    *,
    stream: Literal[True],
    workers: int = ...,
    skip: int = ...,
    **settings: Unpack[OptionKeywords],
) -> Iterator[Answer]: ...
def predict(
    inputs: Given | Iterable[Given],
    model: str | Path | Artefact = "g4mp2",
    options: Options = DEFAULTS,
    watch: Watch = lambda molecule, step: None,
    *,
    stream: bool = False,
    workers: int = 1,
    skip: int = 0,
    **settings: Unpack[OptionKeywords],
) -> Answers | Iterator[Answer]:
    """Answer questions, in their order.

    A question that fails does not stop the others; its answer holds the problem.

    Parameters
    ----------
    inputs
        SMILES, names of files, "-" for standard input, molecules, ASE's `Atoms` or RDKit's `Mol`;
        one, or several: a list, a pandas column.
    model
        A model that ships, a run folder, a model file, or what `load_model` returned.
    options
        How the questions are answered.
    watch
        Called with the molecule and the step whenever a step of a computation begins.
    stream
        Compute each answer when it is asked for, and keep none.
    workers
        Processes that answer, each with one thread.
    skip
        How many of the first molecules are left out.
    **settings
        Fields of `Options` one by one, such as `unit="kJ/mol"` or `coverage=0.95`.

    Returns
    -------
    Answers or iterator of Answer
        One answer for each molecule: a list that is also a table, or with `stream` an iterator.

    Raises
    ------
    InputError
        When the model gives no energies, an option has no meaning, or forces are asked of a model
        whose gradient is no force.
    """
    artefact = model if isinstance(model, Artefact) else load_model(model)
    if artefact.kind not in get_args(Kind):
        raise InputError(
            f"this model gives {artefact.kind} in {artefact.unit}, and `predict` is about "
            "energies; `onekcal evaluate` compares it with data"
        )
    options = chosen(options, settings)
    if options.forces:
        check_forces(artefact)
    if workers < 1:
        raise InputError(f"`workers` must be at least 1, got {workers}")
    if skip < 0:
        raise InputError(f"`skip` must not be negative, got {skip}")
    asked = inputs if isinstance(inputs, Iterator) else listed(inputs)
    every = islice(questions(asked, options.length, options.smiles_column), skip, None)
    typed = isinstance(asked, list) and STANDARD_INPUT in asked
    alone = [] if typed or skip else list(islice(every, 2))
    answers = _answers(chain(alone, every), len(alone) == 1, artefact, options, watch, workers)
    if stream:
        return answers
    total = count(asked) if isinstance(asked, list) else None
    return Answers(watched(answers, "answers", None if total is None else max(0, total - skip)))


def _answers(
    asked: Iterable[Question],
    alone: bool,
    artefact: Artefact,
    options: Options,
    watch: Watch,
    workers: int,
) -> Iterator[Answer]:
    """Answers in order. Only a single question may start a computation by itself."""
    if workers > 1 and not alone:
        yield from by_a_crew(asked, artefact, options, workers)
        return
    partners: dict[str, Answer] = {}
    for question in asked:
        yield answer(question, artefact, options, alone, watch, partners)


def answer(
    question: Question,
    artefact: Artefact,
    options: Options = DEFAULTS,
    may_compute: bool = True,
    watch: Watch = lambda molecule, step: None,
    partners: dict[str, Answer] | None = None,
) -> Answer:
    """Answer one question.

    Parameters
    ----------
    question
        A SMILES, or a molecule with a geometry.
    artefact
        The model.
    options
        How the question is answered.
    may_compute
        Whether G4(MP2) may be computed for a molecule that the model does not know.
    watch
        Called with the molecule and the step whenever a step of a computation begins.
    partners
        Learned answers for partners of a second route by SMILES; new ones are added.

    Returns
    -------
    Answer
        If something prevents the answer, `problem` says what in one line that names the molecule.
    """
    bare = Answer(
        question.source,
        question.name,
        question.smiles,
        level=artefact.level,
        kind=artefact.kind,
        at=artefact.at,
        coverage=options.coverage,
        problem=question.problem,
        unit=options.unit,
        columns=question.columns,
    )
    if question.problem:
        return bare
    question, doublet = _with_odd_electron(question)
    partners = {} if partners is None else partners
    if question.molecule is not None:
        bare = replace(bare, formula=question.molecule.formulas[0])
    try:
        with one_thread():
            found = _by_rung(question, bare, artefact, options, may_compute, watch)
            if options.route != "atomization":
                ask = lambda text: _small(text, artefact, partners)  # noqa: E731
                found = with_route(found, options.route, artefact, ask, options.level)
            if options.level == "experiment":
                found = to_experiment(found)
            if options.boltzmann:
                found = with_conformers(found)
            if options.thermochemistry:
                found = with_thermochemistry(found, options.temperature, options.pressure)
        found = replace(found, remarks=(*found.remarks, *doublet))
        return trusted(found, options.max_interval)
    except OnekcalError as problem:
        what = str(problem)
    # what a library raises on one odd molecule
    except (ArithmeticError, LookupError, RuntimeError, ValueError) as problem:
        what = f"{type(problem).__name__}: {problem}"
    what = " ".join(what.split())
    return replace(
        bare, problem=what if repr(question.source) in what else f"{question.place}: {what}"
    )


def _with_odd_electron(question: Question) -> tuple[Question, tuple[str, ...]]:
    """A geometry of an odd number of electrons that says no spin, as a doublet; and a remark."""
    one = question.molecule
    if one is None or int(one.spins[0]) or not int(one.numbers.sum() - one.charges[0]) % 2:
        return question, ()
    said = "an odd number of electrons: taken as a doublet (`spin=` in the file says otherwise)"
    return replace(question, molecule=replace(one, spin=torch.ones(1, dtype=torch.int64))), (said,)


def _small(smiles: str, artefact: Artefact, known: dict[str, Answer]) -> Answer:
    """The learned answer for a partner of a second route, asked once."""
    if smiles not in known:
        plain = Options(rung="learned", route="atomization", level="g4mp2")
        known[smiles] = answer(Question(smiles, smiles=smiles), artefact, plain, may_compute=False)
    return known[smiles]


def _by_rung(
    question: Question,
    bare: Answer,
    artefact: Artefact,
    options: Options,
    may_compute: bool,
    watch: Watch,
) -> Answer:
    """The answer of the rung that was asked for, or the best that costs next to nothing."""
    if options.rung == "g4mp2":
        return computed_answer(question, bare, options, may_compute, watch=watch)
    if options.rung == "b3lyp" or is_for_b3lyp(artefact):
        above = artefact if is_for_b3lyp(artefact) else shipped()
        return b3lyp_answer(question, bare, above, options, may_compute, watch)
    if options.rung == "auto" and artefact.ships and not options.forces:
        stored = stored_answer(question, bare, options)
        if stored is not None:
            return stored
    try:
        return _answer(question, bare, artefact, options)
    except OutsideScope as problem:
        reason = str(problem)
    if options.rung == "auto" and artefact.level == "g4mp2":
        try:
            return computed_answer(question, bare, options, may_compute, reason, watch)
        except (InputError, MissingExtra) as problem:
            reason = reason if str(problem) in reason else f"{reason}; {problem}"
    molecule = question.molecule or drawn(question.smiles)
    strange = [z for z in molecule.elements if z not in artefact.elements]
    if not _describes(artefact, strange):
        names = ", ".join(SYMBOLS[z] for z in strange)
        raise InputError(f"{reason}; the model cannot describe {names} at all")
    if question.molecule is None and (int(molecule.charges[0]) or int(molecule.spins[0])):
        raise InputError(reason)  # conformers are made of neutral closed shells alone
    raise InputError(f"{reason} (--force answers all the same, without an interval)")


def _describes(artefact: Artefact, elements: list[int]) -> bool:
    """Whether the model gives energies with elements it has never seen: a pair of each is tried."""
    for z in elements:
        pair = Molecules.one([z, z], [[0.0, 0.0, 0.0], [0.0, 0.0, 2.5]])
        try:
            _asked(artefact, pair)
        except (OnekcalError, LookupError, ValueError):
            return False
    return True


def _answer(question: Question, bare: Answer, artefact: Artefact, options: Options) -> Answer:
    molecule = question.molecule or drawn(question.smiles)
    if question.molecule is not None:
        refuse_unsound(molecule)
    bare = replace(bare, formula=molecule.formulas[0])
    if (
        len(molecule.numbers) == 1
        and artefact.kind == "atomization"
        and not int(molecule.charges[0])
    ):
        return _lone_atom(bare, molecule, artefact)
    beyond = outside(artefact, molecule)
    if beyond and not options.force:
        raise OutsideScope("; ".join(beyond))
    found = placed(question, bare, artefact, options, known=not beyond)
    assert found.molecule is not None
    molecule = found.molecule
    energy, novelty = _asked(artefact, molecule)
    terms = {
        name: values[0].reshape(-1).tolist()
        for name, values in artefact.model.terms(molecule).items()
    }
    if novelty is not None and novelty > artefact.novelty_limit:
        beyond = [
            *beyond,
            f"holds environments the model has never seen (novelty {novelty:.3g}, "
            f"at most {artefact.novelty_limit:.3g} is known)",
        ]
        if not options.force:
            raise OutsideScope(beyond[-1])
    remarks = list(found.remarks) + [
        f"outside the model's scope, hence no interval: {reason}" for reason in beyond
    ]
    found = replace(found, novelty=novelty)
    half, remark = (math.inf, "") if beyond else half_of(artefact, found, options)
    remarks += [remark] if remark else []
    pull = artefact.model.forces(molecule).numpy() if options.forces else None
    found = replace(
        found,
        energy=energy,
        half=half,
        terms=terms,
        remarks=tuple(remarks),
        forces=pull,
    )
    return _with_ledger(found, artefact, options)


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
    """The answer for a free atom, which is 0 by definition."""
    found = replace(
        bare, molecule=atom, energy=0.0, half=0.0, remarks=("a lone atom is 0 by definition",)
    )
    return _with_ledger(found, artefact, DEFAULTS)


def _with_ledger(found: Answer, artefact: Artefact, options: Options) -> Answer:
    """Add the heats of formation to an atomization energy at 0 K; leave other answers."""
    if artefact.kind != "atomization" or artefact.at != "0 K":
        return found
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
            else f"learned; ± is its {100 * options.coverage:.0f} % interval"
            if bounded
            else "learned",
            thermal=options.thermal,
        )
    except OnekcalError as problem:
        return replace(found, remarks=(*found.remarks, f"no heat of formation: {problem}"))
    return replace(found, ledger=lines)
