"""Run a suite: every row in a process of its own, so that its peak memory is its own; finished rows are kept."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import re
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from onekcal.bench.suite import Row, Suite
from onekcal.errors import ConfigError, OnekcalError

Found = dict[str, Any]


def run(
    suite: Suite,
    results: Path,
    only: str | None = None,
    again: bool = False,
    watch: Callable[[str, Found | None], None] = lambda name, found: None,
    runs: Path | None = None,
) -> Found:
    """Run the rows not yet in `results`/SUITE.json (all of them with `again`); `watch` hears of each row twice.

    Run folders are kept in `runs` where that is given.

    A row that fails is reported in its place and does not stop the others.
    """
    path = results / f"{suite.name}.json"
    known = {row["name"]: row for row in _stored(path).get("rows", [])}
    chosen = [row for row in suite.rows if only is None or only in row.name]
    if not chosen:
        there = ", ".join(row.name for row in suite.rows)
        raise ConfigError(f"no row of {suite.name} contains {only!r}; there is: {there}")
    for row in chosen:
        stored = known.get(row.name)
        if not again and stored and stored.get("row") == digest(row) and "failed" not in stored:
            watch(row.name, stored)
            continue
        watch(row.name, None)
        known[row.name] = _in_own_process(row, runs)
        watch(row.name, known[row.name])
        _store(path, suite, known)
    return _store(path, suite, known) if known else {}


def digest(row: Row) -> str:
    """SHA-256 of everything that decides a row's number."""
    content = json.dumps([experiment.digest for experiment in row.experiments()])
    return hashlib.sha256(content.encode()).hexdigest()


def _in_own_process(row: Row, runs: Path | None) -> Found:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            return pool.submit(measure, row, runs).result()
        except (OnekcalError, RuntimeError, ValueError, MemoryError) as problem:
            return {"name": row.name, "paper": row.paper, "row": digest(row), "failed": str(problem)}


def measure(row: Row, kept: Path | None = None) -> Found:
    """Every split and seed of a row; the mean of each metric, and each run's own. Run folders go to `kept`."""
    from onekcal.provenance import provenance
    from onekcal.run import run as run_experiment

    started = time.perf_counter()
    runs: list[Found] = []
    for experiment in row.experiments():
        with tempfile.TemporaryDirectory() as scratch:
            slug = experiment.name or _slug(row.name, experiment.data.split, experiment.data.seed)
            folder = Path(scratch) / "run" if kept is None else kept / slug
            done = run_experiment(experiment, folder, " ".join(sys.argv), overwrite=True)
            origin = json.loads((done.folder / "provenance.json").read_text())
        runs.append({"split": experiment.data.split, "seed": experiment.data.seed, **done.metrics})
    keys = [key for key, value in runs[0].items() if isinstance(value, float) and key != "nominal_coverage"]
    ours = {key: sum(r[key] for r in runs) / len(runs) for key in keys if all(key in r for r in runs)}
    made = provenance()
    return {
        "name": row.name,
        "paper": row.paper,
        "ours": {key: float(f"{value:.6g}") for key, value in ours.items()},
        "train": runs[0]["train"],
        "test": sum(r["count"] for r in runs),
        "seconds": round(time.perf_counter() - started, 1),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "runs": [{k: float(f"{v:.6g}") if isinstance(v, float) else v for k, v in r.items()} for r in runs],
        "note": row.note,
        "row": digest(row),
        "data": origin["data"],
        "commit": made["commit"],
        "hardware": made["hardware"],
        "packages": made["packages"],
        "time": made["time"],
    }


def _slug(*parts: object) -> str:
    """A folder's name: letters, digits and dashes."""
    return "-".join(re.sub(r"[^a-z0-9]+", "-", str(part).lower()).strip("-") for part in parts)


def _stored(path: Path) -> Found:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except json.JSONDecodeError:
        raise ConfigError(f"{path} is damaged; remove it to run its rows again") from None


def _store(path: Path, suite: Suite, known: dict[str, Found]) -> Found:
    """Rows in the suite's order; rows the suite no longer has are dropped."""
    found = {
        "suite": suite.name, "title": suite.title, "cite": suite.cite, "unit": suite.unit,
        "rows": [known[row.name] for row in suite.rows if row.name in known],
    }
    write(path, found)
    return found


def write(path: Path, found: Found) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".json.part")
    part.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(part, path)
