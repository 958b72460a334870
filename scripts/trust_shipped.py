"""What the shipped model doubts, and its battery: results/trust-shipped.json, the page, its table.

    onekcal data get qm9-g4mp2-relaxed
    python scripts/trust_shipped.py        # about four minutes on one core, 3 GB

Ward's hold-out at geometries that were relaxed with GFN2-xTB, which the model was not fitted to.
Signals that look at training molecules see those of the same set; the model was fitted to more.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from onekcal.battery.run import battery, kept
from onekcal.models.shipped import load_model
from onekcal.runs.data_choice import DataChoice
from onekcal.show.pages import trust
from onekcal.signals.compare import compare
from onekcal.signals.subject import of_model
from onekcal.system.files import write_json
from onekcal.system.provenance import provenance

ROOT = Path(__file__).parents[1]
OUT, PAGE = ROOT / "results" / "trust-shipped.json", ROOT / "docs" / "howto" / "trust.md"
HTML = ROOT / "docs" / "figures" / "trust-g4mp2.html"
DATA = {"set": "qm9-g4mp2-relaxed", "target": "g4mp2", "split": "ward"}
NAMES = ("interval", "variance", "novelty", "size")
BEGIN, END = "<!-- trust -->\n", "<!-- end -->"
"""What stands before and behind the table in the page."""


def measure() -> dict[str, Any]:
    """Judge the signals, check the model, and write the page."""
    subject = of_model("g4mp2", DataChoice.model_validate(DATA), fitted=True)
    started = time.process_time()
    outcomes = battery(load_model("g4mp2"))
    seconds = time.process_time() - started
    subject.artefact.card.battery = kept(outcomes)
    (found,) = compare([subject], NAMES)
    trust.save([found], HTML)
    return {
        "title": "signals of the shipped model on Ward's hold-out, and its battery",
        "unit": "kcal/mol",
        "data": DATA,
        **json.loads(json.dumps(found.to_dict())),
        "battery": {"cpu_seconds": round(seconds, 1), **kept(outcomes)},
        "made": dict(provenance()),
    }


def table(results: dict[str, Any]) -> str:
    """Return the table of the page."""
    lines = [
        f"{results['molecules']:,} molecules, MAE {results['mae']:.2f} kcal/mol, "
        f"{100 * results['large']:.1f} % of the errors above 1 kcal/mol.",
        "",
        "| signal | Spearman | AUROC | large errors in the worst tenth | of the way to perfect "
        "| mean ± | it holds |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, row in {**results["signals"], "the true error": results["oracle"]}.items():
        lines.append(
            f"| {name} | {row['spearman']:.2f} | {row['auroc']:.2f} | {100 * row['caught']:.0f} % "
            f"| {100 * row['useful']:.0f} % | {row['width']:.2f} | {100 * row['coverage']:.1f} % |"
        )
    outcomes = [check["passed"] for check in results["battery"]["checks"]]
    lines += [
        "",
        f"{outcomes.count(True)} of {len(outcomes) - outcomes.count(None)} checks of its battery "
        f"pass, in {results['battery']['cpu_seconds']:.0f} CPU seconds.",
    ]
    return "\n".join(lines) + "\n"


def renewed(page: str, results: dict[str, Any]) -> str:
    """Return the text of the page with the table of the results."""
    head, _, rest = page.partition(BEGIN)
    return head + BEGIN + table(results) + END + rest.partition(END)[2]


if __name__ == "__main__":
    measured = measure()
    write_json(OUT, measured)
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8"), measured), encoding="utf-8")
