"""What `predict --scope` prints: what a model may be asked, and its card."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import get_args

from rich.markup import escape

from onekcal.energies import Kind
from onekcal.models.domain import spelt
from onekcal.models.model_card import ModelCard
from onekcal.prediction.geometry import KINDS
from onekcal.prediction.scope import Scope
from onekcal.runs.card import heads, limits, recipe, tables
from onekcal.show.lines import cut, grid, level_name, plain
from onekcal.show.study import console
from onekcal.trust.conformal import FOLLOWS, WIDER

FITTED = {
    "gfn2": "minima of GFN2-xTB",
    "b3lyp": "minima of B3LYP/6-31G(2df,p)",
    "data": "geometries as given",
}
"""What geometries a model was fitted to."""
LONG = 8
"""Entries of a model card's table beyond which it is not printed."""
SHOWN = (
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
"""Entries of a model card that sentences and tables show."""


def scope(model: str, found: Scope) -> None:
    """Print what a model may be asked, and its card.

    Parameters
    ----------
    model
        The name it was asked for by.
    found
        What `onekcal.prediction.scope.scope` says of it.
    """
    interval = f"{100 * found['coverage']:.0f} % interval"
    energy = found["kind"] in get_args(Kind)
    unit, digits = found["unit"], ".2f" if energy else ".3g"
    heavy = f", {found['heavy']} of them heavy" if found["heavy"] else ", hydrogens counted"
    rows = [
        ("energy", f"{level_name(found['level'])}, {found['kind']}, {found['at']}, {unit}")
        if energy
        else (found["kind"], f"{level_name(found['level'])}, {unit}"),
        ("elements", " ".join(found["elements"])),
        ("size", f"up to {found['largest']} atoms{heavy}"),
        ("charge", spelt(found["charges"])),
        ("unpaired", f"{'up to ' if found['spin'] else ''}{found['spin']} electrons"),
        ("fitted at", FITTED.get(found["geometry"], found["geometry"])),
    ]
    for kind, half in found["intervals"].items():
        width = "none, too few to calibrate" if half is None else f"± {half:{digits}} {unit}"
        follows = kind in found["by_traits"]
        wider = (
            f"; {FOLLOWS if follows else WIDER}" if follows or kind in found["by_rivalry"] else ""
        )
        own = kind == found["geometry"] == "b3lyp"  # the rung computes its minimum
        said = "its minimum of B3LYP, computed or kept" if own else KINDS.get(kind, "")
        rows.append((interval, f"{width}  {kind:6s}  {said}{wider}"))
    if found["novelty_limit"] is not None:
        rows.append(("novelty", f"at most {found['novelty_limit']:.3g}"))
    console.print(f"[bold]{escape(model)}[/]\n", highlight=False)
    grid(rows)
    console.print()
    _card(found)


def _card(found: Scope) -> None:
    """Print what a model was made of and where it errs; other entries of the card, a line each."""
    card = ModelCard.of(found["card"])
    if not card:
        return
    plain("model card", "bold")
    grid(recipe(card))
    grid(_flat({key: value for key, value in card.to_dict().items() if key not in SHOWN}))
    for table in tables(card):
        plain(f"\n{table.title:28s}" + "".join(f"{head:>11s}" for head in heads(card)), "bold")
        for name, *figures in table.rows:
            plain(f"{cut(name, 28):28s}" + "".join(f"{figure:>11s}" for figure in figures))
    if card.errors:
        unit = card.unit or "kcal/mol"
        plain(
            f"{unit}; above 1: share of errors above 1 kcal/mol; within: share within the "
            "interval\n",
            "dim",
        )
        weak = limits(card, found["level"], found["charges"], found["spin"])
        grid(("limits" if k == 0 else "", line) for k, line in enumerate(weak))


def _flat(card: Mapping[str, object], before: str = "") -> Iterator[tuple[str, str]]:
    """Entries of a card, a line each: nested ones by their path, long ones by their size."""
    for key, value in card.items():
        name = f"{before}{key}"
        if isinstance(value, dict) and len(value) <= LONG:
            yield from _flat(value, f"{name} · ")
        elif isinstance(value, (dict, list)):
            yield name, f"{len(value)} entries; --json prints them"
        else:
            yield name, f"{value:.4g}" if isinstance(value, float) else str(value)
