"""Dissociation enthalpies on the console and as CSV."""

from __future__ import annotations

import csv
import math
import sys
from collections.abc import Iterable

from rich.markup import escape
from rich.table import Table

from onekcal.prediction.bonds import BrokenBond
from onekcal.prediction.estimate import SHOWN, Unit, per_kcal
from onekcal.show.study import console


def table(bonds: Iterable[BrokenBond]) -> int:
    """Print one line for each kind of bond, and return how many have a value.

    Parameters
    ----------
    bonds
        Kinds of bonds, which are computed as they are printed.
    """
    lines = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("bond", "number"):
        lines.add_column(name)
    for name in ("D(298 K)", "±"):
        lines.add_column(name, justify="right", no_wrap=True)
    lines.add_column("radicals")
    answered, problems, unit, learned = 0, list[str](), "kcal/mol", dict[str, None]()
    for bond in bonds:
        answered += not bond.problem
        unit = bond.unit
        learned |= dict.fromkeys(bond.learned)
        problems += [bond.problem] if bond.problem else []
        lines.add_row(
            bond.bond,
            str(bond.count),
            "–" if bond.problem else _number(bond.enthalpy, bond.unit),
            _number(bond.half, bond.unit) if math.isfinite(bond.half) else "–",
            escape(" + ".join(bond.fragments)),
        )
    console.print(lines, highlight=False)
    if answered:
        console.print(
            f"\n{unit} at 298.15 K; ± adds the errors of the three species as if independent",
            highlight=False,
            style="dim",
        )
    if learned:
        console.print(
            f"radicals of the model, the others of G4(MP2): {escape(', '.join(learned))}; the "
            "model's may be several kcal/mol off (a larger --budget computes more of them)",
            highlight=False,
            style="dim",
        )
    for problem in problems:
        print(f"onekcal: {problem}", file=sys.stderr)
    return answered


def _number(value: float, unit: Unit) -> str:
    """An energy (kcal/mol) in a unit."""
    return f"{value * per_kcal(unit):.{SHOWN[unit]}f}"


def write_csv(bonds: Iterable[BrokenBond]) -> None:
    """Write one row for each kind of bond to standard output.

    Parameters
    ----------
    bonds
        Kinds of bonds.
    """
    writer = None
    for bond in bonds:
        row = bond.to_row()
        if writer is None:
            writer = csv.DictWriter(sys.stdout, list(row))
            writer.writeheader()
        writer.writerow(row)
