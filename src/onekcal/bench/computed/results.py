"""results/g4mp2-computed.json: every species, and rows that sum them up."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, TypedDict, cast

import numpy as np

from onekcal.bench.computed.cases import SETS, Set
from onekcal.bench.computed.measure import Record
from onekcal.bench.results import Line
from onekcal.bench.results_file import stored, write
from onekcal.system.locks import folder_lock

NAME = "g4mp2-computed"
OUTLIER = 4.0
"""kcal/mol; species farther from experiment are listed."""
LEAST = 5
"""Species with an element, so that its share of the differences is listed."""


class Row(TypedDict, total=False):
    """A line of the tables; kcal/mol."""

    name: str
    """Its table, a colon, and what it is about."""
    species: int
    failed: int
    median: float
    """Of absolute differences, as are the mean, the largest and ninety."""
    mean: float
    largest: float
    ninety: float
    published: float
    """The mean deviation of the published energies of the same species."""
    share: float
    """What one atom adds to ours minus published."""
    deviation: float
    published_deviation: float


class Results(TypedDict):
    """The file."""

    suite: str
    title: str
    cite: str
    unit: str
    rows: list[Row]
    core_hours: float
    species: dict[Set, list[Record]]


def path_in(results: Path) -> Path:
    """Return the file in a folder of results."""
    return results / f"{NAME}.json"


def known(results: Path) -> dict[Set, list[Record]]:
    """Read the species that have a result.

    Parameters
    ----------
    results
        The folder of results.
    """
    there = cast(Results, stored(path_in(results))).get("species", {})
    return {name: there.get(name, []) for name in SETS}


def keep(results: Path, name: Set, records: Iterable[Record]) -> Results:
    """Bring species into the results; other processes may write there too.

    Parameters
    ----------
    results
        The folder of results.
    name
        The set of the species.
    records
        They replace earlier ones of the same species.
    """
    with folder_lock(results):
        species = known(results)
        new = {record["row"]: record for record in records}
        species[name] = sorted(
            [one for one in species[name] if one["row"] not in new] + [*new.values()],
            key=lambda one: (one["heavy"], one["row"]),
        )
        content = summed_up(species)
        write(path_in(results), content)
    return content


def summed_up(species: dict[Set, list[Record]]) -> Results:
    """Return the content of the file for these species."""
    every = [one for records in species.values() for one in records]
    return {
        "suite": NAME,
        "title": "Computed G4(MP2) beside published energies and experiment",
        "cite": "Curtiss, Redfern, Raghavachari, J. Chem. Phys. 127, 124105 (2007)",
        "unit": "kcal/mol",
        "rows": [
            *_published(species),
            *_shares(species["g305"], "share"),
            *_shares(species.get("ppe", []), "zero"),
            *_experiment(species),
        ],
        "core_hours": round(sum(one.get("core_seconds", 0.0) for one in every) / 3600, 2),
        "species": species,
    }


def _published(species: dict[Set, list[Record]]) -> list[Row]:
    """How far each set lies from its published numbers."""
    own = [one for one in species["qm9"] if "zero_point" in one]
    given = [one for one in species["qm9"] if "zero_point" not in one]
    some = {
        "QM9-G4MP2, published zero-point energies": given,
        "QM9-G4MP2, zero-point energies computed here": own,
        "QM9's zero-point energies": species["zero-points"],
        "G3/05, computed with another program": species["g305"],
        "G4's ΔfH(298 K), radicals and ions": species["ions"],
    }
    rows: list[Row] = []
    for name, records in some.items():
        sizes = np.abs([one["difference"] for one in records if "difference" in one])
        if len(sizes):
            rows.append(
                {
                    "name": f"published: {name}",
                    "species": len(sizes),
                    "failed": len(records) - len(sizes),
                    "median": round(float(np.median(sizes)), 4),
                    "mean": round(float(sizes.mean()), 4),
                    "largest": round(float(sizes.max()), 4),
                }
            )
    return rows


def _shares(records: list[Record], table: str) -> list[Row]:
    """The differences from published energies as a sum over atoms, by least squares."""
    good = [one for one in records if "difference" in one]
    atoms = [_atoms(one["formula"]) for one in good]
    inside, often = list(range(len(good))), sorted({symbol for one in atoms for symbol in one})
    while rare := {e for e in often if sum(e in atoms[k] for k in inside) < LEAST}:
        often = [e for e in often if e not in rare]
        inside = [k for k in inside if not rare & set(atoms[k])]
    if len(inside) <= len(often):
        return []
    counts = np.array([[atoms[k].get(e, 0) for e in often] for k in inside], dtype=float)
    target = np.array([good[k]["difference"] for k in inside])
    shares = np.linalg.lstsq(counts, target, rcond=None)[0]
    left = np.abs(target - counts @ shares)
    rows: list[Row] = [
        {
            "name": f"{table}: {symbol}",
            "species": int((counts[:, k] > 0).sum()),
            "share": round(float(shares[k]), 3),
        }
        for k, symbol in enumerate(often)
    ]
    rest: Row = {
        "name": f"{table}: what they leave",
        "species": len(inside),
        "mean": round(float(left.mean()), 4),
        "largest": round(float(left.max()), 4),
    }
    return [*rows, rest]


def _atoms(formula: str) -> dict[str, int]:
    """Symbol → number of atoms."""
    return {symbol: int(n or 1) for symbol, n in re.findall(r"([A-Z][a-z]?)(\d*)", formula)}


def _experiment(species: dict[Set, list[Record]]) -> list[Row]:
    """Deviations from experiment by class, and the species that lie farthest."""
    compared = [one for one in species["g305"] if "deviation" in one]
    groups = {
        kind: [one for one in compared if one["class"] == kind]
        for kind in sorted({one["class"] for one in compared})
    }
    groups["all of G3/05 with up to six heavy atoms"] = compared
    groups["those with Br"] = [one for one in compared if "Br" in _atoms(one["formula"])]
    others = [one for one in species["ions"] if "deviation" in one]
    groups["ions"] = [one for one in others if one["charge"]]
    groups["radicals of another set"] = [one for one in others if not one["charge"]]
    rows: list[Row] = [
        {"name": f"experiment: {kind}", **_deviations(some)}
        for kind, some in groups.items()
        if some
    ]
    far = sorted(
        (one for one in compared if abs(one["deviation"]) > OUTLIER),
        key=lambda one: -abs(one["deviation"]),
    )
    return rows + [
        {
            "name": f"far: {one['formula']}",
            "deviation": one["deviation"],
            "published_deviation": one["published_deviation"],
        }
        for one in far
    ]


class Sizes(NamedTuple):
    """How far some numbers lie from 0, kcal/mol."""

    mean: float
    ninety: float
    """The size that nine in ten further ones stay below."""


def deviations_of(some: Sequence[float]) -> Sizes:
    """Sum up deviations.

    Parameters
    ----------
    some
        kcal/mol.
    """
    sizes = np.sort(np.abs(some))
    rank = min(math.ceil(0.9 * (len(sizes) + 1)), len(sizes)) - 1
    return Sizes(float(sizes.mean()), float(sizes[rank]))


def _deviations(some: list[Record]) -> Row:
    found = deviations_of([one["deviation"] for one in some])
    published = [abs(one["published_deviation"]) for one in some]
    return {
        "species": len(some),
        "mean": round(found.mean, 3),
        "published": round(float(np.mean(published)), 3),
        "ninety": round(found.ninety, 3),
    }


HEADS = {
    "species": "species",
    "failed": "failed",
    "median": "median",
    "mean": "mean",
    "published": "mean of the published energies",
    "ninety": "90 % are within",
    "largest": "largest",
    "share": "an atom adds",
    "deviation": "ours",
    "published_deviation": "published",
}


def lines(rows: list[Row]) -> list[Line]:
    """Return rows as a table.

    Parameters
    ----------
    rows
        Those of one table, or all.

    Returns
    -------
    list
        Head of the column → text, the same heads in each line.
    """
    heads = [key for key in HEADS if any(key in row for row in rows)]
    if not any(row.get("failed") for row in rows):
        heads = [key for key in heads if key != "failed"]
    return [
        {"row": row["name"].partition(": ")[2]} | {HEADS[k]: _text(k, row.get(k)) for k in heads}
        for row in rows
    ]


def _text(key: str, value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, int):
        return f"{value:,}"
    sign = "+" if key in ("share", "deviation", "published_deviation") else ""
    return f"{value:{sign}.{3 if key in ('median', 'share') else 2}f}"
