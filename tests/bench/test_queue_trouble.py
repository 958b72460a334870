"""A queue whose suite is edited, two queues on one folder of results, a full disk, other code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from onekcal.bench import queue as bench
from onekcal.bench import results_file, runner, suite
from onekcal.errors import ConfigError, DiskFull
from onekcal.system import code, queue_runner
from onekcal.system import queue as jobs
from onekcal.system.files import read_json, write_json
from support.suites import ROW

TOY = "from onekcal.system import queue_job; queue_job.working({}, (ValueError, OSError))"
"""A job's process that computes what stands between the braces."""
NETWORK: dict[str, Any] = {
    "name": "net",
    "experiment": {
        "data": {"set": "mini", "target": "b3lyp", "train": 40, "valid": 10, "test": 10},
        "stages": ["dressed_atoms", {"hipnn": {"features": 3, "interactions": 1}}],
        "fit": {"recipe": "fast", "epochs": 4, "checkpoint": 0},
    },
}


def row(name: str, seed: int = 0) -> dict[str, Any]:
    """A row that takes a second."""
    return {**ROW, "name": name, "seeds": [seed]}


def a_suite(path: Path, *rows: dict[str, Any]) -> Path:
    """A suite in a file."""
    path.write_text(yaml.safe_dump({"name": "small", "title": "Small", "rows": list(rows)}))
    return path


def told(source: Path) -> str:
    """The work of a job that finds a number without computing: the place of its row."""
    rows = suite.read(str(source)).rows
    digests = {one.name: (k, runner.digest(one)) for k, one in enumerate(rows)}
    found = (
        f"lambda job: (lambda name: {{'name': name, 'paper': {{}}, 'row': {digests}[name][1], "
        f"'ours': {{'mae': {digests}[name][0]}}}})(job.content['row']['name'])"
    )
    return TOY.format(found)


def kept(results: Path) -> dict[str, float]:
    """Name → error of each row in a folder of results."""
    found = json.loads((results / "small.json").read_text())["rows"]
    return {one["name"]: one["ours"]["mae"] for one in found}


# --- a suite that is edited -------------------------------------------------------------------


def test_a_suite_edited_while_its_queue_runs_changes_no_job_and_mixes_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One row is renamed, one changed, one added, and for a while the file is half saved."""
    source, queue, results = tmp_path / "small.yaml", tmp_path / "queue", tmp_path / "results"
    a_suite(source, row("a"), row("b"), row("c"), row("d"))
    bench.add_rows(queue, str(source))
    monkeypatch.setattr(bench, "WORK", told(source))
    edits = {
        "a": lambda: source.write_bytes(source.read_bytes()[:90]),  # an editor's half of a file
        "b": lambda: a_suite(source, row("a"), row("b", seed=5), row("c"), row("e")),
        "c": lambda: None,
    }
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        name = line.removeprefix("small: ")[0]
        if line.endswith(": begun") and name in edits:
            edits[name]()

    assert bench.run(queue, results, say=say)
    stays = {line[7]: line for line in said if "its result stays" in line}
    assert "small.yaml" in stays["a"]
    assert "has another such row now" in stays["b"]
    assert "has no such row now" in stays["d"]
    assert list(kept(results)) == ["c"]
    assert bench.collect(queue, results, lambda line: None) == 1  # a: the file is whole again
    assert list(kept(results)) == ["a", "c"]
    a_suite(source, row("a"), row("b"), row("c"), row("d"))
    assert bench.collect(queue, results) == 2
    assert kept(results) == {"a": 0, "b": 1, "c": 2, "d": 3}


def test_every_beginning_of_a_suite_is_read_or_refused_in_our_words(tmp_path: Path) -> None:
    """A file that an editor is saving ends anywhere, also inside a character."""
    whole = (Path(suite.__file__).parent / "suites/learning-curves.yaml").read_bytes()
    accent = next(k for k, byte in enumerate(whole) if byte > 127)
    path, refused = tmp_path / "half.yaml", 0
    for end in [*range(0, len(whole), 53), accent, accent + 1]:
        path.write_bytes(whole[:end])
        try:
            suite.read(str(path))
        except ConfigError:
            refused += 1
    assert refused > 5


@pytest.mark.parametrize("missing", ["data", "stages"])
def test_a_row_without_content_is_refused_in_our_words(tmp_path: Path, missing: str) -> None:
    bare = {**ROW["experiment"], missing: None}
    with pytest.raises(ConfigError, match=f"row 'x'.*{missing}"):
        suite.read(str(a_suite(tmp_path / "small.yaml", {"name": "x", "experiment": bare})))


# --- two queues -------------------------------------------------------------------------------


def test_two_queues_on_one_folder_of_results_lose_no_row(tmp_path: Path) -> None:
    """Both at once, with one row in common, whose first result stays."""
    names = [[f"x{k}" for k in range(4)], [f"y{k}" for k in range(4)]]
    source = a_suite(tmp_path / "small.yaml", *map(row, [*names[0], *names[1], "both"]))
    results, running = tmp_path / "results", []
    for one in names:
        queue = tmp_path / one[0]
        for name in [*one, "both"]:
            bench.add_rows(queue, str(source), name)
        main = (
            "import sys; from pathlib import Path; from onekcal.bench import queue; "
            "queue.WORK = sys.argv[3]; "
            "queue.run(*map(Path, sys.argv[1:3]), nice=0, say=lambda line: None)"
        )
        words = [str(queue), str(results), told(source)]
        running.append(subprocess.Popen([sys.executable, "-c", main, *words]))
    assert [one.wait(300) for one in running] == [0, 0]
    assert list(kept(results)) == [*names[0], *names[1], "both"]


def test_the_second_result_of_a_row_does_not_replace_the_first(tmp_path: Path) -> None:
    source = a_suite(tmp_path / "small.yaml", row("a"))
    for number, name in enumerate(("one", "two")):
        queue = tmp_path / name
        bench.add_rows(queue, str(source))
        (job,) = jobs.jobs(queue)
        known = bench.Row.model_validate(job.content["row"])
        found = {"name": "a", "row": runner.digest(known), "paper": {}, "ours": {"mae": number}}
        write_json(job.folder / "result.json", found)
        assert bench.collect(queue, tmp_path / "results") == 1 - number
    assert kept(tmp_path / "results") == {"a": 0}


# --- a full disk ------------------------------------------------------------------------------


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_runner, "PAUSE", 0.3)


def toys(queue: Path, compute: str) -> list[str]:
    """Run a queue of toy jobs to its end here; what it said."""
    said: list[str] = []
    queue_runner.run(queue, TOY.format(compute), say=said.append)
    return said


@pytest.mark.usefixtures("impatient")
def test_a_job_that_meets_a_full_disk_waits_and_ends_when_there_is_space(tmp_path: Path) -> None:
    """More often than a job may die, and the others are done meanwhile."""
    for key in ("big", "small"):
        jobs.add(tmp_path, key, key, "toy", {})
    full = queue_runner.DEATHS + 2
    compute = (
        f"lambda job: {{}} if job.key == 'small' or len(job.attempts()) > {full} "
        "else open('/dev/full', 'w', buffering=1).write(chr(10))"
    )
    if not Path("/dev/full").exists():
        pytest.skip("there is no device that is full")
    said = toys(tmp_path, compute)
    assert sum("disk is full; it is tried again" in line for line in said) == full
    assert said.index("small: done") < said.index("big: done")
    assert all(job.result is not None for job in jobs.jobs(tmp_path))


@pytest.mark.usefixtures("impatient")
def test_a_row_whose_checkpoint_meets_a_full_disk_has_the_undisturbed_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, queue, results = tmp_path / "small.yaml", tmp_path / "queue", tmp_path / "results"
    a_suite(source, NETWORK)
    bench.add_rows(queue, str(source))
    here = Path(__file__).resolve().parents[1]
    work = (
        f"import sys; sys.path.insert(0, {str(here)!r}); import pytest; "
        "from support.full_disk import full_after; "
        "sys.argv[2] == '1' and full_after(pytest.MonkeyPatch(), 2); " + bench.WORK
    )
    monkeypatch.setattr(bench, "WORK", work)
    said: list[str] = []
    assert bench.run(queue, results, say=said.append)
    assert any("disk is full" in line for line in said)
    assert read_json(jobs.jobs(queue)[0].folder / "result.json")["starts"] == 2
    calm = runner.run(suite.read(str(source)), tmp_path / "calm")["rows"]
    assert kept(results)["net"] == calm[0]["ours"]["mae"]


@pytest.mark.usefixtures("impatient")
def test_a_runner_outlives_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it cannot even note that it starts a job, or keep a result."""
    source, queue, results = tmp_path / "small.yaml", tmp_path / "queue", tmp_path / "results"
    a_suite(source, row("a"))
    bench.add_rows(queue, str(source))
    monkeypatch.setattr(bench, "WORK", told(source))
    note, store, failures = queue_runner.write_json, results_file.store, iter([True, False])

    def full_once(path: Path, content: object) -> None:
        if next(failures, False):
            raise DiskFull("the disk is full")
        note(path, content)

    monkeypatch.setattr(queue_runner, "write_json", full_once)
    full = pytest.MonkeyPatch()

    def no_space(*_: object) -> None:
        raise DiskFull("the disk is full: results/small.json could not be written")

    full.setattr(bench, "store", no_space)
    said: list[str] = []
    assert bench.run(queue, results, say=said.append)
    full.undo()
    assert "tried again" in said[0]
    assert "stays" in said[-1]
    assert "small.json could not be written" in said[-1]
    assert bench.store is store
    assert bench.collect(queue, results) == 1


# --- other code -------------------------------------------------------------------------------


@pytest.mark.parametrize("anew", [False, True])
def test_a_checkpoint_of_other_code_is_refused_or_not_looked_at(tmp_path: Path, anew: bool) -> None:
    """Never mixed: a half-trained network of another version is no beginning for this one."""
    source, queue, results = tmp_path / "small.yaml", tmp_path / "queue", tmp_path / "results"
    a_suite(source, NETWORK)
    bench.add_rows(queue, str(source))
    (job,) = jobs.jobs(queue)
    job.work.mkdir()
    (name, _, _), *_ = runner.parts(bench.Row.model_validate(job.content["row"]))
    half = job.work / f"0-{name}.part"
    half.mkdir()
    (half / "experiment.yaml").write_text("of another version")
    (half / "training-0.safetensors").write_bytes(b"of another version")
    write_json(job.folder / "code.json", {**code.identity(), "version": "0", "digest": "f" * 64})
    said: list[str] = []
    assert bench.run(queue, results, begin_anew=anew, say=said.append) is anew, said
    if not anew:
        assert "was begun with onekcal 0" in said[0]
        assert (half / "training-0.safetensors").read_bytes() == b"of another version"
        assert not (results / "small.json").exists()
        return
    calm = runner.run(suite.read(str(source)), tmp_path / "calm")["rows"]
    assert kept(results)["net"] == calm[0]["ours"]["mae"]
    assert job.code == code.identity()
