"""The model card: where a model errs, and what it was made of, as data (small, kept in the
artefact) and as Markdown.

Molecules are sorted by heavy atoms and by functional groups, the groups told from the geometry
alone: not every data set names its molecules, and two that do may draw one molecule differently. A
molecule counts in every group it has.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, get_args

import torch
import yaml
from torch import Tensor

from onekcal.data.dataset import Dataset
from onekcal.datasets.card import Card
from onekcal.energies import Kind
from onekcal.geometry.bonds import perceived
from onekcal.models.artefact import Artefact
from onekcal.models.baseline import Baseline
from onekcal.models.model_card import ErrorsBy, ModelCard, Row
from onekcal.molecules import SYMBOLS
from onekcal.thermo.ledger import G4MP2_ERROR, G4MP2_SOURCE
from onekcal.trust.conformal import WIDER, coverage
from onekcal.trust.metrics import KCAL, metrics

HAS = {
    "alkene": "C=C",
    "alkyne": "C#C",
    "aromatic, carbon only": "c1ccccc1",
    "aromatic, with N O or S": "[a;!c]",
    "alcohol, enol or phenol": "[OX2H][#6;!$(C=O)]",
    "ether": "[OX2]([#6;!$(C=O)])[#6;!$(C=O)]",
    "aldehyde": "[$([CX3;H1][#6]),$([CX3;H2])]=[OX1]",
    "ketone": "[#6][CX3](=[OX1])[#6]",
    "carboxylic acid": "[CX3](=[OX1])[OX2H]",
    "ester": "[CX3](=[OX1])[OX2][#6]",
    "amide": "[CX3](=[OX1])[NX3]",
    "amine": "[NX3;+0;!$(N-C=[O,N,S]);!$(N-[!#6]);!$(N-C#N)]",
    "imine, amidine or oxime": "[CX3]=[NX2]",
    "nitrile": "[CX2]#[NX1]",
    "nitro": "[NX3+](=O)[O-]",
    "N–N or N–O bond": "[#7]~[#7,#8;!$([O-][N+]=O);!$(O=[N+][O-])]",
    "zwitterion": "[+;!$(*~[-])]",
    "fluorine": "F",
    "sulfur": "[#16]",
    "three-membered ring": "[k3]",
    "four-membered ring": "[k4]",
    "five-membered ring": "[k5]",
    "six-membered ring": "[k6]",
    "atom shared by three rings": "[R3,R4,R5,R6]",
}
"""Functional groups a molecule has (SMARTS); a nitro group's own N–O bonds do not count as such."""
LACKS = {"alkane": "[!#6,$(*=,#,:*)]", "no ring": "[R]"}
"""Classes known by what no atom of the molecule is."""
MOST = 20_000
"""Molecules whose groups are looked at."""
LARGEST = 20
"""Heavy atoms from which on molecules are counted together."""
FEW = 30
"""Molecules below which a row is not held against the model."""
SHORT = 0.03
"""A coverage below the nominal by less than this is not worth a word."""


def errors_by(data: Dataset, predicted: Tensor, half: float) -> ErrorsBy:
    """Errors by heavy atoms and by functional group: count, mae, median, above_1, coverage of ±
    `half`.

    A few kB of JSON: what is not finite is None. `not_perceived` counts molecules whose bonds make
    no sense. Of atoms: by element.
    """
    if data.aim.atomic:
        return {
            "elements": {
                SYMBOLS[z]: _row(data, predicted, half, data.molecules.numbers == z)
                for z in data.molecules.elements
            }
        }
    molecules, heavy = data.molecules, (data.molecules.numbers > 1).to(torch.int64)
    sizes = molecules.sum_atoms(heavy).clamp_max(LARGEST)
    by_size = {
        f"{size}{' or more' if size == LARGEST else ''}": _row(data, predicted, half, sizes == size)
        for size in sizes.unique().tolist()
    }
    members: dict[str, list[int]] = {name: [] for name in (*LACKS, *HAS)}
    unclear = 0
    for m, molecule in enumerate(molecules[:MOST]):
        mol = perceived(
            molecule.numbers.numpy(),
            molecule.positions.numpy(),
            int(molecule.charges[0]),
            int(molecule.spins[0]),
        )
        unclear += mol is None
        for name in () if mol is None else groups(mol):
            members[name].append(m)
    by_group = {name: _row(data, predicted, half, rows) for name, rows in members.items() if rows}
    return {
        "heavy_atoms": by_size,
        "groups": by_group,
        "perceived": min(len(data), MOST) - unclear,
        "not_perceived": unclear,
    }


def groups(mol: Any) -> list[str]:
    """Names out of `LACKS` and `HAS` that an RDKit molecule (hydrogens implicit) answers to."""
    return [
        name for name, pattern, wanted in _patterns() if mol.HasSubstructMatch(pattern) is wanted
    ]


@lru_cache(maxsize=1)
def _patterns() -> list[tuple[str, Any, bool]]:
    from rdkit.Chem import MolFromSmarts

    return [
        (name, MolFromSmarts(smarts), wanted)
        for table, wanted in ((LACKS, False), (HAS, True))
        for name, smarts in table.items()
    ]


def _row(data: Dataset, predicted: Tensor, half: float, which: Any) -> Row:
    reference, predicted = data.energies[which], predicted[which]
    found = metrics(reference, predicted, data.aim.unit)
    inside = (
        coverage(reference, predicted - half, predicted + half) if math.isfinite(half) else math.nan
    )
    digits = 3 if data.aim.unit == KCAL else 6

    def rounded(value: float) -> float | None:
        return round(value, digits) if math.isfinite(value) else None

    return {
        "count": len(reference),
        "mae": rounded(found["mae"]),
        "median": rounded(found["median"]),
        "above_1": rounded(found.get("above_1", math.nan)),
        "coverage": rounded(inside),
    }


def about_data(card: Card) -> dict[str, str]:
    """Title, licence and citation of a data set, as a model card tells them."""
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
    """Errors under one heading."""

    title: str
    rows: list[
        tuple[str, ...]
    ]  # name, molecules, MAE, median, share above 1 kcal/mol, share within the interval


HEADS = ("molecules", "MAE", "median", "above 1", "within")
"""What stands over a table's figures; kcal/mol or the target's unit, shares in per cent."""


def tables(card: ModelCard) -> Iterator[Table]:
    """Errors by kind of geometry, by heavy atoms and by functional group or by element, where a
    card has them.
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
    """`HEADS`, where a model of atoms counts these."""
    return ("atoms", *HEADS[1:]) if "elements" in card.errors_by else HEADS


def _figures(row: Mapping[str, Any], digits: str) -> tuple[str, ...]:
    count = row.get("count")
    lengths = (
        "–" if row.get(key) is None else format(row[key], digits) for key in ("mae", "median")
    )
    shares = (
        "–" if row.get(key) is None else f"{100 * row[key]:.0f} %"
        for key in ("above_1", "coverage")
    )
    return ("–" if count is None else f"{count:,}", *lengths, *shares)


def recipe(card: ModelCard) -> Iterator[tuple[str, str]]:
    """What a model was made of, line by line: stages, data, licence, citation, versions."""
    experiment, about, made = card.experiment, card.data_card, card.made
    if experiment:
        yield "stages", " + ".join(_stage(stage) for stage in experiment["stages"])
    if card.data:
        chosen = experiment.get("data", {})
        told = ", ".join(f"{word} {chosen[word]}" for word in ("target", "split") if word in chosen)
        yield (
            "data",
            card.data
            + (f": {about['title']}" if "title" in about else "")
            + (f"; {told}" if told else ""),
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


def _stage(stage: Any) -> str:
    """A stage by its name; a baseline with what it takes."""
    name, settings = (stage, None) if isinstance(stage, str) else next(iter(stage.items()))
    method = settings.get("method") if isinstance(settings, dict) else settings
    return f"{name} {method}" if method else name


def limits(card: ModelCard, level: str = "") -> Iterator[str]:
    """What is known to be weak, a sentence each."""
    yield (
        "Neutral molecules with closed shells, one at a time: no ions, radicals, complexes or "
        "broken bonds."
    )
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


def _too_short(every: list[tuple[str, Row]], nominal: float) -> Iterator[str]:
    """Molecules that their interval covers less often than promised, beyond what may be chance."""
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


def _largest_errors(every: list[tuple[str, Row]], unit: str) -> Iterator[str]:
    """The three groups of the largest mean errors, of those with an interval."""
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


def markdown(artefact: Artefact, name: str) -> str:
    """The model card as a page of Markdown."""
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
        ("charge, spin", "0, 0"),
    ]
    nominal = card.experiment.get("coverage", 0.9)
    for kind, conformal in artefact.calibration.items():
        half, wider = conformal.radius(nominal), f" {WIDER}" if conformal.by_spread else ""
        scope.append(
            (
                f"{100 * nominal:.0f} % interval, {kind}",
                f"± {half:{digits}} {unit}{wider}"
                if math.isfinite(half)
                else "none: too few molecules to calibrate it",
            )
        )
    taken = [
        stage.about
        for stage in artefact.model.stages
        if isinstance(stage, Baseline) and stage.about
    ]
    within = [
        (
            "carries",
            f"a model of {each['level'] or 'an unknown level'} fitted to {each['data']} "
            f"(SHA-256 {each['digest']})",
        )
        for each in taken
    ]
    parts = [f"# {name}", _two("Scope", scope), _two("Made of", [*recipe(card), *within])]
    if card.errors:
        parts += [
            "## Errors",
            f"Of molecules the model was not fitted to. MAE and median: {unit}; above 1: share of "
            "errors above 1 kcal/mol; within: share within the interval. A molecule counts in "
            "every group it has.",
        ]
    parts += [_wide(table, heads(card)) for table in tables(card)]
    parts.append("## Limits\n\n" + "\n".join(f"- {line}" for line in limits(card, artefact.level)))
    if card.experiment:
        text = yaml.safe_dump(card.experiment, sort_keys=False, allow_unicode=True)
        parts.append(f"## Recipe\n\n```yaml\n{text}```")
    return "\n\n".join(parts) + "\n"


def _two(title: str, rows: list[tuple[str, str]]) -> str:
    return f"## {title}\n\n| | |\n|---|---|\n" + "\n".join(
        f"| {_cell(name)} | {_cell(text)} |" for name, text in rows
    )


def _wide(table: Table, over: tuple[str, ...]) -> str:
    lines = [f"| {table.title} | {' | '.join(over)} |", "|---|" + "---:|" * len(over)]
    return "\n".join(lines + [f"| {' | '.join(map(_cell, row))} |" for row in table.rows])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
