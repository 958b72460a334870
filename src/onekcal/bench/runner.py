"""Run a suite and keep the results of its rows.

Every row runs in a process of its own, so that its peak memory is its own.
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
from typing import Any, cast

from onekcal.bench.results import Measured, Results
from onekcal.bench.results_file import keep, stored
from onekcal.bench.suite import Row, Suite, picked
from onekcal.errors import OnekcalError
from onekcal.runs.experiment import Experiment
from onekcal.system.parallel import in_parallel
from onekcal.system.processes import end_with_parent
from onekcal.system.provenance import provenance
from onekcal.trust.metrics import Metrics

Watch = Callable[[str, Measured | None], None]
"""Hears the name of a row, and its result or None when it begins."""
RowTask = dict[str, Any]
"""What the process of a row is given, as JSON."""


def run(
    suite: Suite,
    results: Path,
    only: str | None = None,
    again: bool = False,
    watch: Watch = lambda name, result: None,
    runs: Path | None = None,
    workers: int = 1,
    scheduler: str | None = None,
) -> Results:
    """Run the rows of a suite that have no result yet.

    A row that fails is reported in its place and does not stop the others.

    Parameters
    ----------
    suite
        The suite.
    results
        The folder of results; finished rows are kept in SUITE.json there.
    only
        Only rows whose name contains this.
    again
        Run finished rows again.
    watch
        Hears of each row when it begins (with None) and when it ends (with its result).
    runs
        Keep the run folders here; None: they are deleted.
    workers
        Rows at once, each in a process of its own.
    scheduler
        Address of a Dask scheduler that runs the rows; it decides how many run at once.

    Returns
    -------
    Results
        The content of SUITE.json; empty where no row has run.
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
    for result in in_parallel(
        _in_own_process, _tasks(waiting, runs, command, queue), len(waiting), scheduler, workers
    ):
        name = result.pop("key", None) or result["name"]
        queue.ended(name)
        measured = cast(Measured, result)
        if "error" in result:  # its worker died
            measured = {"name": name, "failed": result["error"], "paper": {}, "row": ""}
        watch(name, measured)
        keep(path, suite, measured)
    return keep(path, suite) if path.is_file() else {}


class _Queue:
    """Tells when a row begins: when a worker is free for it, as tasks are handed over before."""

    def __init__(self, watch: Watch, workers: int | None) -> None:
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


def _tasks(rows: list[Row], runs: Path | None, command: str, queue: _Queue) -> Iterator[RowTask]:
    """The tasks of rows; the queue hears of each as it is taken."""
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
    """Compute the SHA-256 of everything that decides a row's number.

    The device that computes it does not.

    Parameters
    ----------
    row
        A row of a suite.

    Returns
    -------
    str
        Hexadecimal digits.
    """
    content = json.dumps([_anywhere(experiment).digest for experiment in row.experiments()])
    return hashlib.sha256(content.encode()).hexdigest()


def _anywhere(experiment: Experiment) -> Experiment:
    """The experiment without its device."""
    fit = {key: value for key, value in experiment.fit.items() if key != "device"}
    return experiment.model_copy(update={"fit": fit})


def _in_own_process(task: RowTask) -> RowTask:
    """A row in a fresh interpreter: what kills that one is reported."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "found.json"
        work = "from onekcal.bench.runner import measure_told; measure_told()"
        done = subprocess.run(
            [sys.executable, "-c", work, str(out)], input=json.dumps(task), text=True
        )
        if out.is_file():
            return json.loads(out.read_text(encoding="utf-8"))
    row = Row.model_validate(task["row"])
    return {
        "name": row.name,
        "paper": row.paper,
        "row": digest(row),
        "failed": f"its process ended with {done.returncode}"
        + (" (out of memory?)" if done.returncode == -9 else ""),
    }


def measure_told() -> None:
    """Measure the task on standard input; write its result to the file that is named."""
    end_with_parent()
    measured = _measured(json.load(sys.stdin))
    Path(sys.argv[1]).write_text(json.dumps(measured, ensure_ascii=False), encoding="utf-8")


def _measured(task: RowTask) -> Measured:
    """The result of a task, or what made it fail."""
    row, runs = Row.model_validate(task["row"]), task["runs"]
    try:
        return measure(row, None if runs is None else Path(runs), task["command"])
    except (OnekcalError, RuntimeError, ValueError, MemoryError) as problem:
        return {"name": row.name, "paper": row.paper, "row": digest(row), "failed": str(problem)}


def measure(row: Row, kept: Path | None = None, command: str = "") -> Measured:
    """Measure every split and seed of a row.

    Parameters
    ----------
    row
        A row of a suite.
    kept
        Where run folders are kept; None: they are deleted.
    command
        The command line that asked for it, for the provenance.

    Returns
    -------
    Measured
        The mean of each metric, and the metrics of each run.
    """
    from onekcal.runs.run import run as run_experiment

    started, used = time.perf_counter(), _core_seconds()
    runs: list[Metrics] = []
    origin: Metrics = {}
    for name, about, experiment in parts(row):
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "run" if kept is None else kept / name
            done = run_experiment(experiment, folder, command, overwrite=True)
            origin = json.loads((done.folder / "provenance.json").read_text(encoding="utf-8"))
        runs.append(about | done.metrics)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return summary(row, runs, origin) | {
        "seconds": round(time.perf_counter() - started, 1),
        "peak_mib": peak,
        "core_hours": round((_core_seconds() - used) / 3600, 4),
    }


def _core_seconds() -> float:
    """Processor seconds of this process, and of those it has started and waited for."""
    of = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in of)


def parts(row: Row) -> Iterator[tuple[str, Metrics, Experiment]]:
    """List the experiments of a row.

    Parameters
    ----------
    row
        A row of a suite.

    Yields
    ------
    tuple
        The name of the run folder; the split, the seed and the network's seed; the
        experiment.
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


def summary(row: Row, runs: list[Metrics], origin: Metrics) -> Measured:
    """Sum up a row's runs.

    Parameters
    ----------
    row
        A row of a suite.
    runs
        Metrics of each run.
    origin
        The provenance of one of them.

    Returns
    -------
    Measured
        The mean of each metric, and the metrics of each run, with six digits.
    """
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


def _mark(row: Row) -> Measured:
    """Whether a row is of a quick run, and which learning curve it is a point of."""
    marks: Measured = {}
    if row.budget != "full":
        marks["budget"] = row.budget
    if row.curve:
        marks["curve"] = row.curve
    return marks


def slug(*parts: object) -> str:
    """Make a folder's name of letters, digits and dashes.

    Parameters
    ----------
    *parts
        Joined with dashes.

    Returns
    -------
    str
        The name.
    """
    return "-".join(re.sub(r"[^a-z0-9]+", "-", str(part).lower()).strip("-") for part in parts)
