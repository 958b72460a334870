"""What the campaigns counted and found: results/reliability.json and the tables of its page.

python scripts/robustness/record.py        # writes the tables anew
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from onekcal.system.files import write_json
from onekcal.system.locks import folder_lock
from onekcal.system.provenance import provenance

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from robustness.mended import MENDED

ROOT = Path(__file__).parents[2]
OUT, PAGE = ROOT / "results" / "reliability.json", ROOT / "docs" / "guides" / "reliability.md"
SUMS = ("inputs", "read", "refused", "seconds", "kills", "rounds", "mutants", "killed")
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
    with folder_lock(OUT.parent):
        kept = results()
        rows: list[dict[str, Any]] = kept.setdefault(campaign, {}).setdefault("rows", [])
        old = next((one for one in rows if one["name"] == row["name"]), None)
        if old is None:
            rows.append(row)
        elif campaign == "mutants":  # of today's code and tests
            rows[rows.index(old)] = row
        else:
            for key in SUMS:
                if key in row:
                    old[key] = round(old.get(key, 0) + row[key], 1)
            for what, count in row["findings"].items():
                old["findings"][what] = old["findings"].get(what, 0) + count
        kept[campaign]["made"] = dict(provenance())
        kept["mended"] = [one._asdict() for one in MENDED]
        write_json(OUT, kept)


# --- the page ---------------------------------------------------------------------------------

END = "<!-- end -->"
HEADS = {
    "fuzz": ("reader", "inputs", "a second", "read", "refused in one line", "open findings"),
    "kills": ("verb", "kills", "brought to the end", "open findings"),
    "mutants": ("file", "mutants", "noticed by a test", "not noticed"),
    "mended": ("found by", "what happened", "what happens now", "test"),
}


def _lines(campaign: str, kept: dict[str, Any]) -> list[tuple[object, ...]]:
    if campaign == "mended":
        return [
            (one["campaign"], one["what"], one["now"], f"`{one['test'].rpartition('::')[2]}`")
            for one in kept["mended"]
        ]
    rows = kept.get(campaign, {}).get("rows", [])
    if campaign == "fuzz":
        lines = [
            (r["name"], r["inputs"], _speed(r), r["read"], r["refused"], _open(r)) for r in rows
        ]
    elif campaign == "kills":
        lines = [(r["name"], r["kills"], r["rounds"], _open(r)) for r in rows]
    else:
        return [(r["name"], r["mutants"], r["killed"], _open(r)) for r in rows]
    if not lines:
        return []
    sums = list(map(sum, list(zip(*lines))[1:-1]))
    if campaign == "fuzz":
        sums[1] = _speed({key: sum(row[key] for row in rows) for key in ("inputs", "seconds")})
    return [*lines, ("together", *sums, "")]


def _speed(row: dict[str, Any]) -> int:
    """Inputs a second of one core, its beginning included."""
    return round(row["inputs"] / row["seconds"])


def _open(row: dict[str, Any]) -> str:
    return "; ".join(f"{what} ({count})" for what, count in row["findings"].items()) or "none"


def table(campaign: str, kept: dict[str, Any]) -> str:
    """Return the table of a campaign."""
    rows = [HEADS[campaign], ("---",) * len(HEADS[campaign]), *_lines(campaign, kept)]
    cells = [[f"{c:,}" if isinstance(c, int) else str(c) for c in row] for row in rows]
    return "".join(f"| {' | '.join(row)} |\n" for row in cells)


def renewed(page: str, kept: dict[str, Any]) -> str:
    """Return the text of the page with the tables of the results."""
    for campaign in HEADS:
        begin = f"<!-- {campaign} -->\n"
        head, found, rest = page.partition(begin)
        if found:
            page = head + begin + table(campaign, kept) + END + rest.partition(END)[2]
    return page


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8"), results()), encoding="utf-8")
