"""Run a suite: every row in a process of its own, so that its peak memory is its own; finished
rows are kept.
"""

from __future__ import annotations

import hashlib
import json
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from onekcal.bench.suite import Row, Suite, picked
from onekcal.errors import ConfigError, OnekcalError
from onekcal.runs.experiment import Experiment
from onekcal.system.files import whole_file
from onekcal.system.jobs import in_parallel
from onekcal.system.locks import folder_lock
from onekcal.system.processes import end_with_parent

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
    """Run the rows not yet in `results`/SUITE.json (all of them with `again`); `watch` hears of
    each row twice.

    Run folders are kept in `runs` where that is given. `workers` rows run at once here, or as many
    as a Dask `scheduler` has room for.

    A row that fails is reported in its place and does not stop the others.
    """
    path = results / f"{suite.name}.json"
    known = {row["name"]: row for row in stored(path).get("rows", [])}
    waiting: list[Row] = []
    for row in picked([suite], only)[0].rows:
        earlier = known.get(row.name)
        if not again and earlier and earlier.get("row") == digest(row) and "failed" not in earlier:
            watch(row.name, earlier)
        else:
            waiting.append(row)
    command = " ".join(sys.argv)
    queue = _Queue(watch, None if scheduler else workers)
    for found in in_parallel(
        _in_own_process, _jobs(waiting, runs, command, queue), len(waiting), scheduler, workers
    ):
        name = found.pop("key", None) or found["name"]
        queue.ended(name)
        if "error" in found:  # its worker died
            found = {"name": name, "failed": found["error"], "paper": {}, "row": ""}
        watch(name, found)
        keep(path, suite, found)
    return keep(path, suite) if path.is_file() else {}


def keep(path: Path, suite: Suite, found: Found | None = None) -> Found:
    """Bring a row into the results as they are now; others may write there, too."""
    with folder_lock(path.parent):
        known = {row["name"]: row for row in stored(path).get("rows", [])}
        return store(path, suite, known | ({found["name"]: found} if found else {}))


class _Queue:
    """Says of a row that it runs when a worker is free for it: jobs are handed over before."""

    def __init__(self, watch: Callable[[str, Found | None], None], workers: int | None) -> None:
        self._watch, self._workers = watch, workers
        self._running: set[str] = set()
        self._waiting: list[str] = []

    def handed_over(self, name: str) -> None:
        self._waiting.append(name)
        self._tell()

    def ended(self, name: str) -> None:
        self._running.discard(name)
        self._tell()

    def _tell(self) -> None:
        while self._waiting and (self._workers is None or len(self._running) < self._workers):
            name = self._waiting.pop(0)
            self._running.add(name)
            self._watch(name, None)


def _jobs(rows: list[Row], runs: Path | None, command: str, queue: _Queue) -> Iterator[Found]:
    for row in rows:
        queue.handed_over(row.name)
        yield {
            "row": row.model_dump(mode="json"),
            "runs": None if runs is None else str(runs.resolve()),
            "command": command,
            "key": row.name,
            "format": 1,
        }


def digest(row: Row) -> str:
    """SHA-256 of everything that decides a row's number; which device computes it does not."""
    content = json.dumps([_anywhere(experiment).digest for experiment in row.experiments()])
    return hashlib.sha256(content.encode()).hexdigest()


def _anywhere(experiment: Experiment) -> Experiment:
    fit = {key: value for key, value in experiment.fit.items() if key != "device"}
    return experiment.model_copy(update={"fit": fit})


def _in_own_process(job: Found) -> Found:
    """A row in a fresh interpreter: what kills that one is reported."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "found.json"
        work = "from onekcal.bench.runner import measure_told; measure_told()"
        done = subprocess.run(
            [sys.executable, "-c", work, str(out)], input=json.dumps(job), text=True
        )
        if out.is_file():
            return json.loads(out.read_text(encoding="utf-8"))
    row = Row.model_validate(job["row"])
    return {
        "name": row.name,
        "paper": row.paper,
        "row": digest(row),
        "failed": f"its process ended with {done.returncode}"
        + (" (out of memory?)" if done.returncode == -9 else ""),
    }


def measure_told() -> None:
    """What the fresh interpreter does: a job on standard input, what was found in the file
    named.
    """
    end_with_parent()
    found = _measured(json.load(sys.stdin))
    Path(sys.argv[1]).write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8")


def _measured(job: Found) -> Found:
    row, runs = Row.model_validate(job["row"]), job["runs"]
    try:
        return measure(row, None if runs is None else Path(runs), job["command"])
    except (OnekcalError, RuntimeError, ValueError, MemoryError) as problem:
        return {"name": row.name, "paper": row.paper, "row": digest(row), "failed": str(problem)}


def measure(row: Row, kept: Path | None = None, command: str = "") -> Found:
    """Every split and seed of a row; the mean of each metric, and each run's own. Run folders go
    to `kept`.
    """
    from onekcal.runs.run import run as run_experiment

    started = time.perf_counter()
    runs: list[Found] = []
    origin: Found = {}
    for name, about, experiment in parts(row):
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "run" if kept is None else kept / name
            done = run_experiment(experiment, folder, command, overwrite=True)
            origin = json.loads((done.folder / "provenance.json").read_text())
        runs.append(about | done.metrics)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return summary(row, runs, origin) | {
        "seconds": round(time.perf_counter() - started, 1),
        "peak_mib": peak,
    }


def parts(row: Row) -> Iterator[tuple[str, Found, Experiment]]:
    """The experiments of a row, each with the name of its run folder and what tells it from the
    others.
    """
    for k, experiment in enumerate(row.experiments()):
        network = [row.networks[k % len(row.networks)]] if row.networks else []
        name = experiment.name or slug(
            row.name, experiment.data.split, experiment.data.seed, *network
        )
        about = {"split": experiment.data.split, "seed": experiment.data.seed} | (
            {"network": network[0]} if network else {}
        )
        yield name, about, experiment


def summary(row: Row, runs: list[Found], origin: Found) -> Found:
    """A row's result from what its runs found; `origin` is the provenance of one of them."""
    from onekcal.system.provenance import provenance

    keys = [
        key
        for key, value in runs[0].items()
        if isinstance(value, float) and key != "nominal_coverage"
    ]
    ours = {
        key: sum(r[key] for r in runs) / len(runs) for key in keys if all(key in r for r in runs)
    }
    made = provenance()
    return {
        "name": row.name,
        "paper": row.paper,
        "ours": {key: float(f"{value:.6g}") for key, value in ours.items()},
        "train": runs[0]["train"],
        "test": sum(r["count"] for r in runs),
        "seconds": 0.0,
        "peak_mib": 0,
        "runs": [
            {k: float(f"{v:.6g}") if isinstance(v, float) else v for k, v in r.items()}
            for r in runs
        ],
        "note": row.note,
        **_mark(row),
        "row": digest(row),
        "data": origin["data"],
        "commit": made["commit"],
        "hardware": made["hardware"],
        "packages": made["packages"],
        "time": made["time"],
    }


def _mark(row: Row) -> Found:
    """Said of a row where it holds: a quick one, a point of a learning curve."""
    return ({"budget": row.budget} if row.budget != "full" else {}) | (
        {"curve": row.curve} if row.curve else {}
    )


def slug(*parts: object) -> str:
    """A folder's name: letters, digits and dashes."""
    return "-".join(re.sub(r"[^a-z0-9]+", "-", str(part).lower()).strip("-") for part in parts)


def stored(path: Path) -> Found:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except json.JSONDecodeError:
        raise ConfigError(f"{path} is damaged; remove it to run its rows again") from None


def store(path: Path, suite: Suite, known: dict[str, Found]) -> Found:
    """Rows in the suite's order, with its notes and papers' numbers of today; rows the suite no
    longer has are dropped.
    """
    rows = [
        known[row.name]
        | {"paper": row.paper}
        | ({"note": row.note} if "note" in known[row.name] else {})
        for row in suite.rows
        if row.name in known
    ]
    found = {
        "suite": suite.name,
        "title": suite.title,
        "cite": suite.cite,
        "unit": suite.unit,
        "rows": rows,
    }
    if suite.curves:
        from onekcal.bench import curves

        found["curves"] = curves.told(found, suite)
    write(path, found)
    return found


def write(path: Path, found: Found) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as part:
        part.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
