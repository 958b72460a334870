"""Many cheap labels below few dear ones: results/multi-fidelity.json.

    python scripts/multi_fidelity.py --runs runs     # half an hour of one core, 7 GB

B3LYP energies of 105,508 molecules of QM9-G4MP2 train a model. 1,000 or 10,000 G4(MP2) energies of
molecules that it did not see then train what G4(MP2) adds to its answer. Beside it stand the same
G4(MP2) energies alone, and those on top of B3LYP energies that somebody computed. The errors are
those on Ward's hold-out, which neither model saw.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from onekcal.bench.results import Measured
from onekcal.bench.runner import run
from onekcal.bench.suite import Row, Suite

LOW = "B3LYP, 105,508 labels"
TITLE = "Few G4(MP2) labels of QM9-G4MP2, with and without a model of many B3LYP labels below"
RIDGE = {"density_ridge": {"densities": 300, "regularization": [0.01, 0.1, 1.0, 10.0, 100.0]}}
KEPT = 11_724
"""Molecules that the low model chooses λ on, and whose G4(MP2) energies the others learn."""


def low_row(smaller: int | None) -> Row:
    """The model of B3LYP energies."""
    data: dict[str, Any] = {"set": "qm9-g4mp2", "target": "b3lyp", "split": "ward", "valid": KEPT}
    if smaller:
        data["train"] = smaller
    return Row(
        name=LOW, experiment={"name": "low", "data": data, "stages": ["dressed_atoms", RIDGE]}
    )


def high_rows(split: Path, low: Path) -> list[Row]:
    """1,000 and 10,000 G4(MP2) labels on top of nothing, of the low model, and of B3LYP itself."""
    rows = []
    for count, valid in ((1_000, 200), (10_000, 1_000)):
        data = {
            "set": "qm9-g4mp2",
            "target": "g4mp2",
            "split": str(split),
            "train": count,
            "valid": valid,
        }
        below: list[tuple[str, list[Any]]] = [
            ("alone", []),
            ("on a model of B3LYP", [{"baseline": f"model:{low}"}]),
            ("on computed B3LYP", [{"baseline": "b3lyp"}]),
        ]
        rows += [
            Row(
                name=f"G4(MP2), {count:,} labels, {name}",
                experiment={"data": data, "stages": [*base, "dressed_atoms", RIDGE]},
            )
            for name, base in below
        ]
    return rows


def main() -> None:
    ask = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ask.add_argument("--runs", type=Path, required=True, help="where the run folders are kept")
    ask.add_argument("--results", type=Path, default=Path("results"))
    ask.add_argument("--smaller", type=int, help="molecules of the low model, for a trial")
    asked = ask.parse_args()
    runs = asked.runs
    suite = Suite(name="multi-fidelity", title=TITLE, rows=[low_row(asked.smaller)])
    low = runs / "low"
    run(suite, asked.results, again=not low.is_dir(), runs=runs, watch=tell)
    parts = np.load(low / "split.npz")
    split = runs / "not-seen.npz"
    np.savez(split, train=parts["valid"], valid=parts["valid"][:0], test=parts["test"])
    suite.rows += high_rows(split, low)
    run(suite, asked.results, runs=runs, watch=tell)


def tell(name: str, result: Measured | None) -> None:
    """Say which row begins, and what came out."""
    print(name, (result and result.get("ours", result)) or "…", flush=True)


if __name__ == "__main__":
    main()
