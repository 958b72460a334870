"""The queue itself: its jobs, its runner and its command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from onekcal.bench import queue as bench
from onekcal.cli.main import app
from onekcal.errors import DataError
from onekcal.system import code, processes, queue_runner
from onekcal.system import queue as jobs
from onekcal.system.files import write_json
from onekcal.system.locks import is_locked, try_lock
from support.queues import NET, RIDGE, TOY, a_suite, toys

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
