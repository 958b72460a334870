"""The tables of README and docs, made from results/*.json; nobody types a number into them.

A page asks for a table with a pair of comments; words behind the name choose the rows:

    <!-- results: qm7-classical -->
    <!-- end -->

`papers` is the table of all papers' main rows (bench.papers).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import cast

from onekcal.bench import curves
from onekcal.bench.computed import results as computed
from onekcal.bench.results import Line, Measured, Results
from onekcal.bench.speed.contest import SpeedResults, SpeedRow
from onekcal.trust.metrics import KCAL


def rows(found: Results | SpeedResults | computed.Results) -> list[Line]:
    """Make the table of a suite's results.

    Parameters
    ----------
    found
        The content of a file of results.

    Returns
    -------
    list
        Head of the column → text, one dict for each line.
    """
    if found.get("suite") == "speed":
        return [line for row in cast(SpeedResults, found)["rows"] for line in _contests(row)]
    if found.get("suite") == computed.NAME:
        return computed.lines(cast(computed.Results, found)["rows"])
    found = cast(Results, found)
    if found.get("suite") == "families":
        return _costs(found["rows"])
    if found.get("suite") in ("reactions", "reactions-g3"):
        return [_interval(row) for row in found["rows"]]
    if found.get("suite") == "routes":
        return [_routes(row) for row in found["rows"]]
    if found.get("suite") == "bonds":
        return [_bond(row) for row in found["rows"]]
    if found.get("suite") == "bond-correction":
        return [_corrected(row) for row in found["rows"]]
    if found["rows"] and "columns" in found["rows"][0]:
        return [_plain(row) for row in found["rows"]]
    if found["rows"] and all(row.get("curve") for row in found["rows"]):
        return curves.table(found)
    out = []
    for row in found["rows"]:
        if "failed" in row:
            out.append(
                {
                    "row": row["name"],
                    "paper MAE": error_text(row["paper"].get("mae")),
                    "MAE": "failed",
                }
            )
            continue
        out.append(_line(row, marked(row), row["ours"], row["paper"]))
        for kind in dict.fromkeys(key.partition(": ")[0] for key in row["ours"] if ": " in key):
            named = f"{kind}: "
            errors = {
                key.removeprefix(named): value
                for key, value in row["ours"].items()
                if key.startswith(named)
            }
            out.append(_line(row, f"{marked(row)}, {kind} geometry", errors, {}))
    for curve in curves.of(found):
        if beyond := curve.beyond():
            quick = any(
                row.get("budget") == "quick"
                for row in found["rows"]
                if row.get("curve") == curve.name
            )
            mark = " (quick)" if quick else ""
            out.append(
                {
                    "row": f"{curve.name}, extrapolated by N^−{curve.b:.2f}{mark}",
                    "train": f"({beyond[0]:,})",
                    "paper MAE": error_text(curve.paper[beyond[0]]),
                    "MAE": f"({error_text(beyond[1])})",
                }
            )
    empty = [head for head in OPTIONAL if all(line.get(head, "–") == "–" for line in out)]
    heads = [
        head for head in max(out, key=len, default={}) if head not in empty
    ]  # a failed row says little
    return [{head: line.get(head, "–") for head in heads} for line in out]


def marked(row: Measured) -> str:
    """Name a row, and mark one of a quick run.

    Parameters
    ----------
    row
        A row of results.

    Returns
    -------
    str
        The name.
    """
    return row["name"] + (" (quick)" if row.get("budget") == "quick" else "")


OPTIONAL = ("paper MAE", "forces", "paper forces", "paper RMSE", "90 % holds", "core-minutes")
"""Columns left out where no row has them. Forces: mean absolute error of a component, the unit an
Å.
"""


def _line(row: Measured, name: str, ours: dict[str, float], paper: dict[str, float]) -> Line:
    """The line of a row: our errors for one kind of geometry, and the paper's for the first."""
    covered, above = ours.get("coverage", float("nan")), ours.get("above_1")
    unit = next(
        (one["unit"] for one in row.get("runs", []) if one.get("unit", KCAL) != KCAL), ""
    )  # said where another
    number: Callable[[float], str] = "{:.3g}".format if unit else error_text
    return {
        "row": name,
        "train": f"{row['train']:,}",
        "paper MAE": error_text(paper.get("mae")),
        "MAE": f"{number(ours['mae'])} {unit}".strip(),
        "paper forces": error_text(paper.get("force_mae")),
        "forces": error_text(ours.get("force_mae")),
        "paper RMSE": error_text(paper.get("rmse")),
        "RMSE": number(ours["rmse"]),
        "median": number(ours["median"]),
        "> 1": "–" if above is None else f"{100 * above:.0f} %",
        "90 % holds": f"{100 * covered:.1f} %" if math.isfinite(covered) else "–",
        "seconds": f"{row['seconds']:.0f}",
        "core-minutes": f"{60 * row['core_hours']:.1f}" if "core_hours" in row else "–",
        "peak MiB": f"{row['peak_mib']:,}",
    }


def _plain(row: Measured) -> Line:
    """The line of a study of its own, whose results name its columns."""
    return {"row": row["name"], **{head: _text(one) for head, one in row["columns"].items()}}


def _text(value: float | str | None) -> str:
    """A count with commas, an error as in every table, and words as they are."""
    if isinstance(value, str):
        return value
    return (f"{value:,}" if isinstance(value, int) else error_text(value)).replace("-", "−")


def _interval(row: Measured) -> Line:
    """The line of a class of reactions: its interval, and that of added squares if it differs."""
    ours = row["ours"]
    line = {
        "row": row["name"],
        "MAE": error_text(ours["mae"]),
        "±": error_text(ours["interval"]),
        "holds": f"{100 * ours['coverage']:.1f} %",
    }
    if "interval_squares" in ours:
        line["± of added squares"] = error_text(ours["interval_squares"])
        line["that holds"] = f"{100 * ours['coverage_squares']:.1f} %"
    return line


def _routes(row: Measured) -> Line:
    """The line of a class of molecules: errors of the first and of the second route."""
    ours = row["ours"]
    bounded = "coverage" in ours
    return {
        "row": row["name"],
        "atomization": error_text(ours["mae"]),
        "90 %": error_text(ours["ninety"]),
        "separation": error_text(ours["mae_isodesmic"]),
        "its 90 %": error_text(ours["ninety_isodesmic"]),
        "its ±": error_text(ours["interval"]) if bounded else "–",
        "holds": f"{100 * ours['coverage']:.0f} %" if bounded else "–",
    }


def _bond(row: Measured) -> Line:
    """The line of a bond, or of the mean of all."""
    ours = row["ours"]
    if "mae" in ours:
        return {
            "row": row["name"],
            "D(298 K)": "",
            "experiment": "",
            "error": f"{ours['mae']:.2f}",
        }
    return {
        "row": row["name"],
        "D(298 K)": f"{ours['dissociation']:.1f}",
        "experiment": f"{ours['experiment']:.1f}",
        "error": f"{ours['error']:+.1f}".replace("-", "−"),
    }


def _corrected(row: Measured) -> Line:
    """The errors of one class without and with a bond correction."""
    ours, line = row["ours"], {"row": row["name"], "molecules": str(row["test"])}
    for when in ("before", "after"):
        line[f"MAE {when}"] = f"{ours[f'{when}, mae']:.2f}"
        line[f"median {when}"] = f"{ours[f'{when}, median']:.2f}"
        line[f"> 1 {when}"] = f"{100 * ours[f'{when}, above 1']:.0f} %"
    return line


def _contests(row: SpeedRow) -> list[Line]:
    """A line for every peer of a row of `bench.speed`."""

    def amount(name: str) -> str:
        value = row["medians"][name]
        return (f"{value:,.0f}" if value >= 100 else f"{value:.3g}") + (
            " s" if row["unit"] == "s" else " /s"
        )

    return [
        {
            "row": row["name"],
            "peer": peer,
            "onekcal": amount("onekcal"),
            "peer's": amount(peer),
            "ratio": f"{ratio:.2f}",
        }
        for peer, ratio in row["ratio"].items()
    ]


ON_GFN2 = ", on GFN2-xTB"


def _costs(rows: list[Measured]) -> list[Line]:
    """A line for each model: its errors, its costs, and its error on top of GFN2-xTB."""
    named = {row["name"]: row for row in rows if "failed" not in row}
    out = []
    for name, row in sorted(named.items(), key=lambda item: item[1]["ours"]["mae"]):
        if name.endswith(ON_GFN2):
            continue
        ours, on = row["ours"], named.get(name + ON_GFN2)
        parameters = row["runs"][0].get("parameters")
        out.append(
            {
                "row": name,
                "MAE": error_text(ours["mae"]),
                "RMSE": error_text(ours["rmse"]),
                "median": error_text(ours["median"]),
                "> 1": f"{100 * ours['above_1']:.0f} %",
                "on GFN2: MAE": error_text(on["ours"]["mae"] if on else None),
                "> 1 ": f"{100 * on['ours']['above_1']:.0f} %" if on else "–",
                "fit (s)": f"{ours['fit_seconds']:.0f}",
                "µs a molecule": f"{1e6 * ours['predict_seconds_per_molecule']:,.0f}",
                "parameters": f"{parameters:,}" if parameters else "–",
                "peak MiB": f"{row['peak_mib']:,}",
            }
        )
    return out


def error_text(value: float | None) -> str:
    """Write an error as every table of README and docs does.

    Three decimals below 1, two below 1,000, and from there on none, with commas.

    Parameters
    ----------
    value
        The error in the unit of its table; None: it was not measured.

    Returns
    -------
    str
        The number, or a dash for None.
    """
    if value is None:
        return "–"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3f}" if abs(value) < 1 else f"{value:.2f}"


def markdown(lines: Sequence[Line]) -> str:
    """Write a table in Markdown, names to the left and numbers to the right.

    Parameters
    ----------
    lines
        Head of the column → text, with the same heads in each line.

    Returns
    -------
    str
        The table; empty without lines.
    """
    if not lines:
        return ""
    heads = list(lines[0])
    out = [
        "| " + " | ".join(heads) + " |",
        "|" + "|".join("---" if h in ("row", "paper") else "---:" for h in heads) + "|",
    ]
    out += ["| " + " | ".join(str(line.get(h, "")) for h in heads) + " |" for line in lines]
    return "\n".join(out) + "\n"
