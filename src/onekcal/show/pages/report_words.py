"""The words, figures and tables of a report."""

from __future__ import annotations

import shlex
from typing import Any

import numpy as np

from onekcal.models.model_card import ModelCard
from onekcal.molecules import SYMBOLS
from onekcal.runs.card import NO_TEST, tables
from onekcal.show.pages.finished import Finished, as_yaml

WORST = 20
"""The molecules of the largest errors that are listed."""
Cells = dict[str, Any]
"""A table or a row of one, as the template takes it."""

HEADS = (
    "MAE",
    "RMSE",
    "median",
    "> 1 kcal/mol",
    "interval ±",
    "it holds",
    "train",
    "fit (s)",
    "µs a molecule",
    "parameters",
)


def words(run: Finished, place: dict[int, int]) -> dict[str, object]:
    """Write the figures and tables of one run.

    Parameters
    ----------
    run
        The run.
    place
        Row of a molecule → its place among those that are drawn.

    Returns
    -------
    dict
        Text for the template.
    """
    metrics = run.metrics
    errors = np.nan_to_num(np.abs(run.columns["error"]), nan=np.inf)
    formulas = [] if run.test is None or run.test.aim.atomic else run.test.molecules.formulas
    worst = [
        {
            "name": run.names[row],
            "formula": formulas[row] if formulas else "",
            "place": place[int(row)],
            **{
                key: _signed(run.columns[key][row], plus=key == "error")
                for key in ("reference", "predicted", "error")
            },
        }
        for row in np.argsort(-errors, kind="stable")[:WORST]
        if int(row) in place
    ]
    return {
        "name": run.name,
        "tested": f"{len(run.names):,}",
        "yaml": as_yaml(run.experiment).strip(),
        "tiles": _tiles(run),
        "cells": [
            _figure(metrics["mae"]),
            _figure(metrics["rmse"]),
            _figure(metrics["median"]),
            _share(metrics.get("above_1")),
            _figure(metrics.get("interval")),
            _share(metrics.get("coverage")),
            f"{metrics['train']:,}",
            _figure(metrics["fit_seconds"]),
            _figure(1e6 * metrics["predict_seconds_per_molecule"]),
            f"{metrics['parameters']:,}" if "parameters" in metrics else "–",
        ],
        "tables": _tables(run),
        "worst": worst,
        "facts": _facts(run),
        "rerun": _rerun(run),
    }


def _tiles(run: Finished) -> list[tuple[str, str, str]]:
    """The most important figures: name, figure, unit."""
    metrics, unit = run.metrics, run.unit
    errors = (("MAE", "mae"), ("RMSE", "rmse"), ("median error", "median"))
    tiles = [(name, _figure(metrics[key]), unit) for name, key in errors]
    if "above_1" in metrics:
        tiles.append(("above 1 kcal/mol", _share(metrics["above_1"]), "of molecules"))
    if "force_mae" in metrics:
        tiles.append(("forces, MAE", _figure(metrics["force_mae"]), "kcal/mol/Å"))
    if "interval" in metrics:
        tiles.append(
            (
                f"{100 * run.experiment.coverage:.0f} % interval",
                f"± {_figure(metrics['interval'])}",
                f"holds {_share(metrics['coverage'])}",
            )
        )
    return tiles


def _tables(run: Finished) -> list[Cells]:
    """Errors by size, element and functional group, with bars."""
    by_element = _by_element(run)
    heads = ("name", "count", "mae", "median", "above")
    every: list[Cells] = [
        {"title": table.title, "rows": [dict(zip(heads, row)) for row in table.rows]}
        for table in tables(ModelCard(errors_by=run.card.errors_by))
    ]
    every += [{"title": "element in the molecule", "rows": by_element}] if by_element else []
    for table in every:
        sizes = [float(row["mae"]) if row["mae"] != "–" else 0.0 for row in table["rows"]]
        for row, size in zip(table["rows"], sizes):
            row["width"] = round(100 * size / (max(sizes) or 1.0))
    return every


def _by_element(run: Finished) -> list[Cells]:
    if run.test is None or run.test.aim.atomic:
        return []
    molecules, size, rows = run.test.molecules, np.abs(run.columns["error"]), []
    counts = molecules.composition(molecules.elements).numpy()
    for element, has in zip(molecules.elements, counts.T > 0):
        some = size[has & run.finite]
        if len(some):
            rows.append(
                {
                    "name": SYMBOLS[element],
                    "count": f"{len(some):,}",
                    "mae": f"{some.mean():.2f}",
                    "median": f"{np.median(some):.2f}",
                    "above": f"{100 * (some > 1).mean():.0f} %",
                }
            )
    return rows


def _facts(run: Finished) -> list[tuple[str, str]]:
    metrics, made = run.metrics, run.provenance
    facts = [
        ("trained on", f"{metrics['train']:,} molecules of {run.experiment.data.set}"),
        (
            "tested on",
            f"{len(run.names):,}, split {run.experiment.data.split}, seed "
            f"{run.experiment.data.seed}",
        ),
        ("fit", f"{_figure(metrics['fit_seconds'])} s"),
        ("prediction", f"{_figure(1e6 * metrics['predict_seconds_per_molecule'])} µs a molecule"),
    ]
    facts += [("parameters", f"{metrics['parameters']:,}")] if "parameters" in metrics else []
    if "epochs" in metrics:
        facts.append(
            (
                "epochs",
                f"{metrics['epochs']:,}, best {metrics['best_epoch']:,}, on {metrics['device']}",
            )
        )
    facts += (
        [("model file", f"{metrics['artefact_bytes'] / 2**20:.2f} MiB")]
        if metrics.get("artefact_bytes")
        else []
    )
    kept = (
        ("data hash", "data"),
        ("version", "commit"),
        ("hardware", "hardware"),
        ("finished", "time"),
    )
    return facts + [(name, str(made[key])[:40]) for name, key in kept if made.get(key)]


def _rerun(run: Finished) -> str:
    command = run.provenance.get("command", "")
    where = shlex.quote(run.folder.as_posix())
    return f"onekcal rerun {where} --check\n" + (f"# first: {command}" if command else "")


def notes_of(run: Finished) -> list[str]:
    """Write the warnings about a run.

    Parameters
    ----------
    run
        The run.

    Returns
    -------
    list of str
        One sentence each.
    """
    notes = [run.missing[0].upper() + run.missing[1:]] if run.missing else []
    lost = int((~run.finite).sum())
    if lost:
        notes.append(
            f"{run.name}: {lost:,} of {len(run.names):,} predictions are not a number; they are in "
            "no figure but their count, and come first among the worst."
        )
    if part := run.metrics.get("judged_on"):
        notes.append(f"{run.name} has no test part: {NO_TEST[part]}")
    if len(run.names) < 30:
        notes.append(
            f"Only {len(run.names)} test molecule{'s' * (len(run.names) > 1)}: a mean error of so "
            "few says little."
        )
    return notes


def summary(run: Finished) -> str:
    """Write the summary of a run.

    Parameters
    ----------
    run
        The run.

    Returns
    -------
    str
        Its stages, its target and its test.
    """
    data, stages = (
        run.experiment.data,
        " + ".join(name for name, _ in run.experiment.resolved_stages()),
    )
    part = run.metrics.get("judged_on")
    tested = f"errors of {part}" if part else "tested on"
    return f"{stages}, learning {data.target} of {data.set}; {tested} {len(run.names):,} molecules"


def _figure(value: float | None) -> str:
    if value is None or not np.isfinite(value):
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:#.3g}"


def _share(value: float | None) -> str:
    return "–" if value is None or not np.isfinite(value) else f"{100 * value:.1f} %"


def _signed(value: float, plus: bool = False) -> str:
    return f"{value:{'+' if plus else ''},.2f}".replace("-", "−")
