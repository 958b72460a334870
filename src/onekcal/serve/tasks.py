"""What a worker computes: answers, rows of tables, reactions and bonds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from onekcal.errors import InputError, OnekcalError, unknown
from onekcal.io.reading import read
from onekcal.models.artefact import Artefact
from onekcal.molecules import Molecules
from onekcal.prediction.bonds import bonds
from onekcal.prediction.geometry import drawn, geometry_of
from onekcal.prediction.options import Options
from onekcal.prediction.prediction import answer as answer_one
from onekcal.prediction.questions import Question
from onekcal.prediction.react import react
from onekcal.prediction.reaction import Conditions
from onekcal.prediction.rungs import Watch
from onekcal.serve.messages import plain
from onekcal.serve.surfaces import surface
from onekcal.serve.told import Told, following, reaction, row, told

Task = dict[str, Any]
"""What is asked of a worker: "kind", and what that kind needs."""


def parts(task: Task, artefact: Artefact, watch: Watch) -> Iterator[Told]:
    """Compute a task, and tell each part of it as it is ready.

    Parameters
    ----------
    task
        What is asked.
    artefact
        The model.
    watch
        Called with the molecule and the step whenever a step of a computation begins.

    Yields
    ------
    dict
        A part of the result; one with only a `problem` where the task cannot be done.
    """
    kinds: dict[str, Callable[[Task, Artefact, Watch], Iterator[Told]]] = {
        "predict": _predict,
        "row": _row,
        "react": _react,
        "bonds": _bonds,
        "surface": _surface,
    }
    if task["kind"] not in kinds:
        unknown("kind of task", task["kind"], kinds)
    try:
        yield from kinds[task["kind"]](task, artefact, watch)
    except OnekcalError as problem:
        yield {"problem": plain(" ".join(str(problem).split()))}


def _predict(task: Task, artefact: Artefact, watch: Watch) -> Iterator[Told]:
    question, options = question_of(task), options_of(task)
    _check_size(question, task["most_atoms"])
    answer = answer_one(question, artefact, options, options.compute, watch)
    yield told(answer, artefact) | {"next": following(question, answer, artefact, options)}


def _row(task: Task, artefact: Artefact, watch: Watch) -> Iterator[Told]:
    question, options = question_of(task), options_of(task)
    try:
        _check_size(question, task["most_atoms"])
    except InputError as problem:
        question = replace(question, problem=f"{question.source}: {problem}")
    yield row(answer_one(question, artefact, options, options.compute, watch))


def _react(task: Task, artefact: Artefact, watch: Watch) -> Iterator[Told]:
    conditions = Conditions(task["temperature"], task["pressure"], task["free_energies"])
    options = options_of(task)
    for found in react(task["reaction"], artefact, conditions, options, watch=watch, stream=True):
        yield reaction(found, artefact)


def _bonds(task: Task, artefact: Artefact, watch: Watch) -> Iterator[Told]:
    question = question_of(task)
    _check_size(question, task["most_atoms"])
    for bond in bonds(question.smiles, artefact, options_of(task), watch, stream=True):
        yield bond.to_dict() | {"problem": plain(bond.problem), "radicals": list(bond.fragments)}


def _surface(task: Task, artefact: Artefact, watch: Watch) -> Iterator[Told]:
    question = question_of(task)
    _check_size(question, task["most_atoms"])
    yield surface(geometry_of(question, open_shells=True), task["surface"])


def options_of(task: Task) -> Options:
    """Return how a task is answered.

    Parameters
    ----------
    task
        What is asked; the `options` are fields of `Options`.
    """
    return Options(**task.get("options", {}))


def question_of(task: Task) -> Question:
    """Return the molecule a task is about.

    Parameters
    ----------
    task
        With "smiles"; or "numbers", "positions" (Å), "charge" and "spin"; or "geometry", which is
        the text of an xyz or sdf file.
    """
    name, source = task.get("name", ""), task.get("source", "")
    if task.get("smiles"):
        return Question(source or task["smiles"], name, task["smiles"], problem=task.get("bad", ""))
    if task.get("geometry"):
        molecules = read(
            task["geometry"],
            format=task["format"],
            length=task.get("options", {}).get("length"),
            energy_key=None,
            forces_key=None,
        )
        if len(molecules) != 1:
            raise InputError(
                f"expected one molecule, got {len(molecules)}; a file of many goes to the batch"
            )
        one = molecules.molecules[0]
        name = name or str(one.names[0])
        return Question(name or one.formulas[0], name, molecule=one)
    if task.get("bad"):
        return Question(source, name, problem=task["bad"])
    one = Molecules.one(task["numbers"], task["positions"], task["charge"], task["spin"], name)
    return Question(source or name or one.formulas[0], name, molecule=one)


def _check_size(question: Question, most: int) -> None:
    if question.problem:
        return
    molecule = question.molecule if question.molecule is not None else drawn(question.smiles)
    if len(molecule.numbers) > most:
        raise InputError(
            f"{len(molecule.numbers)} atoms; this server takes up to {most} (the command line "
            "has no such limit)"
        )
