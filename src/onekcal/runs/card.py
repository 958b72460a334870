"""The model card: where a model errs and what it was made of, in words and tables.

As data the card is small and kept in the artefact (`ModelCard`). Here it becomes the parts that
`runs.card_page` and the console put together.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from onekcal.datasets.card import Card
from onekcal.models.model_card import GroupErrors, ModelCard
from onekcal.thermo.ledger import G4MP2_ERROR, G4MP2_SOURCE
from onekcal.trust.metrics import KCAL

FEW = 30
"""A group of fewer molecules is not counted among the limits."""
NO_TEST = {
    "validation": "the errors are those of the validation molecules, which also calibrated the "
    "interval. They say little about other molecules.",
    "training": "the errors are those of the molecules the model was fitted to. They say nothing "
    "about other molecules.",
}
"""What the errors of a run without a test part are, by the part that stands in for it."""
SHORT = 0.03
"""How far a coverage may lie below the nominal before it is mentioned."""


def about_data(card: Card) -> dict[str, str]:
    """Choose what a model card says of a data set.

    Parameters
    ----------
    card
        The data set's own card.

    Returns
    -------
    dict
        "title", "licence" and "citation", those that are known.
    """
    return {
        key: value
        for key, value in (
            ("title", card.title),
            ("licence", card.licence),
            ("citation", card.citation),
        )
        if value
    }


# --- what is shown ----------------------------------------------------------------------------


class Table(NamedTuple):
    """Errors under one heading.

    Parameters
    ----------
    title
        The heading.
    rows
        Name, molecules, MAE, median, share above 1 kcal/mol, share within the interval.
    """

    title: str
    rows: list[tuple[str, ...]]


HEADS = ("molecules", "MAE", "median", "above 1", "within")
"""Heads of the columns of figures: kcal/mol or the target's unit; shares in per cent."""


def tables(card: ModelCard) -> Iterator[Table]:
    """Make the tables of errors that a card has.

    Parameters
    ----------
    card
        The card of a model.

    Yields
    ------
    Table
        Errors by geometry, by heavy atoms, by functional group, or by element.
    """
    by, digits = card.errors_by, ".2f" if (card.unit or KCAL) == KCAL else ".3g"
    for title, found in (
        ("geometry", card.errors),
        ("heavy atoms", by.get("heavy_atoms")),
        ("functional group", by.get("groups")),
        ("element", by.get("elements")),
    ):
        if found:
            yield Table(title, [(name, *_figures(row, digits)) for name, row in found.items()])


def heads(card: ModelCard) -> tuple[str, ...]:
    """Choose the heads of the columns of figures.

    Parameters
    ----------
    card
        The card of a model; a model of atoms counts atoms.

    Returns
    -------
    tuple of str
        One head for each column after the name.
    """
    return ("atoms", *HEADS[1:]) if "elements" in card.errors_by else HEADS


def _figures(row: Mapping[str, object], digits: str) -> tuple[str, ...]:
    """The figures of a row as text; a dash for those that are not known."""
    return (
        _text(row.get("count"), ","),
        *(_text(row.get(key), digits) for key in ("mae", "median")),
        *(_text(row.get(key), ".0%").replace("%", " %") for key in ("above_1", "coverage")),
    )


def _text(value: object, form: str) -> str:
    return format(value, form) if isinstance(value, (int, float)) else "–"


SANITY_HEADS = ("check", "measured", "limit", "outcome")
"""Heads of the table of the sanity battery."""


def sanity(card: ModelCard) -> list[tuple[str, str, str, str]]:
    """Make the table of the sanity battery.

    Parameters
    ----------
    card
        The card of a model.

    Returns
    -------
    list of tuple
        What was measured, how large it is, its limit, and the outcome; empty where the battery was
        not done.
    """
    return [_sanity(check) for check in card.battery.get("checks", [])]


def _sanity(check: Mapping[str, Any]) -> tuple[str, str, str, str]:
    outcome = {True: "passes", False: "FAILS", None: "not asked"}[check["passed"]]
    value = check["value"]
    if value is None:
        measured = "–" if check["passed"] is None else "∞"  # JSON has no infinity
    else:
        measured = f"{value:.3g}" if value >= 1e-3 or not value else f"{value:.0e}"
    note = f"{outcome}: {check['note']}" if check["note"] else outcome
    return (
        f"{check['name']}: {check['meaning']}",
        measured,
        f"{check['limit']:g} {check['unit']}",
        note,
    )


def recipe(card: ModelCard) -> Iterator[tuple[str, str]]:
    """Say what a model was made of.

    Parameters
    ----------
    card
        The card of a model.

    Yields
    ------
    tuple
        A name and its text: stages, data, licence, citation, versions.
    """
    experiment, about, made = card.experiment, card.data_card, card.made
    if experiment:
        yield "stages", " + ".join(_stage(stage) for stage in experiment["stages"])
    if card.data:
        chosen = experiment.get("data", {})
        named = ", ".join(
            f"{word} {chosen[word]}" for word in ("target", "split") if word in chosen
        )
        yield (
            "data",
            card.data
            + (f": {about['title']}" if "title" in about else "")
            + (f"; {named}" if named else ""),
        )
    if card.digest:
        yield "SHA-256", card.digest
    if card.train is not None:
        again, held = (
            ", then fitted again to both" if card.refit else "",
            card.valid or 0,
        )
        fitted = card.train - (
            held if again else 0
        )  # what a refitted model was fitted to in the end holds both
        yield "molecules", f"{fitted:,} to fit, {held:,} to choose and calibrate{again}"
    for kind, name in experiment.get("also", {}).items():
        yield "tested also", f"{name}: the same molecules at other geometries ({kind})"
    yield from ((key, about[key]) for key in ("licence", "citation") if key in about)
    if made:
        packages = ", ".join(
            f"{name} {version}" for name, version in made["packages"].items() if version
        )
        yield (
            "made",
            f"{made['time'][:10]} with Python {made['python']}, {packages}; {made['hardware']}",
        )
        if made.get("commit"):
            yield "commit", made["commit"]


def _stage(stage: str | dict[str, object]) -> str:
    """The name of a stage; a baseline with its method."""
    name, settings = (stage, None) if isinstance(stage, str) else next(iter(stage.items()))
    method = settings.get("method") if isinstance(settings, dict) else settings
    return f"{name} {method}" if method else name


def limits(
    card: ModelCard, level: str = "", charges: Sequence[int] = (0,), unpaired: int = 0
) -> Iterator[str]:
    """List what the model is known to be weak at.

    Parameters
    ----------
    card
        The card of a model.
    level
        The level of theory that it was fitted to.
    charges, unpaired
        Charges of the training molecules, and the most unpaired electrons of one.

    Yields
    ------
    str
        One sentence each.
    """
    kinds = {"ions": any(charges), "radicals": unpaired > 0}
    molecules = "molecules" if unpaired else "molecules with closed shells"
    known = " and ".join([molecules, *(kind for kind, there in kinds.items() if there)])
    unknown = ", ".join([kind for kind, there in kinds.items() if not there] + ["complexes"])
    yield f"Single {known}: no {unknown} or broken bonds."
    if card.heavy_atoms:
        yield (
            f"Fitted to molecules of up to {card.heavy_atoms} heavy atoms: larger ones are a guess."
        )
    yield (
        "The interval holds on average over molecules like those fitted to; groups below their "
        "promise are named here, others may hide."
    )
    nominal = card.experiment.get("coverage", 0.9)
    by = card.errors_by
    every = [(f"{name} heavy atoms", row) for name, row in by.get("heavy_atoms", {}).items()]
    every += by.get("groups", {}).items()
    every = [(name, row) for name, row in every if row["count"] >= FEW]
    yield from _too_short(every, nominal)
    yield from _largest_errors(every, card.unit or KCAL)
    if unclear := by.get("not_perceived"):
        yield (
            f"The bonds of {unclear} of {unclear + by['perceived']} test molecules could not be "
            "told from their geometries; they are in no group."
        )
    if level.lower() == "g4mp2":
        yield f"G4(MP2) itself is ± {G4MP2_ERROR} kcal/mol against experiment ({G4MP2_SOURCE})."


def _too_short(every: list[tuple[str, GroupErrors]], nominal: float) -> Iterator[str]:
    """Name the groups whose interval covers less than it promises, beyond what may be chance."""
    short = []
    for name, row in every:
        share, count = row["coverage"], row["count"]
        chance = 2 * math.sqrt(nominal * (1 - nominal) / count)  # two standard deviations
        # a group without an interval has no coverage
        if share is not None and share < nominal - max(SHORT, chance):
            short.append(f"{name} ({100 * share:.0f} % of {count:,})")
    if short:
        yield (
            f"Within the {100 * nominal:.0f} % interval less often than promised: "
            f"{', '.join(short)}."
        )


def _largest_errors(every: list[tuple[str, GroupErrors]], unit: str) -> Iterator[str]:
    """Name the three groups with the largest mean errors, among those with an interval."""
    errors = [
        (name, row["mae"])
        for name, row in every
        if row["mae"] is not None and row["coverage"] is not None
    ]
    if errors:
        digits = ".2f" if unit == KCAL else ".3g"
        worst = sorted(errors, key=lambda item: -item[1])[:3]
        named = ", ".join(f"{name} ({mae:{digits}} {unit})" for name, mae in worst)
        yield f"Largest mean errors, of {FEW} molecules or more: {named}."
