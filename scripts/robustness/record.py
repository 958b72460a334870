"""What the campaigns found: results/reliability.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from onekcal.system.files import write_json
from onekcal.system.provenance import provenance

ROOT = Path(__file__).parents[2]
OUT = ROOT / "results" / "reliability.json"
SUMS = ("inputs", "read", "refused", "seconds", "kills", "mutants", "killed")
"""What adds up over several parts of a campaign."""


def results() -> dict[str, Any]:
    """Return the results so far."""
    if not OUT.is_file():
        return {"title": "Campaigns that try to break onekcal", "unit": "counts"}
    return json.loads(OUT.read_text(encoding="utf-8"))


def add(campaign: str, row: dict[str, Any]) -> None:
    """Add what a part of a campaign counted to the row of this name.

    Parameters
    ----------
    campaign
        "fuzz", "kills" or "mutants".
    row
        Its `name`, counts, and `findings` by what they are.
    """
    kept = results()
    rows: list[dict[str, Any]] = kept.setdefault(campaign, {}).setdefault("rows", [])
    old = next((one for one in rows if one["name"] == row["name"]), None)
    if old is None:
        rows.append(row)
    else:
        for key in SUMS:
            if key in row:
                old[key] = round(old.get(key, 0) + row[key], 1)
        for what, count in row["findings"].items():
            old["findings"][what] = old["findings"].get(what, 0) + count
    kept[campaign]["made"] = dict(provenance())
    write_json(OUT, kept)
