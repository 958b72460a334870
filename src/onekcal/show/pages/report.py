"""The report of runs on the same test molecules: an HTML file that needs no network."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from onekcal.data.dataset import Dataset
from onekcal.show.endings import HTML, writable
from onekcal.show.pages import embed, packed
from onekcal.show.pages.finished import DOUBT, Finished, finished, refuse_unlike
from onekcal.show.pages.report_words import HEADS, notes_of, summary, words
from onekcal.system.files import whole_file
from onekcal.trust.judged import curve
from onekcal.trust.metrics import KCAL
from onekcal.trust.ranking import risk

MOST = 20_000
"""The most molecules that are drawn: a tenth of them the worst, the others at random."""


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
    notes = [note for run in runs for note in notes_of(run)]
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(
        embed.part("report.html")
    )
    safe = _safe
    place = {int(row): k for k, row in enumerate(rows)}
    return template.render(
        title=_title(runs),
        summary=summary(first),
        notes=list(dict.fromkeys(notes)),
        unit=first.unit,
        shows_molecules=first.test is not None,
        part=lambda name: safe(embed.part(name)),
        drawn=""
        if len(rows) == total
        else f"{len(rows):,} of {total:,} molecules are drawn: the worst, and others at "
        "random; all figures are of all molecules.",
        heads=HEADS,
        runs=[words(run, place) for run in runs],
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
        "reference": packed.floats(first.columns["reference"][rows]),
        "reach": max(float(np.quantile(np.abs(errors), 0.99)), 1e-6) if len(errors) else 1.0,
        "molecules": None if some is None else packed.molecules(some.molecules),
        "elements": packed.elements(),
        "forces": None if forces is None else packed.floats(forces.numpy()),
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
        "error": packed.floats(run.columns["error"][rows]),
        "interval": run.metrics.get("interval"),
        "calibration": run.calibration,
        "epochs": run.epochs,
        "doubtName": doubt,
        "doubt": None if doubt is None else packed.floats(run.columns[doubt][rows]),
        "risk": [] if doubt is None else _risk(run.columns["error"], run.columns[doubt]),
        **{name: packed.floats(values[atoms]) for name, values in run.atoms.items() if len(atoms)},
    }


def _risk(error: np.ndarray, doubt: np.ndarray) -> list[tuple[float, float, float]]:
    """(share answered, MAE without the most doubtful ones, MAE without the worst ones)."""
    size = np.abs(error)
    kept = np.isfinite(size) & np.isfinite(doubt)
    size, doubt = size[kept], doubt[kept]
    by_doubt, by_error = curve(risk(doubt, size)), curve(risk(size, size))
    return [(share, left, best) for (share, left), (_, best) in zip(by_doubt, by_error)]
