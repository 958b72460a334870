"""Suites, the runner and the tables: resumed, honest about failure, and equal to the results."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from onekcal.bench import pages, runner, suite, tables
from onekcal.errors import ConfigError
from support.suites import ROW, small

BROKEN = {
    **ROW,
    "name": "broken",
    "experiment": {**ROW["experiment"], "stages": [{"baseline": "ccsd"}]},
}


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are measured here: a process of their own imports everything for seconds."""
    monkeypatch.setattr(runner, "_in_own_process", runner._measured)


def test_every_shipped_suite_is_valid() -> None:
    assert "qm7-classical" in suite.names()
    for name in suite.names():
        assert suite.read(name).rows


def test_finished_rows_are_kept_failed_ones_reported_and_the_mean_is_over_runs(
    tmp_path: Path,
) -> None:
    heard: list[str] = []

    def watch(name: str, row: dict | None) -> None:
        if row is None:
            heard.append(name)

    found = runner.run(small(ROW, BROKEN), tmp_path, watch=watch)
    good, bad = found["rows"]
    assert good["ours"]["mae"] == pytest.approx(sum(r["mae"] for r in good["runs"]) / 2, rel=1e-5)
    assert good["runs"][0]["mae"] != good["runs"][1]["mae"]
    assert "needs a column 'ccsd'" in bad["failed"]
    runner.run(small(ROW, BROKEN), tmp_path, watch=watch)
    assert heard == ["ridge", "broken", "broken"]


@pytest.mark.usefixtures("in_this_process")
def test_a_row_is_run_again_where_it_has_changed_or_where_asked(tmp_path: Path) -> None:
    heard: list[str] = []

    def ran(row: dict, again: bool = False) -> bool:
        heard.clear()
        runner.run(
            small(row),
            tmp_path,
            watch=lambda name, done: heard.append(name) if done is None else None,
            again=again,
        )
        return bool(heard)

    other = {**ROW, "seeds": [0]}
    assert [ran(ROW), ran(ROW), ran(other), ran(other), ran(other, again=True)] == [
        True,
        False,
        True,
        False,
        True,
    ]


def test_a_table_is_made_from_results_and_a_typed_number_is_found(tmp_path: Path) -> None:
    row = {
        "name": "a / b",
        "paper": {"mae": 2.0},
        "train": 5,
        "seconds": 1.0,
        "peak_mib": 9,
        "ours": {"mae": 1.5, "rmse": 2.5, "median": 1.0, "above_1": 0.5},
    }
    (tmp_path / "results").mkdir()
    (tmp_path / "docs").mkdir()
    (tmp_path / "results/small.json").write_text(
        json.dumps({"title": "T", "unit": "kcal/mol", "rows": [row]})
    )
    page = tmp_path / "README.md"
    page.write_text("<!-- results: small -->\n<!-- end -->\n")
    assert len(pages.check(tmp_path, write=True)) == 1
    assert "| a / b | 5 | 2.00 | 1.50 | 2.50 | 1.00 | 50 % | 1 | 9 |" in page.read_text()
    assert pages.check(tmp_path) == []
    page.write_text(page.read_text().replace("1.50", "0.50"))
    assert len(pages.check(tmp_path)) == 1


def test_an_unknown_row_lists_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="available: ridge"):
        runner.run(small(ROW), tmp_path, only="svm")


@pytest.mark.usefixtures("in_this_process")
def test_run_folders_are_kept_where_asked(tmp_path: Path) -> None:
    runner.run(small(ROW), tmp_path / "results", runs=tmp_path / "runs")
    assert {p.name for p in (tmp_path / "runs").iterdir()} == {"ridge-random-0", "ridge-random-1"}
    assert (tmp_path / "runs/ridge-random-1/model.safetensors").is_file()


def test_a_table_has_lines_for_other_geometries_and_columns_only_where_something_is_in_them() -> (
    None
):
    ours = {"mae": 0.5, "rmse": 0.7, "median": 0.3, "above_1": 0.1, "coverage": 0.9}
    row = {
        "name": "a",
        "paper": {},
        "train": 5,
        "seconds": 1.0,
        "peak_mib": 9,
        "ours": ours
        | {f"smiles: {key}": 2 * value for key, value in ours.items() if key != "coverage"},
    }
    first, second = tables.rows({"rows": [row]})
    assert (first["row"], first["MAE"], first["90 % holds"]) == ("a", "0.500", "90.0 %")
    assert (second["row"], second["MAE"], second["90 % holds"]) == (
        "a, smiles geometry",
        "1.00",
        "–",
    )
    assert not {"paper MAE", "forces"} & set(first)
    forces = tables.rows({"rows": [{**row, "ours": ours | {"force_mae": 0.25}}]})
    assert forces[0]["forces"] == "0.250"


def test_a_quick_run_is_smaller_and_kept_apart(tmp_path: Path) -> None:
    slow = {**ROW, "name": "slow"}
    both = small({**ROW, "quick": ["data.train=20", "data.test=10"]}, slow)
    fast = suite.quick(both)
    assert [row.name for row in fast.rows] == ["ridge"]
    (experiment,) = fast.rows[0].experiments()  # one seed of two
    assert (experiment.data.train, both.rows[0].experiments()[0].data.train) == (20, 50)
    assert "not a result" in fast.title
    with pytest.raises(ConfigError, match="no row of small has a quick form"):
        suite.with_quick([small(slow)])


@pytest.mark.slow
def test_rows_run_at_once_find_what_they_find_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = small({**ROW, "seeds": [0]}, {**ROW, "name": "other", "seeds": [2]}, BROKEN)
    together = runner.run(both, tmp_path / "2", workers=2)
    monkeypatch.setattr(runner, "_in_own_process", runner._measured)
    apart = runner.run(both, tmp_path / "1")
    assert [row["name"] for row in together["rows"]] == ["ridge", "other", "broken"]
    for one, other in zip(apart["rows"][:2], together["rows"][:2]):
        assert one["ours"]["mae"] == pytest.approx(
            other["ours"]["mae"], rel=1e-9
        )  # sums of another process
    assert apart["rows"][0]["ours"]["mae"] != pytest.approx(
        apart["rows"][1]["ours"]["mae"], rel=1e-3
    )
    assert "needs a column 'ccsd'" in together["rows"][2]["failed"]


def test_a_row_whose_process_is_killed_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dying = tmp_path / "python"
    dying.write_text("#!/bin/sh\nkill -9 $$\n")
    dying.chmod(0o755)
    for program, said in (
        ("/bin/false", "its process ended with 1"),
        (dying, "its process ended with -9 (out of memory?)"),
    ):
        monkeypatch.setattr(runner.sys, "executable", str(program))
        (row,) = runner.run(small(ROW), tmp_path)["rows"]
        assert row["failed"] == said


def test_seeds_and_device_are_changed_for_every_row() -> None:
    network = {
        **ROW,
        "name": "net",
        "experiment": {**ROW["experiment"], "stages": ["schnet"], "fit": {"epochs": 1}},
    }
    other = suite.overridden(small(ROW, network), [5, 6], "cuda")
    assert [row.seeds for row in other.rows] == [[5, 6]] * 2
    assert other.rows[1].experiments()[0].fit["device"] == "cuda"
    assert "fit" not in other.rows[0].experiment


def test_the_table_of_families_sets_a_model_beside_itself_on_gfn2() -> None:
    ours = {
        "mae": 5.0,
        "rmse": 7.0,
        "median": 3.0,
        "above_1": 0.8,
        "fit_seconds": 12.0,
        "predict_seconds_per_molecule": 2e-4,
    }
    row = {"paper": {}, "train": 5, "seconds": 1.0, "peak_mib": 9, "runs": [{"parameters": 1234}]}
    found = {
        "suite": "families",
        "rows": [
            {**row, "name": "bad", "ours": ours | {"mae": 9.0}, "runs": [{}]},
            {**row, "name": "good", "ours": ours},
            {**row, "name": "good, on GFN2-xTB", "ours": ours | {"mae": 1.5}},
        ],
    }
    first, second = tables.rows(found)
    assert (first["row"], first["MAE"], first["on GFN2: MAE"], first["parameters"]) == (
        "good",
        "5.00",
        "1.50",
        "1,234",
    )
    assert (
        first["µs a molecule"],
        second["row"],
        second["on GFN2: MAE"],
        second["parameters"],
    ) == ("200", "bad", "–", "–")


@pytest.mark.parametrize(
    ("watched", "outlives"), [("runner.end_with_parent()", False), ("pass", True)]
)
def test_a_killed_bench_leaves_no_row_behind(watched: str, outlives: bool) -> None:
    child = (
        f"import sys, time; from onekcal.bench import runner; {watched}; "
        "print('on', flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {child!r}]); "
            "print(p.pid, flush=True); p.wait()",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    told = {parent.stdout.readline().strip(), parent.stdout.readline().strip()}
    row = int(next(iter(told - {"on"})))
    parent.kill()
    parent.wait()
    # the pipe's end is seen when the row, too, has let go of it
    closed = select.select([parent.stdout], [], [], 4 if outlives else 60)[0] != []
    if not closed:
        os.kill(row, signal.SIGKILL)
    parent.stdout.close()
    assert closed is not outlives


def test_an_error_reads_alike_in_every_table() -> None:
    shown = [tables.error_text(value) for value in (0.12345, 12.345, 999.994, 1234.5, None)]
    assert shown == ["0.123", "12.35", "999.99", "1,234", "–"]
