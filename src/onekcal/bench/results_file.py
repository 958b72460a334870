"""The files results/SUITE.json: read, changed and written whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from onekcal.bench import curves
from onekcal.bench.results import Measured, Results
from onekcal.bench.suite import Row, Suite
from onekcal.errors import ConfigError
from onekcal.system.files import whole_file
from onekcal.system.locks import folder_lock


def keep(path: Path, suite: Suite, measured: Measured | None = None) -> Results:
    """Bring a row into the results as they are now; other processes may write there too.

    Parameters
    ----------
    path
        The file of results.
    suite
        The suite.
    measured
        The row's result; None: only renew the notes and the papers' numbers.

    Returns
    -------
    Results
        The new content of the file.
    """
    with folder_lock(path.parent):
        known = {row["name"]: row for row in stored(path).get("rows", [])}
        return store(path, suite, known | ({measured["name"]: measured} if measured else {}))


def stored(path: Path) -> Results:
    """Read a file of results.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    Results
        Empty where there is no file.

    Raises
    ------
    ConfigError
        When the file is damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except json.JSONDecodeError:
        raise ConfigError(f"{path} is damaged; remove it to run its rows again") from None


def store(path: Path, suite: Suite, known: Mapping[str, Measured]) -> Results:
    """Write a file of results, with the suite's notes and papers' numbers of today.

    Parameters
    ----------
    path
        The file.
    suite
        The suite; its order is kept, and rows that it no longer has are dropped.
    known
        Name → result of each row.

    Returns
    -------
    Results
        What was written.
    """
    rows = [_of_today(known[row.name], row) for row in suite.rows if row.name in known]
    results: Results = {
        "suite": suite.name,
        "title": suite.title,
        "cite": suite.cite,
        "unit": suite.unit,
        "rows": rows,
    }
    if suite.curves:
        results["curves"] = curves.told(results, suite)
    write(path, results)
    return results


def _of_today(measured: Measured, row: Row) -> Measured:
    """A result with the paper's number and the note that its row has now."""
    renewed: Measured = {**measured, "paper": row.paper}
    if "note" in measured:
        renewed["note"] = row.note
    return renewed


def write(path: Path, content: Mapping[str, object]) -> None:
    """Write JSON, whole or not at all.

    Parameters
    ----------
    path
        The file.
    content
        Its content.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as part:
        part.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
