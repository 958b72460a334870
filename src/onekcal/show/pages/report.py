"""The report of runs on the same test molecules: an HTML file that needs no network."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from onekcal.data.dataset import Dataset
from onekcal.models.model_card import ModelCard
from onekcal.molecules import SYMBOLS
from onekcal.runs.card import tables
from onekcal.show.endings import HTML, writable
from onekcal.show.pages import embed
from onekcal.show.pages.finished import DOUBT, Finished, as_yaml, finished, refuse_unlike
from onekcal.system.files import whole_file
from onekcal.trust.metrics import KCAL

MOST = 20_000
"""The most molecules that are drawn: a tenth of them the worst, the others at random."""
WORST = 20


Cells = dict[str, Any]
"""A table or a row of one, as the template takes it."""


class Report(NamedTuple):
    """What was written.

    Parameters
    ----------
    path
        The file.
    molecules
        Test molecules of the runs.
    drawn
        Those that are drawn.
    """

    path: Path
    molecules: int
    drawn: int


def report(folders: list[Path], out: Path) -> Report:
    """Read finished runs and write their report.

    Parameters
    ----------
    folders
        Folders of runs on the same test molecules.
    out
        An HTML file.

    Returns
    -------
    Report
        What was written.
    """
    writable(out, "the report of a run", HTML)
    runs = _read(folders)
    rows = _drawn(runs)
    text = render(runs, rows)
    with whole_file(out) as part:
        part.write_text(text, encoding="utf-8")
    return Report(out, len(runs[0].names), len(rows))


def page(folders: list[Path]) -> tuple[str, str]:
    """Make the report of finished runs.

    Parameters
    ----------
    folders
        Folders of runs on the same test molecules.

    Returns
    -------
    tuple
        The page (HTML), and its title.
    """
    runs = _read(folders)
    return render(runs, _drawn(runs)), _title(runs)


def _read(folders: list[Path]) -> list[Finished]:
    runs = [finished(folder) for folder in folders]
    refuse_unlike(runs)
    return runs


def _title(runs: list[Finished]) -> str:
    return " · ".join(run.name for run in runs)


def render(runs: list[Finished], rows: np.ndarray) -> str:
    """Make the page of finished runs.

    Parameters
    ----------
    runs
        Runs on the same test molecules.
    rows
        The molecules that are drawn.

    Returns
    -------
    str
        HTML that needs no network.
    """
    first = runs[0]
    total = len(first.names)
    notes = [note for run in runs for note in _notes(run)]
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(
        embed.part("report.html")
    )
    safe = _safe
    place = {int(row): k for k, row in enumerate(rows)}
    return template.render(
        title=_title(runs),
        summary=_summary(first),
        notes=list(dict.fromkeys(notes)),
        unit=first.unit,
        shows_molecules=first.test is not None,
        part=lambda name: safe(embed.part(name)),
        drawn=""
        if len(rows) == total
        else f"{len(rows):,} of {total:,} molecules are drawn: the worst, and others at "
        "random; all figures are of all molecules.",
        heads=HEADS,
        runs=[_words(run, place) for run in runs],
        data=safe(embed.as_json(_data(runs, rows))),
    )


def _safe(text: str) -> Markup:
    """Text that the template does not escape."""
    return Markup(text)


def _drawn(runs: list[Finished]) -> np.ndarray:
    """Rows of the molecules that are drawn, ascending."""
    total = len(runs[0].names)
    if total <= MOST:
        return np.arange(total)
    worst = [
        np.argsort(-np.nan_to_num(np.abs(run.columns["error"]), nan=-1.0))[
            : MOST // 10 // len(runs)
        ]
        for run in runs
    ]
    others = np.random.default_rng(0).permutation(total)
    kept = dict.fromkeys([*np.concatenate(worst).tolist(), *others.tolist()])
    return np.sort(np.array(list(kept)[:MOST]))


def _data(runs: list[Finished], rows: np.ndarray) -> dict[str, object]:
    """The data of the page's script."""
    first = runs[0]
    errors = np.concatenate([run.columns["error"][run.finite] for run in runs])
    some, owners = _shown(first, rows)
    forces = None if some is None or first.unit != KCAL else some.forces
    return {
        "unit": first.unit,
        "names": [first.names[row] for row in rows],
        "reference": embed.floats(first.columns["reference"][rows]),
        "reach": max(float(np.quantile(np.abs(errors), 0.99)), 1e-6) if len(errors) else 1.0,
        "molecules": None if some is None else embed.molecules(some.molecules),
        "elements": embed.elements(),
        "forces": None if forces is None else embed.floats(forces.numpy()),
        "owners": owners,
        "runs": [_run_data(run, rows) for run in runs],
    }


def _shown(run: Finished, rows: np.ndarray) -> tuple[Dataset | None, list[int] | None]:
    """The molecules of the points `rows`; if points are atoms, also the molecule of each."""
    if run.test is None or not run.test.aim.atomic:
        return (None if run.test is None else run.test[rows]), None
    owners = run.test.molecules.owner.numpy()[rows]
    kept, places = np.unique(owners, return_inverse=True)
    return run.test[kept], places.tolist()


def _run_data(run: Finished, rows: np.ndarray) -> dict[str, object]:
    """The data of one run."""
    atoms = np.zeros(0, int)
    if run.test is not None and not run.test.aim.atomic:
        atoms = run.test.molecules.atoms_of(torch.from_numpy(rows)).numpy()
    doubt = next((name for name in DOUBT if name in run.columns), None)
    return {
        "name": run.name,
        "error": embed.floats(run.columns["error"][rows]),
        "interval": run.metrics.get("interval"),
        "calibration": run.calibration,
        "epochs": run.epochs,
        "doubtName": doubt,
        "doubt": None if doubt is None else embed.floats(run.columns[doubt][rows]),
        "risk": [] if doubt is None else _risk(run.columns["error"], run.columns[doubt]),
        **{name: embed.floats(values[atoms]) for name, values in run.atoms.items() if len(atoms)},
    }


def _risk(error: np.ndarray, doubt: np.ndarray) -> list[tuple[float, float, float]]:
    """(share answered, MAE without the most doubtful ones, MAE without the worst ones)."""
    size = np.abs(error)
    kept = np.isfinite(size) & np.isfinite(doubt)
    size, doubt = size[kept], doubt[kept]
    first = np.arange(1, len(size) + 1)
    by_doubt, by_error = (
        np.cumsum(size[np.argsort(doubt)]) / first,
        np.cumsum(np.sort(size)) / first,
    )
    counts = np.unique(np.linspace(min(len(size), 10), len(size), 60).astype(int))
    return [
        (float(n / len(size)), float(by_doubt[n - 1]), float(by_error[n - 1])) for n in counts if n
    ]


# --- words and tables -------------------------------------------------------------------------

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


def _words(run: Finished, place: dict[int, int]) -> dict[str, object]:
    """The figures and tables of one run, as text."""
    found = run.metrics
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
            _figure(found["mae"]),
            _figure(found["rmse"]),
            _figure(found["median"]),
            _share(found.get("above_1")),
            _figure(found.get("interval")),
            _share(found.get("coverage")),
            f"{found['train']:,}",
            _figure(found["fit_seconds"]),
            _figure(1e6 * found["predict_seconds_per_molecule"]),
            f"{found['parameters']:,}" if "parameters" in found else "–",
        ],
        "tables": _tables(run),
        "worst": worst,
        "facts": _facts(run),
        "rerun": _rerun(run),
    }


def _tiles(run: Finished) -> list[tuple[str, str, str]]:
    """The most important figures: name, figure, unit."""
    found, unit = run.metrics, run.unit
    errors = (("MAE", "mae"), ("RMSE", "rmse"), ("median error", "median"))
    tiles = [(name, _figure(found[key]), unit) for name, key in errors]
    if "above_1" in found:
        tiles.append(("above 1 kcal/mol", _share(found["above_1"]), "of molecules"))
    if "force_mae" in found:
        tiles.append(("forces, MAE", _figure(found["force_mae"]), "kcal/mol/Å"))
    if "interval" in found:
        tiles.append(
            (
                f"{100 * run.experiment.coverage:.0f} % interval",
                f"± {_figure(found['interval'])}",
                f"holds {_share(found['coverage'])}",
            )
        )
    return tiles


def _tables(run: Finished) -> list[Cells]:
    """Errors by size, element and functional group, with bars."""
    by_element = _by_element(run)
    heads = ("name", "count", "mae", "median", "above")
    found: list[Cells] = [
        {"title": table.title, "rows": [dict(zip(heads, row)) for row in table.rows]}
        for table in tables(ModelCard(errors_by=run.card.errors_by))
    ]
    found += [{"title": "element in the molecule", "rows": by_element}] if by_element else []
    for table in found:
        sizes = [float(row["mae"]) if row["mae"] != "–" else 0.0 for row in table["rows"]]
        for row, size in zip(table["rows"], sizes):
            row["width"] = round(100 * size / (max(sizes) or 1.0))
    return found


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
    found, made = run.metrics, run.provenance
    facts = [
        ("trained on", f"{found['train']:,} molecules of {run.experiment.data.set}"),
        (
            "tested on",
            f"{len(run.names):,}, split {run.experiment.data.split}, seed "
            f"{run.experiment.data.seed}",
        ),
        ("fit", f"{_figure(found['fit_seconds'])} s"),
        ("prediction", f"{_figure(1e6 * found['predict_seconds_per_molecule'])} µs a molecule"),
    ]
    facts += [("parameters", f"{found['parameters']:,}")] if "parameters" in found else []
    if "epochs" in found:
        facts.append(
            ("epochs", f"{found['epochs']:,}, best {found['best_epoch']:,}, on {found['device']}")
        )
    facts += (
        [("model file", f"{found['artefact_bytes'] / 2**20:.2f} MiB")]
        if found.get("artefact_bytes")
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
    return f"onekcal rerun {run.name} --check\n" + (f"# first: {command}" if command else "")


def _notes(run: Finished) -> list[str]:
    notes = [run.missing[0].upper() + run.missing[1:]] if run.missing else []
    lost = int((~run.finite).sum())
    if lost:
        notes.append(
            f"{run.name}: {lost:,} of {len(run.names):,} predictions are not a number; they are in "
            "no figure but their count, and come first among the worst."
        )
    if len(run.names) < 30:
        notes.append(
            f"Only {len(run.names)} test molecule{'s' * (len(run.names) > 1)}: a mean error of so "
            "few says little."
        )
    return notes


def _summary(run: Finished) -> str:
    data, stages = (
        run.experiment.data,
        " + ".join(name for name, _ in run.experiment.resolved_stages()),
    )
    return f"{stages}, learning {data.target} of {data.set}; tested on {len(run.names):,} molecules"


def _figure(value: float | None) -> str:
    if value is None or not np.isfinite(value):
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:#.3g}"


def _share(value: float | None) -> str:
    return "–" if value is None or not np.isfinite(value) else f"{100 * value:.1f} %"


def _signed(value: float, plus: bool = False) -> str:
    return f"{value:{'+' if plus else ''},.2f}".replace("-", "−")
