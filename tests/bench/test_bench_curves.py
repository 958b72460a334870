"""Learning curves: nested training sets, spread over seeds, the power law, table and picture."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from onekcal import datasets as data
from onekcal.bench import curves, runner, suite, tables
from onekcal.cli.main import app
from onekcal.errors import ConfigError, InputError
from onekcal.runs import choose_split as splits
from onekcal.runs import experiment
from onekcal.runs.data_choice import DataChoice
from onekcal.show.curves import curves_png

RIDGE = """
data: {set: mini, target: b3lyp, valid: 20, test: 50}
stages: [dressed_atoms]
"""


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    plain, on = tmp_path / "plain.yaml", tmp_path / "on-gfn2.yaml"
    plain.write_text(RIDGE)
    on.write_text(RIDGE.replace("[dressed_atoms]", "[{baseline: gfn2}, dressed_atoms]"))
    return [str(plain), str(on)]


@pytest.mark.parametrize("valid", [0, 0.1, 50])
def test_training_sets_of_a_seed_lie_in_one_another_and_are_tested_alike(valid: float) -> None:
    stored = data.load("mini")

    def drawn(size: int, seed: int = 3) -> splits.Split:
        return splits.choose(
            stored,
            DataChoice(set="mini", target="b3lyp", train=size, valid=valid, test=40, seed=seed),
        )

    parts = [
        drawn(size) for size in (10, 30, 100, 300, 800, 850)
    ]  # the last reaches beyond the training tenths
    for small, large in zip(parts, parts[1:]):
        assert set(small.train) < set(large.train)
        assert np.array_equal(small.test, large.test)
    assert not set(drawn(10, seed=4).train) < set(parts[1].train)


def test_all_that_is_neither_trained_nor_validated_on_can_be_tested() -> None:
    stored = data.load("mini")
    count = len(stored.dataset)

    def drawn(test: int) -> splits.Split:
        return splits.choose(
            stored, DataChoice(set="mini", target="b3lyp", train=count // 2, valid=20, test=test)
        )

    tenth, more, everything = drawn(count // 20), drawn(count // 5), drawn(count)
    assert set(tenth.test) < set(more.test) < set(everything.test)
    assert len(more.test) == count // 5
    together = np.concatenate([everything.train, everything.valid, everything.test])
    assert np.array_equal(np.sort(together), np.arange(count))
    assert np.array_equal(tenth.train, everything.train)


def test_the_power_law_is_found_and_of_one_size_there_is_none() -> None:
    sizes = [100, 300, 1000, 3000]
    assert curves.power_law({n: 50 * n**-0.4 for n in sizes}) == (
        pytest.approx(50),
        pytest.approx(0.4),
    )
    assert curves.power_law({100: 1.0}) is None


def test_spread_is_the_deviation_of_a_sample_over_the_seeds() -> None:
    row = {"curve": "c", "train": 10, "ours": {"mae": 2.0}, "runs": [{"mae": 1.0}, {"mae": 3.0}]}
    (one,) = curves.of({"rows": [row, {"curve": "c", "failed": "no memory"}]})
    assert one.spread == [pytest.approx(np.std([1, 3], ddof=1))]
    assert curves.of({"rows": [{**row, "runs": [{"mae": 2.0}]}]})[0].spread == [None]


def test_a_curve_is_a_row_for_each_size_with_the_papers_point_where_there_is_one() -> None:
    one = suite.Curve(
        name="ridge",
        experiment=experiment.load_yaml(RIDGE),
        sizes=[300, 100],
        paper={100: 9.0, 10_000: 1.0},
    )
    rows = suite.Suite(name="s", title="S", curves=[one]).rows
    assert [(row.name, row.paper) for row in rows] == [
        ("ridge, N = 100", {"mae": 9.0}),
        ("ridge, N = 300", {}),
    ]
    assert [e.data.train for e in rows[0].experiments()] == [100] * 3


def test_curves_of_anyones_experiments_end_in_numbers_a_table_and_a_picture(
    files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        runner, "_in_own_process", lambda job: runner.measure(suite.Row.model_validate(job["row"]))
    )
    asked = [
        "bench",
        "curves",
        *files,
        "--sizes",
        "100,400",
        "--seeds",
        "2",
        "--results",
        str(tmp_path),
    ]
    told = CliRunner().invoke(app, asked)
    assert told.exit_code == 0
    assert "on-gfn2" in told.stdout
    found = json.loads((tmp_path / "curves.json").read_text())
    plain, on = found["curves"]
    assert (plain["name"], on["name"], plain["sizes"]) == ("plain", "on-gfn2", [100, 400])
    assert all(
        high < low for high, low in zip(on["mae"], plain["mae"])
    )  # GFN2-xTB helps at every size
    line = next(line for line in tables.rows(found) if line["row"] == "plain")
    assert line["seeds"] == "2"
    assert line["b"] == f"{plain['b']:.2f}"
    assert "| plain | " in (tmp_path / "curves.md").read_text()
    assert (tmp_path / "curves.png").read_bytes()[:4] == b"\x89PNG"


def test_curves_on_different_molecules_are_not_drawn_together(files: list[str]) -> None:
    one, other = (experiment.read(Path(path)) for path in files)
    other = other.model_copy(update={"data": other.data.model_copy(update={"test": 20})})
    with pytest.raises(ConfigError, match="same data, got one: .* test 50; other: .* test 20"):
        curves.suite_of({"one": one, "other": other}, [100], [0])
    with pytest.raises(ConfigError, match="'one, N = 0': data.train"):
        curves.suite_of({"one": one}, [0, 100], [0])


def test_a_picture_of_no_curve_is_refused_and_one_of_a_single_size_is_not(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no learning curve to draw"):
        curves_png(tmp_path / "none.png", [])
    one = curves.Learned("one size", [200], [15.0], [None], None, None, {100: 9.0})
    curves_png(tmp_path / "one.png", [one], "One")
    assert (tmp_path / "one.png").stat().st_size > 5_000


def test_the_shipped_curves_are_on_the_same_test_molecules() -> None:
    asked = {
        (e.data.set, e.data.target, e.data.split, e.data.test)
        for row in suite.read("learning-curves").rows
        for e in row.experiments()
    }
    assert len(asked) == 1


FALLING = [(100, 20.0), (1000, 2.0)]  # b = 1


def fallen(papers: dict[int, float]) -> dict:
    rows = [
        {
            "name": f"c, N = {n}",
            "curve": "c",
            "train": n,
            "paper": {"mae": papers[n]} if n in papers else {},
            "ours": {"mae": error, "rmse": error, "median": error},
            "runs": [{"mae": error}],
            "seconds": 1.0,
            "peak_mib": 1,
        }
        for n, error in FALLING
    ]
    return {
        "rows": rows,
        "curves": [{"name": "c", "paper": {str(n): error for n, error in papers.items()}}],
    }


def test_beyond_our_sizes_the_power_law_stands_beside_the_paper_and_is_called_extrapolated() -> (
    None
):
    found = fallen({1000: 3.0, 5_000: 0.9, 10_000: 0.5})
    (one,) = curves.of(found)
    assert one.beyond() == (10_000, pytest.approx(0.2))
    ours, paper = tables.rows(found)
    assert (ours["extrapolated by b"], paper["extrapolated by b"]) == (
        "0.200 at 10,000",
        "0.500 at 10,000",
    )
    found["rows"].append({**found["rows"][0], "name": "no point of a curve", "curve": ""})
    last = tables.rows(found)[-1]
    assert (last["row"], last["train"], last["MAE"]) == (
        "c, extrapolated by N^−1.00",
        "(10,000)",
        "(0.200)",
    )
    found["rows"][0]["budget"] = "quick"
    assert tables.rows(found)[-1]["row"] == "c, extrapolated by N^−1.00 (quick)"


def test_nothing_is_extrapolated_to_a_size_that_was_measured() -> None:
    found = fallen({100: 30.0, 1000: 3.0})
    assert curves.of(found)[0].beyond() is None
    assert all("extrapolated by b" not in line for line in tables.rows(found))
    one_size = {
        **found,
        "rows": found["rows"][:1],
        "curves": [{"name": "c", "paper": {"10000": 0.5}}],
    }
    assert curves.of(one_size)[0].beyond() is None
