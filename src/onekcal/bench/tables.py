"""Tables of README and docs are generated from results/*.json; nothing in them is typed by hand.

A page asks for a table with a pair of comments, optionally with words the row names must contain:

    <!-- results: qm7-classical -->
    <!-- end -->

`papers` is the table of all papers' main rows (bench.papers).
"""

from __future__ import annotations

import json
import math
import os
import re
from pathlib import Path
from typing import Any

from onekcal.bench import curves, suite
from onekcal.bench.runner import digest
from onekcal.errors import DataError
from onekcal.trust.metrics import KCAL

BLOCK = re.compile(r"(<!-- results: (?P<suite>[\w-]+)(?: (?P<only>[^>]*?))? -->\n)(?P<table>.*?)(<!-- end -->)", re.S)


def rows(found: dict[str, Any]) -> list[dict[str, Any]]:
    """What a table shows of a suite's results: text, one dict a row."""
    if found.get("suite") == "speed":
        return [line for row in found["rows"] for line in _contests(row)]
    if found.get("suite") == "families":
        return _costs(found["rows"])
    if found["rows"] and all(row.get("curve") for row in found["rows"]):
        return curves.table(found)
    out = []
    for row in found["rows"]:
        if "failed" in row:
            out.append({"row": row["name"], "paper MAE": _number(row["paper"].get("mae")), "MAE": "failed"})
            continue
        out.append(_line(row, marked(row), row["ours"], row["paper"]))
        for kind in dict.fromkeys(key.partition(": ")[0] for key in row["ours"] if ": " in key):
            named = f"{kind}: "
            errors = {key.removeprefix(named): value for key, value in row["ours"].items() if key.startswith(named)}
            out.append(_line(row, f"{marked(row)}, {kind} geometry", errors, {}))
    for curve in curves.of(found):
        if beyond := curve.beyond():
            quick = any(row.get("budget") == "quick" for row in found["rows"] if row.get("curve") == curve.name)
            mark = " (quick)" if quick else ""
            out.append({"row": f"{curve.name}, extrapolated by N^−{curve.b:.2f}{mark}", "train": f"({beyond[0]:,})",
                        "paper MAE": _number(curve.paper[beyond[0]]), "MAE": f"({_number(beyond[1])})"})
    empty = [head for head in OPTIONAL if all(line.get(head, "–") == "–" for line in out)]
    heads = [head for head in max(out, key=len, default={}) if head not in empty]  # a failed row says little
    return [{head: line.get(head, "–") for head in heads} for line in out]


def marked(row: dict[str, Any]) -> str:
    """A row's name; of a quick run it says so."""
    return row["name"] + (" (quick)" if row.get("budget") == "quick" else "")


OPTIONAL = ("paper MAE", "forces", "paper forces", "paper RMSE", "90 % holds")
"""Columns left out where no row has them. Forces: mean absolute error of a component, the unit an Å."""


def _line(row: dict[str, Any], name: str, ours: dict[str, float], paper: dict[str, float]) -> dict[str, str]:
    """`ours`: errors of one kind of geometry; paper's numbers are of the first."""
    covered, above = ours.get("coverage", float("nan")), ours.get("above_1")
    unit = next((one["unit"] for one in row.get("runs", []) if one.get("unit", KCAL) != KCAL), "")  # said where another
    number: Any = "{:.3g}".format if unit else _number
    return {
        "row": name, "train": f"{row['train']:,}", "paper MAE": _number(paper.get("mae")),
        "MAE": f"{number(ours['mae'])} {unit}".strip(),
        "paper forces": _number(paper.get("force_mae")), "forces": _number(ours.get("force_mae")),
        "paper RMSE": _number(paper.get("rmse")), "RMSE": number(ours["rmse"]), "median": number(ours["median"]),
        "> 1": "–" if above is None else f"{100 * above:.0f} %",
        "90 % holds": f"{100 * covered:.1f} %" if math.isfinite(covered) else "–",
        "seconds": f"{row['seconds']:.0f}", "peak MiB": f"{row['peak_mib']:,}",
    }


def _contests(row: dict[str, Any]) -> list[dict[str, Any]]:
    """A line for every peer of a row of `bench.speed`."""
    def amount(name: str) -> str:
        value = row["medians"][name]
        return (f"{value:,.0f}" if value >= 100 else f"{value:.3g}") + (" s" if row["unit"] == "s" else " /s")

    return [{"row": row["name"], "peer": peer, "onekcal": amount("onekcal"), "peer's": amount(peer), "ratio": f"{ratio:.2f}"}
            for peer, ratio in row["ratio"].items()]


ON_GFN2 = ", on GFN2-xTB"


def _costs(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A line a model: errors, what they cost, and the error of the same model on top of GFN2-xTB."""
    named = {row["name"]: row for row in rows if "failed" not in row}
    out = []
    for name, row in named.items():
        if name.endswith(ON_GFN2):
            continue
        ours, on = row["ours"], named.get(name + ON_GFN2)
        parameters = row["runs"][0].get("parameters")
        out.append({
            "row": name, "MAE": _number(ours["mae"]), "RMSE": _number(ours["rmse"]), "median": _number(ours["median"]),
            "> 1": f"{100 * ours['above_1']:.0f} %", "on GFN2: MAE": _number(on["ours"]["mae"] if on else None),
            "> 1 ": f"{100 * on['ours']['above_1']:.0f} %" if on else "–", "fit (s)": f"{ours['fit_seconds']:.0f}",
            "µs a molecule": f"{1e6 * ours['predict_seconds_per_molecule']:,.0f}",
            "parameters": f"{parameters:,}" if parameters else "–", "peak MiB": f"{row['peak_mib']:,}",
        })
    return sorted(out, key=lambda line: float(line["MAE"].replace("–", "inf")))


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if abs(value) < 1 else f"{value:.2f}"


def markdown(lines: list[dict[str, Any]]) -> str:
    """A table with names to the left and numbers to the right."""
    if not lines:
        return ""
    heads = list(lines[0])
    out = ["| " + " | ".join(heads) + " |", "|" + "|".join("---" if h in ("row", "paper") else "---:" for h in heads) + "|"]
    out += ["| " + " | ".join(str(line.get(h, "")) for h in heads) + " |" for line in lines]
    return "\n".join(out) + "\n"


def renewed(text: str, results: Path, page: Path | None = None) -> str:
    """A page's text with every table made anew; pictures are linked as seen from `page`."""

    def table(match: re.Match[str]) -> str:
        return match[1] + _block(match["suite"], (match["only"] or "").split(), results, page) + match[5]

    return BLOCK.sub(table, text)


def _block(name: str, words: list[str], results: Path, page: Path | None) -> str:
    """Caption and table of a suite; of one that has not run yet, how to run it."""
    if name == "papers":
        from onekcal.bench import papers

        return markdown(papers.rows(results))
    path = results / f"{name}.json"
    if not path.is_file():
        if name in suite.names():
            return f"Not measured yet: `onekcal bench {name}`.\n"
        raise DataError(f"a page asks for {name}, but there is no {path} and no suite of that name")
    found = json.loads(path.read_text(encoding="utf-8"))
    found["rows"] = [row for row in found["rows"] if all(word in row["name"] for word in words)]
    picture = path.with_suffix(".png")
    seen = f"\n![{found['title']}]({os.path.relpath(picture, page.parent)})\n" if page and picture.is_file() else ""
    return f"{found['title']}; {found['unit']}.\n\n" + markdown(rows(found)) + seen


def check(root: Path, write: bool = False) -> list[str]:
    """Pages whose tables disagree with results/; `write` renews them."""
    pages = [root / "README.md", *sorted((root / "docs").rglob("*.md"))]
    stale = []
    for page in pages:
        if not page.is_file():
            raise DataError(f"no {page}; run this in the project's folder or pass --root")
        text = page.read_text(encoding="utf-8")
        fresh = renewed(text, root / "results", page)
        if fresh != text:
            stale.append(f"{page}: a table is out of date")
            if write:
                page.write_text(fresh, encoding="utf-8")
    return stale


def unsupported(results: Path) -> list[str]:
    """Rows of results/ that are not what their suite says: another experiment, a quick run, another paper's number."""
    out = []
    for path in sorted(results.glob("*.json")):
        found = json.loads(path.read_text(encoding="utf-8"))
        if found.get("suite") in suite.names():
            there = {row.name: row for row in suite.read(found["suite"]).rows}
            out += [f"{path}: {row['name']!r} {why}" for row in found["rows"] if (why := _against(row, there))]
    return out


def _against(row: dict[str, Any], there: dict[str, suite.Row]) -> str:
    """What speaks against a row; a failed one claims nothing."""
    if "failed" in row:
        return ""
    if row["name"] not in there:
        return "is no row of its suite"
    if row.get("budget") == "quick":
        return "is of a quick run; those are kept in results/quick"
    if row["row"] != digest(there[row["name"]]):
        return "is of another experiment than the suite's; run it again"
    if row["paper"] != there[row["name"]].paper:
        return "has another paper's number than the suite; `onekcal bench run` brings it, and runs nothing again"
    return ""
