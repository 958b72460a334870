"""The model card as a page of Markdown: scope, what it was made of, errors, limits, recipe."""

from __future__ import annotations

import math
from typing import get_args

import yaml

from onekcal.energies import Kind
from onekcal.models.artefact import Artefact
from onekcal.models.baseline import Baseline
from onekcal.models.blend import every_stage
from onekcal.models.domain import spelt
from onekcal.models.model_card import ModelCard
from onekcal.molecules import SYMBOLS
from onekcal.runs.card import (
    NO_TEST,
    SANITY_HEADS,
    Table,
    heads,
    limits,
    recipe,
    sanity,
    tables,
)
from onekcal.trust.metrics import KCAL


def markdown(artefact: Artefact, name: str) -> str:
    """Write the model card as a page of Markdown.

    Parameters
    ----------
    artefact
        A fitted model with its card.
    name
        The title of the page.

    Returns
    -------
    str
        The page.
    """
    card, unit = artefact.card, artefact.unit
    made_of = [*recipe(card), *_carried(artefact)]
    parts = [f"# {name}", _two("Scope", _scope(artefact)), _two("Made of", made_of)]
    if card.errors:
        parts += [
            "## Errors",
            f"{_whose(card)} MAE and median: {unit}; above 1: share of "
            "errors above 1 kcal/mol; within: share within the interval. A molecule counts in "
            "every group it has.",
        ]
    parts += [_wide(table, heads(card)) for table in tables(card)]
    weak = limits(card, artefact.level, artefact.charges, artefact.unpaired)
    parts.append("## Limits\n\n" + "\n".join(f"- {line}" for line in weak))
    parts.append("## Sanity\n\n" + _checks(card, name))
    if card.experiment:
        text = yaml.safe_dump(card.experiment, sort_keys=False, allow_unicode=True)
        parts.append(f"## Recipe\n\n```yaml\n{text}```")
    return "\n\n".join(parts) + "\n"


def _whose(card: ModelCard) -> str:
    """Say which molecules the errors are those of."""
    if card.experiment.get("data", {}).get("test") != 0:
        return "Of molecules the model was not fitted to."
    return f"There was no test part: {NO_TEST['validation' if card.valid else 'training']}"


def _scope(artefact: Artefact) -> list[tuple[str, str]]:
    """What the model may be asked, and its intervals."""
    card, unit = artefact.card, artefact.unit
    level = artefact.level or "level unknown"
    what = f"{artefact.kind} energy, {level}, {artefact.at}"
    if artefact.kind not in get_args(Kind):
        what = f"{card.experiment.get('data', {}).get('target', '')} ({artefact.kind}), {level}"
    digits = ".2f" if unit == KCAL else ".3g"
    scope = [
        ("predicts", f"{what}, {unit}"),
        (
            "geometries",
            {"": "as given", "gfn2": "minima of GFN2-xTB"}.get(
                artefact.geometry, artefact.geometry
            ),
        ),
        ("elements", " ".join(SYMBOLS[z] for z in artefact.elements)),
        (
            "size",
            f"up to {artefact.largest} atoms"
            + (f", {card.heavy_atoms} of them heavy" if card.heavy_atoms else ""),
        ),
        (
            "charge, unpaired electrons",
            f"{spelt(artefact.charges)}, "
            f"{'up to ' if artefact.unpaired else ''}{artefact.unpaired}",
        ),
    ]
    nominal = card.experiment.get("coverage", 0.9)
    for kind, conformal in artefact.calibration.items():
        half, wider = conformal.radius(nominal), f" {conformal.factor}".rstrip()
        scope.append(
            (
                f"{100 * nominal:.0f} % interval, {kind}",
                f"± {half:{digits}} {unit}{wider}"
                if math.isfinite(half)
                else "none: too few molecules to calibrate it",
            )
        )
    return scope


def _carried(artefact: Artefact) -> list[tuple[str, str]]:
    """The fitted models that baselines of this model hold."""
    stages = every_stage(artefact.model)
    taken = [stage.about for stage in stages if isinstance(stage, Baseline)]
    return [
        (
            "carries",
            f"a model of {each['level'] or 'an unknown level'} fitted to {each['data']} "
            f"(SHA-256 {each['digest']})",
        )
        for each in taken
        if each
    ]


def _checks(card: ModelCard, name: str) -> str:
    """The table of the sanity battery, or how it is done."""
    rows = sanity(card)
    if not rows:
        return f"Not checked yet; `onekcal trust {name} --battery` does it."
    lines = [f"| {' | '.join(SANITY_HEADS)} |", "|---|---:|---:|---|"]
    lines += [f"| {' | '.join(map(_cell, row))} |" for row in rows]
    return "\n".join([*lines, "", f"By onekcal {card.battery['onekcal']}."])


def _two(title: str, rows: list[tuple[str, str]]) -> str:
    """A section with a table of names and texts."""
    return f"## {title}\n\n| | |\n|---|---|\n" + "\n".join(
        f"| {_cell(name)} | {_cell(text)} |" for name, text in rows
    )


def _wide(table: Table, over: tuple[str, ...]) -> str:
    """A table of errors."""
    lines = [f"| {table.title} | {' | '.join(over)} |", "|---|" + "---:|" * len(over)]
    return "\n".join(lines + [f"| {' | '.join(map(_cell, row))} |" for row in table.rows])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
