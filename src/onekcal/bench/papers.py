"""The main rows of the papers in one table: each paper's number beside ours.

The list is papers.yaml.
"""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from onekcal.bench import suite
from onekcal.bench.results import Line, Measured
from onekcal.bench.tables import error_text, marked
from onekcal.runs.experiment import load_yaml

TITLE = "The papers' main rows: mean absolute errors, kcal/mol and kcal/mol/Å"


class MainRow(BaseModel):
    """A row of a suite."""

    model_config = ConfigDict(extra="forbid")

    suite: str
    row: str
    called: str = Field("", description="what the table calls it; the row's own name when absent")
    where: str = Field(
        "", description="remark on the paper's number where it is for other data than ours"
    )
    side: Literal["both", "paper", "ours"] = Field(
        "both", description="whose number the row shows, where the paper's is of another method"
    )


class Paper(BaseModel):
    """A paper's rows, in the order of the table."""

    model_config = ConfigDict(extra="forbid")

    paper: str
    rows: list[MainRow]


def listed() -> list[Paper]:
    """Read papers.yaml.

    Returns
    -------
    list of Paper
        In the order of the table.
    """
    text = files("onekcal.bench").joinpath("papers.yaml").read_text(encoding="utf-8")
    return [Paper.model_validate(one) for one in load_yaml(text)]


def rows(results: Path) -> list[Line]:
    """Make the table of all papers' main rows.

    Parameters
    ----------
    results
        The folder of results.

    Returns
    -------
    list
        Head of the column → text, one dict for each line; a dash where nothing was
        measured.
    """
    measured: dict[tuple[str, str], Measured] = {}
    papers: dict[tuple[str, str], dict[str, float]] = {}
    for name in {main.suite for paper in listed() for main in paper.rows}:
        path = results / f"{name}.json"
        if path.is_file():
            measured |= {
                (name, row["name"]): row
                for row in json.loads(path.read_text(encoding="utf-8"))["rows"]
            }
        papers |= {(name, row.name): row.paper for row in suite.read(name).rows}
    out = []
    for paper in listed():
        for place, main in enumerate(paper.rows):
            key = (main.suite, main.row)
            out.append(_line("" if place else paper.paper, main, papers[key], measured.get(key)))
    return out


def _line(heading: str, main: MainRow, paper: dict[str, float], row: Measured | None) -> Line:
    ours = (row or {}).get("ours", {}) if main.side != "paper" else {}
    paper = paper if main.side != "ours" else {}
    called = main.called or main.row
    if row is not None:
        called = marked({**row, "name": called})
    where = f" {main.where}" if main.where and paper else ""
    energies, forces = (
        "mae" in paper or not paper,
        "force_mae" in paper or not paper,
    )  # what the row is about
    return {
        "paper": heading,
        "row": called,
        "train": f"{row['train']:,}" if row and "train" in row else "–",
        "paper MAE": error_text(paper.get("mae")) + (where if "mae" in paper else ""),
        "MAE": "failed"
        if row and "failed" in row
        else error_text(ours.get("mae") if energies else None),
        "paper forces": error_text(paper.get("force_mae")),
        "forces": error_text(ours.get("force_mae") if forces else None),
    }
