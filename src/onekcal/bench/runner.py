"""Run a suite: every row in a process of its own, so that its peak memory is its own; finished rows are kept."""

from __future__ import annotations

import hashlib
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from onekcal.bench.suite import Row, Suite
from onekcal.errors import ConfigError, OnekcalError
from onekcal.labels.spread import spread

Found = dict[str, Any]


def run(
    suite: Suite,
    results: Path,
    only: str | None = None,
    again: bool = False,
    watch: Callable[[str, Found | None], None] = lambda name, found: None,
    runs: Path | None = None,
    workers: int = 1,
    scheduler: str | None = None,
) -> Found:
    """Run the rows not yet in `results`/SUITE.json (all of them with `again`); `watch` hears of each row twice.

    Run folders are kept in `runs` where that is given. `workers` rows run at once here, or as many as a Dask `scheduler`
    has room for.

    A row that fails is reported in its place and does not stop the others.
    """
    path = results / f"{suite.name}.json"
    known = {row["name"]: row for row in _stored(path).get("rows", [])}
    chosen = [row for row in suite.rows if only is None or only in row.name]
    if not chosen:
        there = ", ".join(row.name for row in suite.rows)
        raise ConfigError(f"no row of {suite.name} contains {only!r}; there is: {there}")
    waiting: list[Row] = []
    for row in chosen:
        stored = known.get(row.name)
        if not again and stored and stored.get("row") == digest(row) and "failed" not in stored:
            watch(row.name, stored)
        else:
            waiting.append(row)
    command = " ".join(sys.argv)
    for found in spread(_in_own_process, _jobs(waiting, runs, command, watch), len(waiting), scheduler, workers):
        name = found.pop("key", None) or found["name"]
        if "error" in found:  # its worker died
            found = {"name": name, "failed": found["error"], "paper": {}, "row": ""}
        known[name] = found
        watch(name, found)
        _store(path, suite, known)
    return _store(path, suite, known) if known else {}


def _jobs(rows: list[Row], runs: Path | None, command: str, watch: Callable[[str, Found | None], None]) -> Iterator[Found]:
    for row in rows:
        watch(row.name, None)
        yield {"row": row.model_dump(mode="json"), "runs": None if runs is None else str(runs.resolve()), "command": command,
               "key": row.name, "format": 1}


def digest(row: Row) -> str:
    """SHA-256 of everything that decides a row's number."""
    content = json.dumps([experiment.digest for experiment in row.experiments()])
    return hashlib.sha256(content.encode()).hexdigest()


def _in_own_process(job: Found) -> Found:
    """A row in a fresh interpreter: what kills that one is reported."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "found.json"
        work = "from onekcal.bench.runner import measure_told; measure_told()"
        done = subprocess.run([sys.executable, "-c", work, str(out)], input=json.dumps(job), text=True)
        if out.is_file():
            return json.loads(out.read_text(encoding="utf-8"))
    row = Row.model_validate(job["row"])
    return {"name": row.name, "paper": row.paper, "row": digest(row),
            "failed": f"its process ended with {done.returncode}" + (" (out of memory?)" if done.returncode == -9 else "")}


def measure_told() -> None:
    """What the fresh interpreter does: a job on standard input, what was found in the file named."""
    job = json.load(sys.stdin)
    row, runs = Row.model_validate(job["row"]), job["runs"]
    try:
        found = measure(row, None if runs is None else Path(runs), job["command"])
    except (OnekcalError, RuntimeError, ValueError, MemoryError) as problem:
        found = {"name": row.name, "paper": row.paper, "row": digest(row), "failed": str(problem)}
    Path(sys.argv[1]).write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8")


def measure(row: Row, kept: Path | None = None, command: str = "") -> Found:
    """Every split and seed of a row; the mean of each metric, and each run's own. Run folders go to `kept`."""
    from onekcal.provenance import provenance
    from onekcal.run import run as run_experiment

    started = time.perf_counter()
    runs: list[Found] = []
    for experiment in row.experiments():
        with tempfile.TemporaryDirectory() as scratch:
            network = [row.networks[len(runs) % len(row.networks)]] if row.networks else []
            slug = experiment.name or _slug(row.name, experiment.data.split, experiment.data.seed, *network)
            folder = Path(scratch) / "run" if kept is None else kept / slug
            done = run_experiment(experiment, folder, command, overwrite=True)
            origin = json.loads((done.folder / "provenance.json").read_text())
        about = {"split": experiment.data.split, "seed": experiment.data.seed} | ({"network": network[0]} if network else {})
        runs.append(about | done.metrics)
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
