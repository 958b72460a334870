"""What the jobs of a queue mean here: a row of a suite, species of `bench.computed`, or a `label`
command.

A row keeps the run folder of each of its experiments in the queue: finished ones are not run again,
and a network goes on from its last checkpoint.
"""

from __future__ import annotations

import hashlib
import json
import math
import shlex
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypedDict, cast

from onekcal.bench import runner, suite
from onekcal.bench.computed import run as computed
from onekcal.bench.results import Measured
from onekcal.bench.results_file import store, stored
from onekcal.bench.suite import Row
from onekcal.errors import DiskFull, OnekcalError
from onekcal.runs.experiment import Experiment
from onekcal.system import queue as jobs
from onekcal.system.code import identity
from onekcal.system.files import read_json
from onekcal.system.locks import folder_lock
from onekcal.system.queue import Content, Job
from onekcal.system.queue_job import tell, working
from onekcal.system.queue_runner import run as run_jobs

OFTEN = 600.0
"""Seconds between two checkpoints of a training, at most; an epoch is always finished first."""
NOTED = 5.0
"""Seconds between two notes of how far a job is."""
WORK = "from onekcal.cli.queue import work; work()"


# --- adding -----------------------------------------------------------------------------------


def add_rows(queue: Path, name: str, words: str | None = None) -> dict[str, bool]:
    """Put rows of a suite into a queue, in the suite's order.

    Parameters
    ----------
    queue
        The queue's folder.
    name
        A suite that ships, or a YAML file.
    words
        Only rows whose name contains this.

    Returns
    -------
    dict
        Each row's name, and whether it waits now and did not before.
    """
    whole = suite.read(name)
    where = str(Path(name).resolve()) if name.endswith((".yaml", ".yml")) else name
    added = {}
    for row in suite.picked([whole], words)[0].rows:
        key = f"{runner.slug(whole.name, row.name)[:60]}-{runner.digest(row)[:8]}"
        content = {"suite": where, "row": row.model_dump(mode="json")}
        added[row.name] = jobs.add(queue, key, f"{whole.name}: {row.name}", "row", content)
    return added


def add_label(queue: Path, words: list[str], out: Path) -> dict[str, bool]:
    """Put a `label` command into a queue.

    Parameters
    ----------
    queue
        The queue's folder.
    words
        The command without "onekcal". It runs in the folder it was added from.
    out
        Where the command writes its labels.

    Returns
    -------
    dict
        The command, and whether it waits now and did not before.
    """
    content = {"words": words, "folder": str(Path.cwd()), "out": str(out.resolve())}
    mark = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:8]
    key = f"label-{runner.slug(out.stem)[:50]}-{mark}"
    command = shlex.join(words)
    return {command: jobs.add(queue, key, command, "label", content)}


# --- a job's process --------------------------------------------------------------------------


def work(label: Callable[[Job], Content]) -> None:
    """Run the job of this process.

    Parameters
    ----------
    label
        Runs the `label` command of a job and returns what it made.
    """
    expected = (OnekcalError, RuntimeError, ValueError, MemoryError)
    kinds = {"row": _row, computed.KIND: computed.work, "label": label}
    working(lambda job: kinds[job.kind](job), expected)


def _row(job: Job) -> Content:
    """Every split and seed of a row; each goes on from where it stood."""
    import torch

    torch.set_num_threads(1)
    row = Row.model_validate(job.content["row"])
    runs, origin = [], {}
    everything = list(runner.parts(row))
    for k, (name, about, experiment) in enumerate(everything):
        folder = job.work / f"{k}-{name}"
        _finish(_often(experiment), folder, job, k, len(everything))
        runs.append(about | read_json(folder / "metrics.json"))
        origin = read_json(folder / "provenance.json")
    return dict(runner.summary(row, runs, origin))


def _often(experiment: Experiment) -> Experiment:
    """The experiment, with checkpoints no further apart than `OFTEN`."""
    if experiment.fit.get("checkpoint", 0) <= OFTEN:
        return experiment
    return experiment.model_copy(update={"fit": {**experiment.fit, "checkpoint": OFTEN}})


def _finish(experiment: Experiment, folder: Path, job: Job, number: int, count: int) -> None:
    """Run an experiment to its end, unless its folder is there: that is then whole."""
    from onekcal.networks.training.session import Progress
    from onekcal.runs.run import CHECKPOINTS, run

    if folder.is_dir():
        for left in folder.glob(CHECKPOINTS):
            left.unlink()
        return
    part = folder.with_name(folder.name + ".part")
    if part.exists() and not (part / "experiment.yaml").is_file():
        shutil.rmtree(part)  # killed before anything was computed
    last = {"time": -math.inf, "epoch": -1}

    def watch(progress: Progress) -> None:
        now, whole = time.monotonic(), int(progress.epoch)
        if whole == last["epoch"] and now - last["time"] < NOTED:
            return
        last.update(time=now, epoch=whole)
        each = progress.seconds_left / max(progress.epochs - progress.epoch, 1e-9)
        left = progress.seconds_left + each * progress.epochs * (count - number - 1)
        tell(
            job,
            reached=[number, progress.training, whole],
            experiment=number + 1,
            of=count,
            epoch=progress.epoch,
            epochs=progress.epochs,
            last=progress.last,
            best=progress.best if math.isfinite(progress.best) else None,
            seconds_left=left if math.isfinite(left) else None,
        )

    run(experiment, folder, f"onekcal bench queue: {job.key}", resume=True, watch=watch)


def anew(job: Job) -> None:
    """Drop what a job has left outside the queue, so that other code begins it again.

    Parameters
    ----------
    job
        A job that nobody works on.
    """
    if job.kind == "label":
        out = Path(job.content["out"])
        out.with_name(out.name + ".partial").unlink(missing_ok=True)


# --- results ----------------------------------------------------------------------------------


def collect(queue: Path, results: Path, say: Callable[[str], None] = print) -> int:
    """Bring the results of finished rows into `results`; those already there are left alone.

    Parameters
    ----------
    queue
        The queue's folder.
    results
        Where SUITE.json is kept.
    say
        Hears one line for each result that has to stay in the queue, and why.

    Returns
    -------
    int
        Results brought now.
    """
    return sum(_bring(job, results, say) for job in jobs.jobs(queue))


def _merge(job: Job, result: Content, results: Path) -> str | None:
    """Bring one result; "" when it was brought, None when it was there, else why it cannot be."""
    try:
        today = suite.read(job.content["suite"])
    except OnekcalError as problem:
        return str(problem)
    wanted = {row.name: runner.digest(row) for row in today.rows}
    if wanted.get(result["name"]) != result["row"]:
        what = "another" if result["name"] in wanted else "no"
        return f"suite {today.name} has {what} such row now"
    with folder_lock(results):
        path = results / f"{today.name}.json"
        known = {row["name"]: row for row in stored(path).get("rows", [])}
        there = known.get(result["name"])
        if there and "failed" not in there and there["row"] == result["row"]:
            return None
        if lost := sorted(known.keys() - wanted.keys()):
            return (
                f"{path} holds rows that suite {today.name} does not have here ({lost[0]}); "
                "run `onekcal bench queue collect` with the onekcal they belong to"
            )
        store(path, today, known | {result["name"]: cast(Measured, result)})
    return ""


# --- running and looking ----------------------------------------------------------------------


def run(
    queue: Path,
    results: Path,
    workers: int = 1,
    begin_anew: bool = False,
    nice: int = 10,
    say: Callable[[str], None] = print,
) -> bool:
    """Work through a queue; every result is brought into `results` as soon as it is there.

    Parameters
    ----------
    queue
        The queue's folder.
    results
        Where SUITE.json is kept.
    workers
        Jobs at once, one thread each.
    begin_anew
        Begin jobs again that were begun with other code; they are refused otherwise.
    nice
        By how much the priority of the jobs is lowered.
    say
        Hears one line for each thing that happens.

    Returns
    -------
    bool
        Whether nothing waits any more.
    """

    def bring(job: Job) -> None:
        _bring(job, results, say)

    return run_jobs(queue, WORK, bring, workers, anew if begin_anew else None, say, nice)


def _bring(job: Job, results: Path, say: Callable[[str], None]) -> bool:
    """Bring the result of a row or of species, or say why it stays; whether it was brought now."""
    result = job.result
    if result is None or job.kind == "label":
        return False
    if job.kind == computed.KIND:
        return computed.merge(result, results)
    try:
        why = _merge(job, result, results)
    except DiskFull as problem:
        why = str(problem)
    if why:
        say(f"{job.name}: its result stays in {job.folder / 'result.json'}: {why}")
    return why == ""


class JobLine(TypedDict):
    """One job, as `status` describes it; None where something is not known."""

    job: str
    state: str
    progress: str | None
    core_hours: float
    eta: float | None
    """Seconds."""
    note: str | None


def status(queue: Path) -> list[JobLine]:
    """Describe every job of a queue.

    Parameters
    ----------
    queue
        The queue's folder.

    Returns
    -------
    list
        job, state, progress, core_hours, eta (seconds) and note of each; None where
        unknown.
    """
    now = identity()
    return [_state(job, jobs.other_code(job, now)) for job in jobs.jobs(queue)]


def _state(job: Job, other: str | None) -> JobLine:
    """The line of one job."""
    done, failure, running = job.result, job.failure, job.running
    state = (
        "done"
        if done is not None
        else "failed"
        if failure is not None
        else "running"
        if running
        else "waiting"
    )
    progress = job.progress
    note = failure or (other if state == "waiting" else None)
    if state == "done" and done is not None and "ours" in done:
        note = f"MAE {done['ours']['mae']:.4g}"
    elif state in ("running", "waiting") and progress.get("best") is not None:
        note = note or f"best validation error {progress['best']:.4g}"
    return {
        "job": job.name,
        "state": state,
        "progress": None if state == "done" else _far(job),
        "core_hours": round(job.cost()["cpu_seconds"] / 3600, 3),
        "eta": progress.get("seconds_left") if state == "running" else None,
        "note": note,
    }


def _far(job: Job) -> str | None:
    """How far a job is, in words; None where nothing is known."""
    progress = job.progress
    if job.kind == "label":
        partial = Path(job.content["out"] + ".partial")
        lines = partial.read_text(encoding="utf-8").count("\n") if partial.is_file() else 0
        return f"{lines} molecules" if lines else None
    if not progress:
        return None
    if job.kind == computed.KIND:
        return f"{progress['done']} of {progress['of']} species"
    which = f"run {progress['experiment']} of {progress['of']}, " if progress["of"] > 1 else ""
    return f"{which}epoch {progress['epoch']:.1f} of {progress['epochs']}"
