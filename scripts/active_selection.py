"""Whether a signal needs fewer labels than chance: results/selection.json, and the page's table.

    python scripts/active_selection.py     # about four minutes on one core

From GFN2-xTB to B3LYP on the small part of QM9 that ships: 100 molecules at random, then four times
75 by each signal, and the same with random ones. Test molecules are never chosen.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from onekcal.selection.choose import RANDOM
from onekcal.selection.learn import Plan, learn
from onekcal.system.files import write_json
from onekcal.system.provenance import provenance

ROOT = Path(__file__).parents[1]
OUT, PAGE = ROOT / "results" / "selection.json", ROOT / "docs" / "howto" / "trust.md"
KERNEL = {"sparse_kernel": {"landmarks": 600, "dims": 80, "force_weight": 0.0}}
STAGES: list[Any] = [{"baseline": "gfn2"}, "dressed_atoms", KERNEL]
PLAN = Plan("qm9-small", STAGES, RANDOM, start=100, count=75, rounds=5, test=400, target="b3lyp")
WAYS = (
    (RANDOM, "top"),
    ("variance", "top"),
    ("variance", "drawn"),
    ("novelty", "top"),
)
SEEDS = (0, 1, 2)
BEGIN, END = "<!-- selection -->\n", "<!-- end -->"
"""What stands before and behind the table in the page."""


def measure() -> dict[str, Any]:
    """Learn by every signal with every seed."""
    rows: list[dict[str, Any]] = []
    for by, how in WAYS:
        curves = []
        for seed in SEEDS:
            with tempfile.TemporaryDirectory() as folder:
                plan = replace(PLAN, by=by, how=how, seed=seed)
                points = learn(plan, Path(folder) / "learned")
            curves.append([point.mae for point in points])
            print(by, how, seed, [round(mae, 3) for mae in curves[-1]], flush=True)
        labels = [point.labels for point in points]
        rows.append({"by": by, "how": how, "labels": labels, "mae": curves})
    return {
        "title": "active selection on qm9-small, GFN2-xTB to B3LYP",
        "unit": "kcal/mol",
        "plan": asdict(PLAN),
        "seeds": list(SEEDS),
        "rows": rows,
        "made": dict(provenance()),
    }


def needed(row: dict[str, Any], error: float) -> float:
    """Labels at which the mean curve of a way falls to an error; infinite where it does not."""
    mae, labels = np.mean(row["mae"], 0), np.array(row["labels"])
    below = np.flatnonzero(mae <= error)
    if not len(below):
        return float("inf")
    k = int(below[0])
    if k == 0:
        return float(labels[0])
    share = (mae[k - 1] - error) / (mae[k - 1] - mae[k])
    return float(labels[k - 1] + share * (labels[k] - labels[k - 1]))


def table(results: dict[str, Any]) -> str:
    """Return the table of the page."""
    rows = results["rows"]
    labels = rows[0]["labels"]
    goal = float(np.mean(rows[0]["mae"], 0)[-1])
    lines = [
        f"MAE (kcal/mol) after so many labels, mean of {len(results['seeds'])} seeds; in the last "
        f"column the labels that reach random's {goal:.2f}.",
        "",
        f"| by | {' | '.join(map(str, labels))} | labels needed |",
        "|---|" + "---:|" * (len(labels) + 1),
    ]
    for row in rows:
        name = row["by"] + (", drawn" if row["how"] == "drawn" else "")
        count = needed(row, goal)
        told = f"{count:.0f}" if np.isfinite(count) else f"more than {labels[-1]}"
        cells = " | ".join(f"{mae:.2f}" for mae in np.mean(row["mae"], 0))
        lines.append(f"| {name} | {cells} | {told} |")
    return "\n".join(lines) + "\n"


def renewed(page: str, results: dict[str, Any]) -> str:
    """Return the text of the page with the table of the results."""
    head, _, rest = page.partition(BEGIN)
    return head + BEGIN + table(results) + END + rest.partition(END)[2]


if __name__ == "__main__":
    measured = json.loads(json.dumps(measure()))
    write_json(OUT, measured)
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8"), measured), encoding="utf-8")
