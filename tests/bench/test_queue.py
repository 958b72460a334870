"""The queue: nothing is lost or done twice, whatever is killed and whenever."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from pathlib import Path

import pytest

from onekcal.bench import queue as bench
from onekcal.bench import runner
from onekcal.cli.queue import add
from onekcal.errors import DataError, InputError
from onekcal.runs.experiment import parse
from onekcal.system import code
from onekcal.system import queue as jobs
from onekcal.system.files import write_json
from support.queues import NET, RIDGE, a_runner, a_suite

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
