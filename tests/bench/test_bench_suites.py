"""Names of suites, budgets, what a row of results/ may claim, and the table of all papers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from onekcal.bench import orders, pages, papers, runner, suite, tables
from onekcal.bench.unsupported import unsupported
from onekcal.cli.main import app
from onekcal.errors import ConfigError
from support.suites import ROW, small

QUICK = {**ROW, "quick": ["data.train=20", "data.test=10"]}


def test_the_papers_and_the_studies_have_the_names_they_are_asked_for_by() -> None:
    wanted = {
        "qm7",
        "atomcloud",
        "hipnn-tables",
        "schnet-tables",
        "schnet-milestone",
        "voxels",
        "qm9-kernels",
        "g4mp2",
        "rmd17",
        "families",
        "learning-curves",
        "all",
    }
    assert wanted <= {*suite.names(), *suite.GROUPS, "all"}
    assert [one.name for one in suite.chosen("qm7")] == [
        "qm7-classical",
        "qm7-kernels",
        "qm7-networks",
    ]
    assert [one.name for one in suite.chosen("all")] == suite.names()
    with pytest.raises(ConfigError, match="no suite 'qm8'.*qm7"):
        suite.chosen("qm8")


def test_every_suite_has_a_quick_form_of_its_papers_rows() -> None:
    """So that a quick run of everything fills the table of all papers."""
    fast = {
        (one.name, row.name) for one in suite.with_quick(suite.chosen("all")) for row in one.rows
    }
    assert {name for name, _ in fast} == set(suite.names())
    assert {(main.suite, main.row) for paper in papers.listed() for main in paper.rows} <= fast


def test_a_quick_form_does_not_change_what_the_full_row_is_and_is_not_taken_for_it() -> None:
    full, fast = suite.Row(**ROW), suite.quick(small(QUICK)).rows[0]
    assert runner.digest(suite.Row(**QUICK)) == runner.digest(full) != runner.digest(fast)
    assert (full.budget, fast.budget) == ("full", "quick")


def test_rows_take_the_suites_quick_form_unless_they_have_their_own() -> None:
    own = {**QUICK, "name": "own"}
    both = suite.Suite(
        name="small",
        title="A small suite",
        quick=["data.train=30"],
        rows=[suite.Row(**ROW), suite.Row(**own)],
    )
    assert [row.experiments()[0].data.train for row in suite.quick(both).rows] == [30, 20]


def test_the_device_does_not_make_another_row_but_seeds_do() -> None:
    network = {
        **ROW,
        "experiment": {**ROW["experiment"], "stages": ["schnet"], "fit": {"epochs": 1}},
    }
    one = small(network)
    there, other = (
        suite.overridden(one, device="cuda").rows[0],
        suite.overridden(one, seeds=[7]).rows[0],
    )
    assert runner.digest(there) == runner.digest(one.rows[0]) != runner.digest(other)


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows without an interpreter of their own."""
    monkeypatch.setattr(
        runner, "_in_own_process", lambda job: runner.measure(suite.Row.model_validate(job["row"]))
    )


@pytest.mark.usefixtures("in_this_process")
def test_a_quick_run_on_the_command_line_is_marked_kept_apart_and_resumed(tmp_path: Path) -> None:
    asked = [
        "bench",
        "mini",
        "--budget",
        "quick",
        "--rows",
        "xTB + dressed atoms",
        "--results",
        str(tmp_path),
    ]
    first = CliRunner().invoke(app, asked)
    assert first.exit_code == 0
    assert "GFN2-xTB + dressed atoms (quick)" in first.stdout
    assert "row 2 of 2" in first.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["quick"]
    assert (
        "row 1 of" not in CliRunner().invoke(app, asked).stderr
    )  # finished rows are not run again
    quick = json.loads((tmp_path / "quick/mini.json").read_text())
    assert {row["budget"] for row in quick["rows"]} == {"quick"}
    (tmp_path / "mini.json").write_text(json.dumps(quick))  # where only full rows may be
    assert all("is of a quick run" in why for why in unsupported(tmp_path))
    assert len(unsupported(tmp_path)) == len(quick["rows"])


def test_words_that_only_some_suites_of_a_group_have_leave_the_others_out() -> None:
    both = [
        small(ROW),
        suite.Suite(name="second", title="Second", rows=[suite.Row(**{**ROW, "name": "lasso"})]),
    ]
    assert [one.name for one in suite.picked(both, "lasso")] == ["second"]
    assert suite.picked(both, None) == both
    with pytest.raises(
        ConfigError, match="no row of small, second contains 'svm'; available: ridge, lasso"
    ):
        suite.picked(both, "svm")


def test_a_row_that_its_suite_does_not_say_is_found(tmp_path: Path) -> None:
    row = suite.read("mini").rows[0]
    good = {"name": row.name, "paper": {}, "row": runner.digest(row)}

    def said(**change: object) -> str:
        (tmp_path / "mini.json").write_text(json.dumps({"suite": "mini", "rows": [good | change]}))
        (found,) = unsupported(tmp_path) or [""]
        return found

    assert said() == ""
    assert "is no row of its suite" in said(name="another")
    assert "is of another experiment" in said(row="0" * 64)
    assert "has another paper's number" in said(paper={"mae": 1.0})
    assert "is of a quick run" in said(budget="quick")
    assert said(row="", failed="out of memory") == ""


@pytest.mark.usefixtures("in_this_process")
def test_a_papers_number_corrected_in_the_suite_reaches_the_results_without_a_run(
    tmp_path: Path,
) -> None:
    runner.run(small(ROW), tmp_path)
    heard: list[object] = []
    found = runner.run(
        small({**ROW, "paper": {"mae": 49.0}}), tmp_path, watch=lambda name, row: heard.append(row)
    )
    assert found["rows"][0]["paper"] == {"mae": 49.0}
    assert None not in heard


def test_only_as_many_rows_are_said_to_run_as_there_are_workers() -> None:
    heard: list[str] = []
    queue = runner._Queue(lambda name, row: heard.append(name), 2)
    for name in "abcd":
        queue.handed_over(name)
    assert heard == ["a", "b"]
    queue.ended("b")
    assert heard == ["a", "b", "c"]


def test_the_table_of_all_papers_has_a_dash_where_nothing_was_measured_and_marks_quick_rows(
    tmp_path: Path,
) -> None:
    assert {line["MAE"] for line in papers.rows(tmp_path)} == {"–"}
    entry = papers.listed()[0].rows[0]
    row = {
        "name": entry.row,
        "train": 500,
        "ours": {"mae": 31.25},
        "paper": {"mae": 29.08},
        "budget": "quick",
    }
    (tmp_path / f"{entry.suite}.json").write_text(json.dumps({"rows": [row]}))
    first = papers.rows(tmp_path)[0]
    assert (first["row"], first["paper MAE"], first["MAE"]) == (
        f"{entry.row} (quick)",
        "29.08",
        "31.25",
    )


def test_a_failed_first_row_does_not_hide_the_columns_of_the_others() -> None:
    ours = {"mae": 0.5, "rmse": 0.7, "median": 0.3, "above_1": 0.1}
    good = {"name": "b", "paper": {}, "train": 5, "seconds": 1.0, "peak_mib": 9, "ours": ours}
    first, second = tables.rows({"rows": [{"name": "a", "paper": {}, "failed": "no memory"}, good]})
    assert list(first) == list(second)
    assert (first["MAE"], first["RMSE"], second["RMSE"]) == ("failed", "–", "0.700")


def test_a_page_may_ask_for_a_suite_that_has_not_run_yet_but_not_for_one_there_is_not(
    tmp_path: Path,
) -> None:
    text = "<!-- results: families -->\n<!-- end -->\n"
    assert "Not measured yet: `onekcal bench families`" in pages.renewed(text, tmp_path)
    with pytest.raises(Exception, match="no suite of that name"):
        pages.renewed(text.replace("families", "famlies"), tmp_path)


def test_a_study_of_its_own_names_its_columns() -> None:
    found = {
        "suite": "study",
        "rows": [{"name": "a", "columns": {"molecules": 1234, "MAE": 0.5, "σ": "–", "none": None}}],
    }
    line = {"row": "a", "molecules": "1,234", "MAE": "0.500", "σ": "–", "none": "–"}
    assert tables.rows(found) == [line]  # type: ignore[arg-type]


def test_the_table_of_orders_says_where_they_do_not_fall(tmp_path: Path) -> None:
    def row(name: str, *errors: float) -> dict[str, object]:
        ours = {f"mae_order_{k}": error for k, error in enumerate(errors)}
        return {"name": name, "train": 1000, "ours": {"mae": 1.0, **ours}}

    rows = [row("falls", 4.0, 2.0, 0.8), row("does not", 4.0, 36.0, 0.8), row("tells none")]
    (tmp_path / "hipnn-tables.json").write_text(json.dumps({"rows": rows}))
    caption, lines = orders.block(tmp_path)
    assert [(line["row"], line["falls"]) for line in lines] == [
        ("falls", "yes"),
        ("does not", "no"),
    ]
    assert lines[1]["E⁰ to E¹"] == "36.00"
    text = pages.renewed("<!-- results: hipnn-orders -->\n<!-- end -->", tmp_path)
    assert caption in text
    assert "| does not |" in text
