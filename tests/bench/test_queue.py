"""The queue: nothing is lost or done twice, whatever is killed and whenever."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from onekcal.bench import queue as bench
from onekcal.bench import runner
from onekcal.cli.main import app
from onekcal.cli.queue import add
from onekcal.errors import DataError, InputError
from onekcal.runs.experiment import parse
from onekcal.system import code, processes, queue_runner
from onekcal.system import queue as jobs
from onekcal.system.files import write_json
from onekcal.system.locks import is_locked, try_lock

NET: dict[str, Any] = {
    "name": "net",
    "seeds": [0, 1],
    "experiment": {
        "data": {"set": "mini", "target": "b3lyp", "train": 60, "valid": 20, "test": 20},
        "stages": ["dressed_atoms", {"hipnn": {"features": 5}}],
        "fit": {"recipe": "fast", "epochs": 150, "checkpoint": 0},
    },
}
RIDGE: dict[str, Any] = {
    "name": "ridge",
    "experiment": {
        "data": {"set": "mini", "target": "b3lyp", "train": 50, "valid": 0, "test": 20},
        "stages": [
            "dressed_atoms",
            {"regression": {"features": "sorted_eigenvalues", "size": 24, "estimator": "ridge"}},
        ],
    },
}
TOY = "from onekcal.system import queue_job; queue_job.working({}, (ValueError,))"
"""A job's process that computes what stands between the braces."""


def a_suite(folder: Path, *rows: dict[str, Any]) -> Path:
    """A suite in a file."""
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump({"name": "small", "title": "Small", "rows": list(rows)}))
    return path


def a_runner(queue: Path, results: Path) -> subprocess.Popen[bytes]:
    """`onekcal bench queue run` in a process of its own."""
    asked = ["bench", "queue", "run", "--queue", str(queue), "--results", str(results)]
    return subprocess.Popen([sys.executable, "-m", "onekcal", *asked], stderr=subprocess.DEVNULL)


def toys(queue: Path, compute: str, **options: Any) -> list[str]:
    """Run a queue of toy jobs to its end here; what it said."""
    said: list[str] = []
    queue_runner.run(queue, TOY.format(compute), say=said.append, **options)
    return said


# --- rows -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_twenty_kills_lose_nothing_and_change_no_number(tmp_path: Path) -> None:
    """Runner and job are killed in turn, at random moments; the result is the undisturbed one."""
    source, queue, results = a_suite(tmp_path, NET, RIDGE), tmp_path / "queue", tmp_path / "results"
    bench.add_rows(queue, str(source))
    moments, begun_anew, reached = random.Random(7), 0, 0.0
    running = a_runner(queue, results)
    for k in range(20):
        time.sleep(moments.uniform(0.2, 5.0))
        now = jobs.jobs(queue)
        far = sum(_epochs(job) for job in now)
        begun_anew += far < reached - 1e-9
        reached = max(reached, far)
        pids = [job.attempts()[-1].get("pid") for job in now if job.running and job.attempts()]
        if k % 3 == 2 and pids and pids[0]:
            os.kill(pids[0], signal.SIGKILL)
        else:
            running.kill()
            running.wait()
            running = a_runner(queue, results)
    assert running.wait(300) == 0
    found = json.loads((results / "small.json").read_text())["rows"]
    calm = runner.run(bench.suite.read(str(source)), tmp_path / "calm")["rows"]
    assert [row["name"] for row in found] == ["net", "ridge"]
    assert begun_anew == 0
    assert found[0]["starts"] > 2
    assert found[0]["core_hours"] > 0
    for one, other in zip(found, calm):
        # one thread in both: the same sums in the same order
        assert [run["mae"] for run in one["runs"]] == [run["mae"] for run in other["runs"]]


def _epochs(job: jobs.Job) -> float:
    """Epochs behind a job, as its checkpoints and finished runs tell."""
    if job.result is not None:
        return 300.0
    from onekcal.system import tensor_file

    done = 0.0
    for path in job.work.glob("*"):
        if path.suffix != ".part":
            done += 150
        for kept in path.glob("training-*.safetensors"):
            try:
                done += (
                    0
                    if path.suffix != ".part"
                    else tensor_file.read(kept, 1, "a checkpoint", "")[1]["epochs_done"]
                )
            except DataError:
                done += 150  # the run ended while we looked
    return done


def test_a_row_of_a_queue_has_the_result_of_a_suite_and_says_its_code_and_cost(
    tmp_path: Path,
) -> None:
    source, results = a_suite(tmp_path, RIDGE), tmp_path / "results"
    queue = tmp_path / "queue"
    assert bench.add_rows(queue, str(source)) == {"ridge": True}
    assert bench.add_rows(queue, str(source)) == {"ridge": False}  # once only
    assert bench.run(queue, results, say=lambda line: None)
    (row,) = json.loads((results / "small.json").read_text())["rows"]
    (calm,) = runner.run(bench.suite.read(str(source)), tmp_path / "calm")["rows"]
    assert row["ours"]["mae"] == calm["ours"]["mae"]
    assert row["code"] == code.identity()
    assert row["starts"] == 1
    assert row["core_hours"] > 0
    (shown,) = bench.status(queue)
    assert (shown["state"], shown["note"]) == ("done", f"MAE {row['ours']['mae']:.4g}")


def test_a_result_of_a_row_the_suite_no_longer_has_stays_in_the_queue_and_is_said(
    tmp_path: Path,
) -> None:
    source, results, queue = a_suite(tmp_path, RIDGE), tmp_path / "results", tmp_path / "queue"
    bench.add_rows(queue, str(source))
    (job,) = jobs.jobs(queue)
    _done_as(job, {"mae": 1.0})
    said: list[str] = []
    a_suite(tmp_path, {**RIDGE, "seeds": [5]})
    assert bench.collect(queue, results, said.append) == 0
    assert "has another such row now" in said[0]
    a_suite(tmp_path, NET)
    assert bench.collect(queue, results, said.append) == 0
    assert "has no such row now" in said[1]
    assert not (results / "small.json").exists()
    a_suite(tmp_path, RIDGE)
    assert bench.collect(queue, results, said.append) == 1
    assert bench.collect(queue, results, said.append) == 0  # once only
    assert len(said) == 2


def test_results_of_rows_this_code_does_not_know_are_not_dropped(tmp_path: Path) -> None:
    source, results, queue = a_suite(tmp_path, RIDGE), tmp_path / "results", tmp_path / "queue"
    bench.add_rows(queue, str(source))
    (job,) = jobs.jobs(queue)
    _done_as(job, {"mae": 1.0})
    results.mkdir()
    kept = {"rows": [{"name": "of another code", "row": "1", "paper": {}}]}
    write_json(results / "small.json", kept)
    said: list[str] = []
    assert bench.collect(queue, results, said.append) == 0
    assert "does not have here (of another code)" in said[0]
    assert json.loads((results / "small.json").read_text()) == kept


def _done_as(job: jobs.Job, ours: dict[str, float]) -> None:
    """A row's job, finished without being run."""
    row = bench.Row.model_validate(job.content["row"])
    write_json(
        job.folder / "result.json",
        {"name": row.name, "row": runner.digest(row), "paper": {}, "ours": ours},
    )


def test_checkpoints_are_at_most_ten_minutes_apart() -> None:
    network = {**NET["experiment"], "fit": {"epochs": 1, "checkpoint": 7200}}
    assert bench._often(parse(network)).fit["checkpoint"] == 600
    assert bench._often(parse(NET["experiment"])).fit["checkpoint"] == 0


def test_a_run_is_whole_before_its_checkpoint_goes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A kill between the two leaves a finished run, which the queue takes as it is."""
    from onekcal.runs import run

    def killed(self: Path, missing_ok: bool = False) -> None:
        if self.name.startswith("training-"):
            raise KeyboardInterrupt

    short = parse({**NET["experiment"], "fit": {"recipe": "fast", "epochs": 1}})
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            run.run(short, tmp_path / "one")
    assert (tmp_path / "one/metrics.json").is_file()
    assert not (tmp_path / "one.part").exists()


# --- labels -----------------------------------------------------------------------------------


def test_a_label_job_makes_its_labels_once(tmp_path: Path) -> None:
    queue, out = tmp_path / "queue", tmp_path / "out.h5"
    command = f"onekcal label mini {out} --sample 3"
    add(label=command, queue=queue)
    (job,) = jobs.jobs(queue)
    assert job.content["words"][-2:] == ["--workers", "1"]
    assert bench.run(queue, tmp_path / "results", say=lambda line: None)
    assert out.is_file()
    assert jobs.jobs(queue)[0].result is not None
    written = out.stat().st_mtime_ns
    (job.folder / "result.json").unlink()  # as if killed right before it was kept
    assert bench.run(queue, tmp_path / "results", say=lambda line: None)
    assert jobs.jobs(queue)[0].result is not None
    assert out.stat().st_mtime_ns == written


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("onekcal train x.yaml", "takes a command such as"),
        ("onekcal label mini", "(?i)argument .*out"),
        ("label mini out.h5 --metod gfn2", "--metod"),
    ],
)
def test_a_label_job_that_cannot_run_is_refused_when_it_is_added(
    tmp_path: Path,
    command: str,
    said: str,
) -> None:
    with pytest.raises(InputError, match=said):
        add(label=command, queue=tmp_path)
    assert jobs.jobs(tmp_path) == []


# --- the queue itself -------------------------------------------------------------------------


def test_a_job_has_one_thread_and_a_low_priority(tmp_path: Path) -> None:
    jobs.add(tmp_path, "one", "one", "toy", {})
    toys(
        tmp_path,
        "lambda job: {'nice': __import__('os').nice(0), "
        "'threads': __import__('os').environ['OMP_NUM_THREADS']}",
        nice=3,
    )
    found = jobs.jobs(tmp_path)[0].result
    assert found is not None
    assert found["threads"] == "1"
    assert found["nice"] == min(os.nice(0) + 3, 19)


def test_a_job_that_dies_again_and_again_fails_and_is_tried_again_when_added(
    tmp_path: Path,
) -> None:
    jobs.add(tmp_path, "one", "one", "toy", {})
    dies = "lambda job: __import__('os').kill(__import__('os').getpid(), 9)"
    said = toys(tmp_path, dies)
    assert sum("started again" in line for line in said) == queue_runner.DEATHS - 1
    failure = jobs.jobs(tmp_path)[0].failure
    assert failure is not None
    assert "out of memory?" in failure
    assert toys(tmp_path, "lambda job: {}") == []
    assert jobs.add(tmp_path, "one", "one", "toy", {})
    toys(tmp_path, "lambda job: {}")
    assert jobs.jobs(tmp_path)[0].result is not None


def test_a_job_that_cannot_be_done_says_why_and_the_next_one_runs(tmp_path: Path) -> None:
    for key in ("bad", "good"):
        jobs.add(tmp_path, key, key, "toy", {})
    toys(tmp_path, "lambda job: {'bad': int}[job.key]('x') if job.key == 'bad' else {}")
    bad, good = jobs.jobs(tmp_path)
    assert "invalid literal" in str(bad.failure)
    assert good.result is not None


def test_two_runners_run_every_job_once(tmp_path: Path) -> None:
    for key in range(6):
        jobs.add(tmp_path / "queue", str(key), str(key), "toy", {})
    begun = tmp_path / "begun"
    compute = (
        f"lambda job: open({str(begun)!r}, 'a').write(job.key) "
        "and __import__('time').sleep(0.3) or {}"
    )
    work = TOY.format(compute)
    main = (
        "import sys; from pathlib import Path; from onekcal.system import queue_runner; "
        "queue_runner.run(Path(sys.argv[1]), sys.argv[2], say=lambda line: None)"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", main, str(tmp_path / "queue"), work])
        for _ in range(2)
    ]
    assert [one.wait(120) for one in both] == [0, 0]
    assert sorted(begun.read_text()) == list("012345")


def test_a_killed_runner_frees_its_job_only_when_the_jobs_process_is_dead(tmp_path: Path) -> None:
    jobs.add(tmp_path, "one", "one", "toy", {})
    running = _sleeping(tmp_path)
    lock, (pid,) = tmp_path / "jobs/one/lock", _pids(tmp_path)
    running.kill()
    running.wait()
    _until(lambda: not is_locked(lock))
    assert not _alive(pid)


def test_a_job_that_outlives_its_runner_is_heard_of_by_the_next(tmp_path: Path) -> None:
    """Its process ends well between two looks of a runner that has already looked for results."""
    jobs.add(tmp_path, "one", "one", "toy", {})
    (job,) = jobs.jobs(tmp_path)
    lock = try_lock(job.folder / "lock")
    assert lock is not None
    heard: list[str] = []

    def last_breath() -> None:
        time.sleep(1.0)
        write_json(job.folder / "result.json", {})
        os.close(lock)

    dying = threading.Thread(target=last_breath)
    dying.start()
    toys(tmp_path, "lambda job: {}", ended=lambda job: heard.append(job.key))
    dying.join()
    assert heard == ["one"]


def test_stop_ends_the_runner_and_the_job_goes_on_later(tmp_path: Path) -> None:
    jobs.add(tmp_path, "one", "one", "toy", {})
    running = _sleeping(tmp_path)
    assert jobs.stop(tmp_path) == [running.pid]
    running.wait()
    assert not is_locked(tmp_path / "jobs/one/lock")
    assert jobs.jobs(tmp_path)[0].failure is None
    assert jobs.stop(tmp_path) == []
    toys(tmp_path, "lambda job: {}")
    found = jobs.jobs(tmp_path)[0].result
    assert found is not None
    assert found["starts"] == 2


def _sleeping(queue: Path) -> subprocess.Popen[bytes]:
    """A runner whose job sleeps."""
    main = (
        "import sys; from pathlib import Path; from onekcal.system import queue_runner; "
        "queue_runner.run(Path(sys.argv[1]), sys.argv[2], say=lambda line: None)"
    )
    work = TOY.format("lambda job: __import__('time').sleep(600) or {}")
    running = subprocess.Popen([sys.executable, "-c", main, str(queue), work])
    _until(lambda: _pids(queue) != [])
    return running


def _pids(queue: Path) -> list[int]:
    return [one["pid"] for job in jobs.jobs(queue) for one in job.attempts() if "pid" in one]


def _until(true: Any, seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] not in "ZX"
    except FileNotFoundError:
        return False


def test_a_job_is_not_gone_on_with_under_other_code_unless_begun_anew(tmp_path: Path) -> None:
    jobs.add(tmp_path, "one", "one", "toy", {})
    (job,) = jobs.jobs(tmp_path)
    then = {"version": "0.0.9", "commit": None, "digest": "f" * 64}
    write_json(job.folder / "code.json", then)
    job.work.mkdir()
    (job.work / "half").touch()
    (said,) = toys(tmp_path, "lambda job: {}")
    assert "was begun with onekcal 0.0.9, source ffffffff, but this is" in said
    assert job.result is None
    assert bench.status(tmp_path)[0]["note"] == said
    forgotten: list[str] = []
    toys(
        tmp_path,
        "lambda job: {'left': len(list(job.work.iterdir()))}",
        anew=lambda job: forgotten.append(job.key),
    )
    found = job.result
    assert found is not None
    assert (found["left"], found["code"]) == (0, code.identity())
    assert forgotten == ["one"]


def test_a_result_whose_code_changed_meanwhile_is_not_kept(tmp_path: Path) -> None:
    jobs.add(tmp_path, "one", "one", "toy", {})
    toys(tmp_path, "lambda job: setattr(queue_job.code, 'digest', lambda: 'x') or {}")
    (job,) = jobs.jobs(tmp_path)
    assert job.result is None
    assert "changed while it ran" in str(job.failure)


def test_other_sources_are_other_code(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    first = code.digest(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__/a.pyc").touch()
    assert code.digest(tmp_path) == first
    (tmp_path / "a.py").write_text("x = 2\n")
    assert code.digest(tmp_path) != first


def test_a_lock_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    held = try_lock(tmp_path / "lock")
    assert held is not None
    assert try_lock(tmp_path / "lock") is None
    assert is_locked(tmp_path / "lock")
    os.close(held)
    assert not is_locked(tmp_path / "lock")


def test_a_job_of_a_newer_onekcal_is_refused(tmp_path: Path) -> None:
    jobs.add(tmp_path, "one", "one", "toy", {})
    path = tmp_path / "jobs/one/job.json"
    write_json(path, {**json.loads(path.read_text()), "format": 2})
    with pytest.raises(DataError, match="newer onekcal"):
        jobs.jobs(tmp_path)


# --- the command line -------------------------------------------------------------------------


def asked(*words: str) -> Any:
    """`onekcal bench queue WORDS` in this process."""
    return CliRunner().invoke(app, ["bench", "queue", *words])


def test_the_command_line_adds_shows_and_stops(tmp_path: Path) -> None:
    queue = str(tmp_path / "queue")
    source = str(a_suite(tmp_path, NET, RIDGE))
    assert asked("add", source, "--rows", "ridge", "--queue", queue).stdout == "ridge: waits\n"
    again = asked("add", source, "--queue", queue).stdout
    assert again == "net: waits\nridge: is in the queue already\n"
    shown = json.loads(asked("status", "--queue", queue, "--json").stdout)
    assert [one["job"] for one in shown] == ["small: ridge", "small: net"]
    assert {one["state"] for one in shown} == {"waiting"}
    assert "small: net" in asked("status", "--queue", queue).stdout
    assert asked("stop", "--queue", queue).stdout == "nothing runs\n"
    assert asked("collect", "--queue", queue).stdout == "0 brought\n"


def test_the_command_line_refuses_what_it_cannot_do(tmp_path: Path) -> None:
    assert "got neither" in str(asked("add").exception)
    assert "got both" in str(asked("add", "mini", "--label", "label a b.h5").exception)
    assert "is no queue" in str(asked("status", "--queue", str(tmp_path / "none")).exception)


def test_a_process_ends_when_its_parent_is_not_the_one_it_was_started_by() -> None:
    """Also where the parent died before the process looked."""
    body = "from onekcal.system import processes as p; import time; p.end_with_parent({}); "
    gone = subprocess.Popen([sys.executable, "-c", body.format(2**22 + 1) + "time.sleep(30)"])
    assert gone.wait(20) == 1
    assert callable(processes.end_with_parent)
