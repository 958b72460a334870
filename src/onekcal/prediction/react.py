"""Reactions: energies, enthalpies and free energies as sums over the answers for their species.

    ΔrE(0 K) = Σ ν ΔfH(0 K)
    ΔrH(T)   = ΔrE(0 K) + Σ ν [H(T) − H(0)]
    ΔrG(T)   = ΔrE(0 K) + Σ ν [G(T) − H(0)]

ν is negative on the left. At 298.15 K, ΔrH is Σ ν ΔfH(298.15 K) (Hess's law): the elements cancel.
Enthalpies and free energies come from harmonic wavenumbers: those of the answer where it was
computed, and else those of GFN2-xTB. The interval is that of ΔrE(0 K) (`joint`). It holds no error
of the thermal parts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal, Unpack, cast, overload

import numpy.typing as npt

from onekcal.errors import InputError, OnekcalError
from onekcal.labels.computed import Store
from onekcal.models.artefact import Artefact
from onekcal.models.shipped import DEFAULT, load_model
from onekcal.molecules import Molecules
from onekcal.prediction.answer_table import Reactions
from onekcal.prediction.answers import Answer
from onekcal.prediction.balance import balanced, formatted, spin_remark
from onekcal.prediction.chosen import chosen
from onekcal.prediction.equation import Substance, merged, parse_equation, read_species
from onekcal.prediction.joint import joint_half
from onekcal.prediction.options import DEFAULTS, OptionKeywords, Options
from onekcal.prediction.prediction import answer as answer_one
from onekcal.prediction.questions import Question
from onekcal.prediction.reaction import STANDARD, Conditions, Participant, Reaction
from onekcal.prediction.rungs import STANDARD_STATES, Watch
from onekcal.prediction.thermal import RIGID, wavenumbers_of
from onekcal.system.notebook import watched
from onekcal.system.threads import one_thread
from onekcal.thermo.free_energies import Thermochemistry, check_conditions, thermochemistry
from onekcal.thermo.frequencies import TEMPERATURE
from onekcal.thermo.ledger import Ledger, Term

NONE: Mapping[str, Answer] = MappingProxyType({})
NO_WAVES: Mapping[str, npt.ArrayLike] = MappingProxyType({})


class ReactionKeywords(OptionKeywords, total=False):
    """The fields of `Options` and of `Conditions`, as `react` takes them one by one."""

    free_energies: bool


@overload
def react(
    reactions: str | Iterable[str],
    model: str | Path | Artefact = ...,
    conditions: Conditions = ...,
    options: Options = ...,
    answers: Mapping[str, Answer] = ...,
    wavenumbers: Mapping[str, npt.ArrayLike] = ...,
    watch: Watch = ...,
    *,
    stream: Literal[False] = ...,
    **settings: Unpack[ReactionKeywords],
) -> Reactions: ...
@overload
def react(
    reactions: str | Iterable[str],
    model: str | Path | Artefact = ...,
    conditions: Conditions = ...,
    options: Options = ...,
    answers: Mapping[str, Answer] = ...,
    wavenumbers: Mapping[str, npt.ArrayLike] = ...,
    watch: Watch = ...,
    *,
    stream: Literal[True],
    **settings: Unpack[ReactionKeywords],
) -> Iterator[Reaction]: ...
def react(
    reactions: str | Iterable[str],
    model: str | Path | Artefact = DEFAULT,
    conditions: Conditions = STANDARD,
    options: Options = DEFAULTS,
    answers: Mapping[str, Answer] = NONE,
    wavenumbers: Mapping[str, npt.ArrayLike] = NO_WAVES,
    watch: Watch = lambda molecule, step: None,
    *,
    stream: bool = False,
    **settings: Unpack[ReactionKeywords],
) -> Reactions | Iterator[Reaction]:
    """Compute the energies of reactions, in their order.

    A reaction that fails does not stop the others; it holds the problem. A species of several
    reactions is answered once.

    Parameters
    ----------
    reactions
        Such as `C=C + [H][H] >> CC`; one, or several: a list, a pandas column. Coefficients may
        stand before the species (`2 [H][H]`). Where none is written and one of each does not
        balance, they are found.
    model
        A model that ships, a run folder, a model file, or what `load_model` returned.
    conditions
        Temperature, pressure, and whether free energies are computed.
    options
        How the species are answered.
    answers
        Answers that a reaction can name. It can also name stored answers, such as ethylene.
    wavenumbers
        Harmonic wavenumbers (1/cm) of species by their text, at the geometry of their answer. The
        others are those of the answer where it was computed, and else those of GFN2-xTB.
    watch
        Called with the molecule and the step whenever a step of a computation begins.
    stream
        Compute each reaction when it is asked for, and keep none.
    **settings
        Fields of `Conditions` and `Options` one by one, such as `temperature=400.0`,
        `unit="kJ/mol"` or `coverage=0.95`.

    Returns
    -------
    Reactions or iterator of Reaction
        One for each text: a list that is also a table, or with `stream` an iterator.

    Raises
    ------
    InputError
        The temperature or pressure is not positive, an option has no meaning, or the model gives
        no atomization energies at 0 K.
    """
    conditions, options = _asked(conditions, options, settings)
    check_conditions(conditions.temperature, conditions.pressure)
    if not conditions.free_energies and conditions.temperature != TEMPERATURE:
        raise InputError(
            f"without free energies ΔrH is at {TEMPERATURE} K, got {conditions.temperature} K"
        )
    artefact = model if isinstance(model, Artefact) else load_model(model)
    if artefact.kind != "atomization" or artefact.at != "0 K":
        raise InputError(
            f"reactions need atomization energies at 0 K; this model gives {artefact.kind} "
            f"({artefact.at})"
        )
    texts = [reactions] if isinstance(reactions, str) else list(reactions)
    desk = _Desk(artefact, conditions, options, answers, wavenumbers, len(texts) == 1, watch)
    found = (desk.reaction(text) for text in texts)
    return found if stream else Reactions(watched(found, "reactions", len(texts)))


def _asked(
    conditions: Conditions, options: Options, settings: ReactionKeywords
) -> tuple[Conditions, Options]:
    """Conditions and options with those that were named one by one."""
    named = {field.name for field in fields(Conditions)}
    own = {name: value for name, value in settings.items() if name in named}
    others = {name: value for name, value in settings.items() if name not in named}
    return (
        replace(conditions, **own),  # type: ignore[arg-type]
        chosen(options, cast(OptionKeywords, others)),
    )


class _Desk:
    """Answers species once and adds them up."""

    def __init__(
        self,
        artefact: Artefact,
        conditions: Conditions,
        options: Options,
        answers: Mapping[str, Answer],
        wavenumbers: Mapping[str, npt.ArrayLike],
        alone: bool,
        watch: Watch,
    ) -> None:
        self.may_compute, self.watch = alone, watch  # a list computes nothing by itself
        self.artefact, self.conditions = artefact, conditions
        self.options = replace(options, route="atomization")  # a reaction is a route of its own
        self.named, self.waves = answers, wavenumbers
        self.molecules = {
            name: one.molecule for name, one in answers.items() if one.molecule is not None
        }
        self.stored_names: dict[str, set[str]] | None = None
        self.answered: dict[str, tuple[Answer, Thermochemistry | None]] = {}

    def reaction(self, text: str) -> Reaction:
        """The energies of one reaction, or its problem."""
        bare = Reaction(
            text,
            temperature=self.conditions.temperature,
            pressure=self.conditions.pressure,
            coverage=self.options.coverage,
            level=self.artefact.level,
            unit=self.options.unit,
        )
        try:
            with one_thread():
                return self._reaction(bare)
        except OnekcalError as problem:
            what = " ".join(str(problem).split())
            return replace(bare, problem=what if repr(text) in what else f"{text!r}: {what}")

    def _reaction(self, bare: Reaction) -> Reaction:
        equation = parse_equation(bare.text)
        species, questions = zip(
            *(
                read_species(text, self.molecules, self.options.length, self._names)
                for _, text in (*equation.left, *equation.right)
            )
        )
        species, questions, left, given = merged(equation, species, questions)
        molecules, texts = [one.molecule for one in species], [one.text for one in species]
        coefficients = balanced(molecules, left, texts, given)
        bare = replace(bare, balanced=formatted(coefficients, texts, left))
        answered = self._answers(species, questions)
        participants = tuple(
            Participant(one.text, -c if k < left else c, *answered[k])
            for k, (one, c) in enumerate(zip(species, coefficients))
        )
        return self._summed(bare, participants, spin_remark(molecules, coefficients, left, texts))

    def _names(self) -> dict[str, set[str]]:
        """What the names of stored answers stand for, read once."""
        if self.stored_names is None:
            self.stored_names = Store().names()
        return self.stored_names

    def _answers(
        self, species: tuple[Substance, ...], questions: tuple[Question, ...]
    ) -> list[tuple[Answer, Thermochemistry | None]]:
        """The answers for all species; those without one are named together."""
        found, problems = [], []
        for one, question in zip(species, questions):
            try:
                found.append(self._answer(one, question))
            except OnekcalError as problem:
                problems.append(f"{one.text}: {str(problem).removeprefix(f'{one.text}: ')}")
        if problems:
            raise InputError(f"no energy of {'; of '.join(problems)}")
        return found

    def _answer(self, one: Substance, question: Question) -> tuple[Answer, Thermochemistry | None]:
        if one.key not in self.answered:
            answer = self.named[one.text] if one.known else self._predicted(question)
            if answer.problem:
                raise InputError(answer.problem)
            if answer.ledger is None:
                raise InputError("; ".join(answer.remarks) or "it has no heat of formation")
            thermal = None
            if self.conditions.free_energies:
                answer, thermal = self._heated(one, answer)
            self.answered[one.key] = (answer, thermal)
        return self.answered[one.key]

    def _predicted(self, question: Question) -> Answer:
        """What the rungs of `predict` say of one species."""
        return answer_one(question, self.artefact, self.options, self.may_compute, self.watch)

    def _heated(self, one: Substance, answer: Answer) -> tuple[Answer, Thermochemistry]:
        """Thermochemistry of a species, and the answer with the same heat in its ledger."""
        molecule = answer.molecule
        assert molecule is not None
        assert answer.ledger is not None
        if not int(molecule.spins[0]):  # an atom's answer says 0
            molecule = replace(molecule, spin=one.molecule.spins)
        molecule, waves, source = self._wavenumbers(one, replace(answer, molecule=molecule))
        thermal = thermochemistry(
            molecule, waves, self.conditions.temperature, self.conditions.pressure
        )
        room = thermochemistry(molecule, waves, symmetry=thermal.symmetry)
        ledger = with_heat(answer.ledger, room.enthalpy, source)
        if answer.smiles in STANDARD_STATES:  # ΔfH(298 K) is 0 by definition
            enthalpy = thermal.enthalpy - ledger.formation_298
            return answer, replace(thermal, enthalpy=enthalpy)
        return replace(answer, ledger=ledger), thermal

    def _wavenumbers(self, one: Substance, answer: Answer) -> tuple[Molecules, npt.ArrayLike, str]:
        """The geometry of the wavenumbers, these (1/cm), and where they come from."""
        molecule = answer.molecule
        assert molecule is not None
        if one.text in self.waves and len(molecule.numbers) > 1:
            return molecule, self.waves[one.text], f"wavenumbers that were given, {RIGID}"
        return wavenumbers_of(answer)

    def _summed(self, bare: Reaction, participants: tuple[Participant, ...], spin: str) -> Reaction:
        """Hess's law."""
        nu = [float(one.coefficient) for one in participants]
        ledgers = [one.answer.ledger for one in participants if one.answer.ledger is not None]
        energy = sum(c * ledger.formation_0 for c, ledger in zip(nu, ledgers))
        thermals = [one.thermal for one in participants if one.thermal is not None]
        free = math.nan
        if len(thermals) == len(participants):
            enthalpy = energy + sum(c * thermal.enthalpy for c, thermal in zip(nu, thermals))
            free = energy + sum(c * thermal.free_energy for c, thermal in zip(nu, thermals))
        else:
            enthalpy = sum(c * ledger.formation_298 for c, ledger in zip(nu, ledgers))
        answers = [one.answer for one in participants]
        joint = joint_half(nu, answers, self.artefact, self.options.coverage)
        remarks = [spin, joint.remark]
        for one in participants:
            own = one.answer.remarks if one.answer.half else ()  # an atom's energy is exact
            thermal_remarks = one.thermal.remarks if one.thermal else ()
            remarks += [f"{one.text}: {said}" for said in (*own, *thermal_remarks)]
        return replace(
            bare,
            participants=participants,
            energy=energy,
            enthalpy=enthalpy,
            free_energy=free,
            half=joint.half,
            against="experiment" if joint.experiment else self.artefact.level,
            remarks=tuple(filter(None, remarks)),
        )


def with_heat(ledger: Ledger, heat: float, source: str) -> Ledger:
    """Replace H(298 K) − H(0) of the molecule in a ledger.

    Parameters
    ----------
    ledger
        The ledger of one molecule.
    heat
        kcal/mol.
    source
        Where it comes from.
    """
    first = next(
        k
        for k, term in enumerate(ledger.terms)
        if term.section == "formation 298 K" and term.label.startswith("H(298 K)")
    )
    old = ledger.terms[first]
    new = Term(old.label, heat, None, source, old.section)
    return Ledger(ledger.formula, (*ledger.terms[:first], new, *ledger.terms[first + 1 :]))
