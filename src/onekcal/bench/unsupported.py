"""The check that results belong to the rows of their suites."""

from __future__ import annotations

import json
from pathlib import Path

from onekcal.bench import suite
from onekcal.bench.results import Measured
from onekcal.bench.runner import digest


def unsupported(results: Path) -> list[str]:
    """Find the rows of results that their suite does not support.

    Such a row is of another experiment, of a quick run, or beside another number of the paper.

    Parameters
    ----------
    results
        The folder of results.

    Returns
    -------
    list of str
        One sentence for each row.
    """
    out = []
    for path in sorted(results.glob("*.json")):
        found = json.loads(path.read_text(encoding="utf-8"))
        if found.get("suite") in suite.names():
            there = {row.name: row for row in suite.read(found["suite"]).rows}
            out += [
                f"{path}: {row['name']!r} {why}"
                for row in found["rows"]
                if (why := _against(row, there))
            ]
    return out


def _against(row: Measured, there: dict[str, suite.Row]) -> str:
    """Why a suite does not support a row; empty where it does, and for a failed row."""
    if "failed" in row:
        return ""
    if row["name"] not in there:
        return "is no row of its suite"
    if row.get("budget") == "quick":
        return "is of a quick run; those are kept in results/quick"
    if row["row"] != digest(there[row["name"]]):
        return "is of another experiment than the suite's; run it again"
    if row["paper"] != there[row["name"]].paper:
        return (
            "has another paper's number than the suite; `onekcal bench run` brings it, "
            "and runs nothing again"
        )
    return ""
