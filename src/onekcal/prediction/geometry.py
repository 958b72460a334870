"""The geometry that a molecule is answered at, and the kind of geometry this is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch

from onekcal.errors import InputError, OnekcalError
from onekcal.geometry.conformers import Conformers, conformers
from onekcal.geometry.minimum import minimum
from onekcal.geometry.species import species
from onekcal.models.artefact import Artefact
from onekcal.molecules import Molecules
from onekcal.prediction.answers import Answer, Spread
from onekcal.prediction.options import Options
from onekcal.prediction.questions import Question
from onekcal.system.parallel import Result, Task, in_parallel
from onekcal.system.threads import on_one_thread

KINDS = {
    "smiles": "made from SMILES: the lowest conformer, relaxed with GFN2-xTB",
    "gfn2": "of a file, relaxed to the nearest GFN2-xTB minimum",
    "b3lyp": "of a file, kept as given; the interval is for geometries like B3LYP's",
    "data": "as given, like those of the training data",
}
"""The kinds of geometry that an interval can be calibrated for, in words."""

MANY = 50
"""SMILES for which it pays to start processes."""


def drawn(smiles: str) -> Molecules:
    """Read the nuclei of a SMILES, which have no positions yet.

    Parameters
    ----------
    smiles
        One molecule, radical, ion or atom.

    Returns
    -------
    Molecules
        One molecule with its hydrogens, in its ground state; all positions are 0.

    Raises
    ------
    InputError
        When the SMILES cannot be read, or names isotopes.
    """
    return species(smiles).nuclei(smiles)


@on_one_thread
def geometry_of(question: Question, open_shells: bool = False) -> Molecules:
    """Return the geometry of a question: the one it has, or the lowest conformer of its SMILES.

    Parameters
    ----------
    question
        A SMILES, or a molecule with a geometry.
    open_shells
        Whether the SMILES may be a radical, an ion or an atom; it is made in its ground state.

    Raises
    ------
    InputError
        The question could not be read.
    """
    if question.problem:
        raise InputError(question.problem)
    if question.molecule is not None:
        return question.molecule
    if not open_shells:
        return conformers(question.smiles).lowest
    state = species(question.smiles)
    nuclei = state.nuclei(question.smiles)
    return nuclei if len(nuclei.numbers) == 1 else conformers(state).lowest


def geometries_of(
    asked: Sequence[Question], scheduler: str | None = None, workers: int | None = None
) -> Iterator[Molecules | str]:
    """Give the geometry of each question in its order, or why there is none.

    Parameters
    ----------
    asked
        SMILES, or molecules with a geometry.
    scheduler
        Address of a Dask scheduler.
    workers
        Local processes; None: one for each processor where there are `MANY` SMILES.
    """
    tasks = [
        {"format": 1, "key": k, "question": one}
        for k, one in enumerate(asked)
        if one.molecule is None
    ]
    if workers is None and len(tasks) < MANY:
        workers = 1
    made: dict[int, Molecules | str] = {
        done["key"]: done["molecule"] if "molecule" in done else done["error"]
        for done in in_parallel(_made, tasks, len(tasks), scheduler, workers)
    }
    for k, one in enumerate(asked):
        yield made[k] if one.molecule is None else one.molecule


def _made(task: Task) -> Result:
    """The lowest conformer of one question, in whatever process."""
    try:
        return {"key": task["key"], "molecule": geometry_of(task["question"])}
    except OnekcalError as problem:
        return {"key": task["key"], "error": str(problem)}


def kind_as_given(artefact: Artefact) -> str:
    """Name the kind of geometry whose interval holds for a geometry that is taken as it is.

    Parameters
    ----------
    artefact
        The model. One that was fitted to minima of GFN2-xTB takes other geometries for B3LYP's.
    """
    return "b3lyp" if artefact.geometry == "gfn2" else artefact.geometry or "data"


def by_the_model(found: Conformers, artefact: Artefact) -> Conformers:
    """Return conformers in the order of a model's energies.

    GFN2-xTB makes compact conformers too low; a model that was fitted at its minima corrects this
    (ADR 23).

    Parameters
    ----------
    found
        Conformers at minima of GFN2-xTB.
    artefact
        A model that was fitted there.
    """
    with torch.no_grad():
        return found.ordered_by(artefact.model.energies(found.molecules).numpy())


def placed(
    question: Question, bare: Answer, artefact: Artefact, options: Options, known: bool = True
) -> Answer:
    """Find the geometry that a question is answered at.

    Parameters
    ----------
    question
        A SMILES, or a molecule with a geometry.
    bare
        The answer as far as it is known.
    artefact
        The model; it says which kind of geometry it was fitted to.
    options
        How many conformers are tried, and whether a given geometry is kept.
    known
        Whether the model knows such molecules, and orders their conformers.

    Returns
    -------
    Answer
        The answer with its molecule (Å), the kind of geometry, and how it came about.
    """
    if question.molecule is None:
        found = conformers(question.smiles, options.conformers, open_shells=artefact.unpaired > 0)
        chosen = known and artefact.geometry == "gfn2"
        if chosen:
            found = by_the_model(found, artefact)
        kind = "smiles" if artefact.geometry else "data"
        remarks = (
            []
            if artefact.geometry
            else [
                "the interval was calibrated on geometries of the training data, not on "
                "conformers made from SMILES"
            ]
        )
        if len(found.forms) > 1:
            remarks.append(
                f"the SMILES leaves stereocentres or double bonds open: of {len(found.forms)} "
                f"stereoisomers the lowest is answered, {found.forms[0]}"
            )
        return replace(
            bare,
            molecule=found.lowest,
            geometry=kind,
            remarks=tuple(remarks),
            made=KINDS["smiles"],
            conformers=Spread(
                found.embedded,
                found.relative,
                found.molecules,
                "the model" if chosen else "GFN2-xTB",
            ),
        )
    if artefact.geometry == "gfn2" and not options.keep_geometry:
        relaxed, saddles = minimum(question.molecule)
        said = (
            ("the geometry given relaxes to a saddle point, and was followed downhill from there",)
            if saddles
            else ()
        )
        return replace(
            bare, molecule=relaxed.molecule, geometry="gfn2", made=KINDS["gfn2"], remarks=said
        )
    kind = kind_as_given(artefact)
    return replace(
        bare, molecule=question.molecule, geometry=kind, made=KINDS.get(kind, "as given")
    )
