"""Predictions as a user reads them: the whole ledger of one molecule, a line each of many, CSV and
JSON as they come.
"""

from __future__ import annotations

import csv
import json
import math
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

import numpy as np
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from onekcal.energies import Kind
from onekcal.errors import InputError, unknown
from onekcal.models.model_card import ModelCard
from onekcal.prediction.answers import Answer, Spread
from onekcal.prediction.geometry import KINDS
from onekcal.show.study import console
from onekcal.thermo.ledger import G4MP2_ERROR
from onekcal.units import KJ

if TYPE_CHECKING:
    from onekcal.data.dataset import Dataset

WIDTH = 100
"""Columns."""
SUM = "sum of the lines above"
"""How a ledger marks its results."""
FITTED = {"gfn2": "minima of GFN2-xTB", "data": "geometries as given"}
"""What geometries a model was fitted to."""
LONG = 8
"""Entries of a model card's table beyond which it is not printed."""
TOLD = (
    "data",
    "data_card",
    "digest",
    "experiment",
    "train",
    "valid",
    "refit",
    "heavy_atoms",
    "errors",
    "errors_by",
    "made",
    "unit",
)
"""Entries of a model card that are told in sentences and tables."""


# --- one molecule -----------------------------------------------------------------------------


def one(answer: Answer) -> None:
    """Everything known of one molecule."""
    names = dict.fromkeys(filter(None, (answer.label, answer.formula, answer.smiles)))
    console.print(
        "   ".join(
            f"[bold]{escape(name)}[/]" if k == 0 else escape(name) for k, name in enumerate(names)
        ),
        highlight=False,
    )
    sources: list[str] = []
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("", min_width=46)
    for name in ("kcal/mol", "±", "kJ/mol", "source"):
        table.add_column(name, justify="right", no_wrap=True)
    for line in _lines(answer):
        if line.source and line.source not in sources:
            sources.append(line.source)
        table.add_row(
            escape(line.label if line.result else f"  {line.label}"),
            _number(line.value),
            "" if line.error is None else f"{line.error:.2f}",
            _number(line.value / KJ) if line.result else "",
            f"[not bold dim]\\[{sources.index(line.source) + 1}]" if line.source else "",
            style="bold" if line.result else "",
        )
    console.print("", table, "", sep="\n", highlight=False)
    _grid(_about(answer))
    console.print()
    _grid((f"[{k}]", source) for k, source in enumerate(sources, 1))


class Line(NamedTuple):
    """One line of the ledger as shown."""

    label: str
    value: float  # kcal/mol
    error: float | None
    source: str
    result: bool = False


def _lines(answer: Answer) -> Iterator[Line]:
    """The ledger's lines; an energy that is the only term of its sum takes the place of the sum."""
    half = answer.half if answer.half and math.isfinite(answer.half) else None
    if answer.ledger is None:
        yield Line(
            _energy_name(answer),
            answer.energy,
            half,
            answer.level or "level of theory not stated",
            True,
        )
        return
    learned = answer.ledger.terms[0]
    alone = len([term for term in answer.ledger.terms if term.section == "atomization"]) == 1
    for term in answer.ledger.rows():
        if term.source == SUM:
            source = learned.source if alone and term.section == "atomization" else ""
            yield Line(term.label, term.value, half, source, True)
        elif term.section != "remark" and not (alone and term is learned):
            signed = term.label if term.label[0] in "+−" else f"+ {term.label}"
            yield Line(signed, term.value, term.uncertainty, term.source)


def _energy_name(answer: Answer) -> str:
    what = (
        "energy relative to free atoms" if answer.kind == "atomization" else f"{answer.kind} energy"
    )
    return f"{what}, {answer.at}"


def _about(answer: Answer) -> Iterator[tuple[str, str]]:
    """Interval, method, conformers, geometry and remarks, in words."""
    level = _level(answer.level)
    if math.isfinite(answer.half) and answer.half:
        ends = {} if answer.ledger is None else dict(answer.ledger.totals)
        head = f"{100 * answer.coverage:.0f} % interval"
        for name, value in (ends or {_energy_name(answer): answer.energy}).items():
            span = f"{_number(value - answer.half)} … {_number(value + answer.half)}"
            yield head, f"{span:20s} {name}"
            head = ""
        yield "", f"kcal/mol, of the model against {level}; the other terms have their own ±"
    for term in answer.ledger.terms if answer.ledger else ():
        if term.section == "remark" and answer.half:
            yield (
                f"{level} itself",
                f"± {term.uncertainty:.2f} kcal/mol against experiment; {term.source}",
            )
    if answer.made:
        yield "geometry", answer.made
    if answer.conformers is not None:
        yield "conformers", _conformers(answer.conformers)
    if answer.novelty is not None:
        yield "novelty", f"{answer.novelty:.3g}"
    for name, values in answer.terms.items():
        yield name, "  ".join(f"{value:.4g}" for value in values)
    for remark in answer.remarks:
        yield "remark", remark


def _conformers(found: Spread) -> str:
    others = found.relative[1:]
    if not len(others):
        return f"one distinct among {found.embedded} tried"
    above = ", ".join(f"{energy:.2f}" for energy in others[:8]) + (", …" if len(others) > 8 else "")
    return (
        f"{len(others) + 1} distinct among {found.embedded} tried, spread {found.largest:.2f} "
        "kcal/mol (GFN2-xTB); the "
        f"lowest is taken, others {above} above"
    )


def _grid(rows: Iterable[tuple[str, str]]) -> None:
    """Names and text side by side, the text folded at `WIDTH`."""
    rows = list(rows)
    margin = max((len(name) for name, _ in rows), default=0) + 2
    for name, text in rows:
        for k, piece in enumerate(
            wrap(text, min(WIDTH, console.width) - margin, break_long_words=False) or [""]
        ):
            line = Text(f"{name if k == 0 else '':{margin}s}", style="dim") + Text(
                piece, style="not dim"
            )
            console.print(line, highlight=False, soft_wrap=True)


def _level(level: str) -> str:
    return "G4(MP2)" if level.lower() in ("g4mp2", "g4(mp2)") else level or "its reference"


def _number(value: float, digits: int = 2) -> str:
    return f"{value:.{digits}f}".replace("-", "−")


# --- many molecules ---------------------------------------------------------------------------


def table(answers: Iterable[Answer]) -> None:
    """A line a molecule, printed as they come; one molecule alone is shown whole."""
    answers = (answer for answer in answers if not answer.problem)
    first, second = next(answers, None), next(answers, None)
    if first is None:
        return
    if second is None:
        one(first)
        return
    ledgers = first.at == "0 K" and first.kind == "atomization"
    heats = f"  {'ΔfH(0 K)':>9s}  {'ΔfH(298 K)':>10s}" if ledgers else ""
    interval = f"{100 * first.coverage:.0f} % interval"
    _print(
        f"{'molecule':22s}  {'formula':11s}  {first.kind:>11s}  {interval:>19s}{heats}  {'±':>5s}",
        "bold",
    )
    made: Counter[str] = Counter()
    for answer in chain([first, second], answers):
        _line(answer, ledgers)
        made[answer.made] += 1
    _print(
        f"kcal/mol; ±: half of the {interval} against {_level(first.level)} ({first.at})"
        + (f", whose own error is ± {G4MP2_ERROR}" if _level(first.level) == "G4(MP2)" else ""),
        "dim",
    )
    for how, number in made.items():
        if how:
            _print(f"{number} geometr{'y' if number == 1 else 'ies'} {how}", "dim")


def _line(answer: Answer, ledgers: bool) -> None:
    found = answer.ledger
    ends, half = f"{_number(answer.lower)} … {_number(answer.upper)}", f"{answer.half:.2f}"
    if not math.isfinite(answer.half):
        ends, half = "none", "–"
    elif not answer.half:
        ends = "exact"
    words = [
        f"{_cut(answer.label, 22):22s}",
        f"{_cut(answer.formula, 11):11s}",
        f"{_number(answer.energy):>11s}",
        f"{ends:>19s}",
    ]
    if ledgers:
        heats = (
            ("–", "–")
            if found is None
            else (_number(found.formation_0), _number(found.formation_298))
        )
        words += [f"{heats[0]:>9s}", f"{heats[1]:>10s}"]
    _print("  ".join([*words, f"{half:>5s}"]))
    for remark in answer.remarks:
        _print(f"  ↳ {remark}", "dim")


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _print(text: str, style: str = "") -> None:
    """Text as it is: no colouring of numbers, no markup, no folding."""
    console.print(Text(text, style=style), highlight=False, soft_wrap=True)


# --- for machines -----------------------------------------------------------------------------


def write_json(answers: Iterable[Answer]) -> None:
    """One array on stdout, written as the answers come."""
    before = "[\n"
    for answer in answers:
        print(
            before + json.dumps(answer.to_dict(), ensure_ascii=False, allow_nan=False),
            end="",
            flush=True,
        )
        before = ",\n"
    print("\n]" if before == ",\n" else "[]")


def write_csv(answers: Iterable[Answer]) -> None:
    """Rows on stdout, as the answers come."""
    out = csv.DictWriter(sys.stdout, fieldnames=list(Answer("").to_row()), lineterminator="\n")
    out.writeheader()
    for answer in answers:
        out.writerow(answer.to_row())
        sys.stdout.flush()


def with_geometries(answers: Iterable[Answer], path: Path) -> Iterator[Answer]:
    """The same answers; each geometry goes to `path` (xyz, extxyz, sdf) as it passes, extxyz with
    energy and forces.
    """
    from onekcal.io.writing import WRITERS

    ending = path.suffix.lower().removeprefix(".")
    if ending not in WRITERS:
        unknown("format to write geometries in:", ending or path.name, WRITERS)
    if not path.parent.is_dir():
        raise InputError(f"no folder {path.parent} to write {path.name} in")
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for answer in answers:
            try:
                file.writelines(
                    () if answer.molecule is None else WRITERS[ending](_dataset(answer))
                )
            except InputError as problem:  # an sdf needs bonds, which not every geometry shows
                answer = replace(
                    answer, remarks=(*answer.remarks, f"geometry not written: {problem}")
                )
            yield answer


def _dataset(answer: Answer) -> Dataset:
    import torch

    from onekcal.data.dataset import Column, Dataset

    assert answer.molecule is not None
    meaning: dict[str, Any] = {"level": answer.level, "kind": answer.kind, "at": answer.at}
    columns = {"energy": Column(torch.tensor([answer.energy], dtype=torch.float64), **meaning)}
    if answer.forces is not None:
        columns["energy_forces"] = Column(
            torch.from_numpy(answer.forces), "forces", answer.level, unit="kcal/mol/Å"
        )
    return Dataset(replace(answer.molecule, name=np.array([answer.label])), columns, "energy")


def scope(model: str, found: dict[str, Any]) -> None:
    """What a model may be asked."""
    from onekcal.trust.conformal import WIDER

    interval = f"{100 * found['coverage']:.0f} % interval"
    energy = found["kind"] in get_args(Kind)
    unit, digits = found["unit"], ".2f" if energy else ".3g"
    heavy = f", {found['heavy']} of them heavy" if found["heavy"] else ", hydrogens counted"
    rows = [
        ("energy", f"{_level(found['level'])}, {found['kind']}, {found['at']}, {unit}")
        if energy
        else (found["kind"], f"{_level(found['level'])}, {unit}"),
        ("elements", " ".join(found["elements"])),
        ("size", f"up to {found['largest']} atoms{heavy}"),
        ("charge", "0"),
        ("unpaired", "0 electrons"),
        ("fitted at", FITTED.get(found["geometry"], found["geometry"])),
    ]
    for kind, half in found["intervals"].items():
        width = "none, too few to calibrate" if half is None else f"± {half:{digits}} {unit}"
        wider = f"; {WIDER}" if kind in found["by_spread"] else ""
        rows.append((interval, f"{width}  {kind:6s}  {KINDS.get(kind, '')}{wider}"))
    if found["novelty_limit"] is not None:
        rows.append(("novelty", f"at most {found['novelty_limit']:.3g}"))
    console.print(f"[bold]{escape(model)}[/]\n", highlight=False)
    _grid(rows)
    console.print()
    _card(ModelCard.of(found["card"]), found["level"])


def _card(card: ModelCard, level: str) -> None:
    """What a model was made of and where it errs; what the card holds besides, a line each."""
    from onekcal.runs.card import heads, limits, recipe, tables

    if not card:
        return
    _print("model card", "bold")
    _grid(recipe(card))
    _grid(_flat({key: value for key, value in card.to_dict().items() if key not in TOLD}))
    for table in tables(card):
        _print(f"\n{table.title:28s}" + "".join(f"{head:>11s}" for head in heads(card)), "bold")
        for name, *figures in table.rows:
            _print(f"{_cut(name, 28):28s}" + "".join(f"{figure:>11s}" for figure in figures))
    if card.errors:
        unit = card.unit or "kcal/mol"
        _print(
            f"{unit}; above 1: share of errors above 1 kcal/mol; within: share within the "
            "interval\n",
            "dim",
        )
        _grid(("limits" if k == 0 else "", line) for k, line in enumerate(limits(card, level)))


def _flat(card: dict[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Figures of a card, a line each; tables within tables by their path, long ones by
    their size.
    """
    for key, value in card.items():
        name = f"{before}{key}"
        if isinstance(value, dict) and len(value) <= LONG:
            yield from _flat(value, f"{name} · ")
        elif isinstance(value, (dict, list)):
            yield name, f"{len(value)} entries; --json prints them"
        else:
            yield name, f"{value:.4g}" if isinstance(value, float) else str(value)
