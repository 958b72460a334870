"""Molecules are chosen by doubt, and a loop that is stopped goes on as if it had not been."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from onekcal import datasets
from onekcal.cli.main import app
from onekcal.datasets import store
from onekcal.errors import ConfigError, DataError, InputError
from onekcal.models.dressed_atoms import DressedAtoms
from onekcal.models.kernels.sparse_kernel import SparseKernel
from onekcal.models.stack import Stack
from onekcal.runs.experiment import Experiment
from onekcal.runs.run import run
from onekcal.selection.choose import choose, chosen
from onekcal.selection.learn import Plan, Point, covering, learn
from onekcal.signals.signal import Asked, Trained

KERNEL = {"sparse_kernel": {"landmarks": 40, "dims": 10, "force_weight": 0.0}}
STAGES: list[Any] = ["dressed_atoms", KERNEL]
PLAN = Plan(
    "mini", ["dressed_atoms"], by="random", start=40, count=20, rounds=2, test=30, target="b3lyp"
)


def test_the_top_is_the_most_doubtful_and_what_is_not_a_number_comes_first() -> None:
    doubt, draw = np.array([1.0, 5.0, np.inf, 3.0]), np.random.default_rng(0)
    assert chosen(doubt, 3, "top", draw).tolist() == [2, 1, 3]


def test_a_draw_takes_a_molecule_as_often_as_its_doubt_squared_says() -> None:
    doubt = np.array([1.0, 2.0, 3.0])
    first = [int(chosen(doubt, 1, "drawn", np.random.default_rng(seed))[0]) for seed in range(4000)]
    shares = np.bincount(first, minlength=3) / 4000
    assert shares == pytest.approx(doubt**2 / 14, abs=4 * 0.5 / 4000**0.5)
    every = chosen(np.array([0.0, 0.0, 1.0]), 3, "drawn", np.random.default_rng(1))
    assert sorted(every.tolist()) == [0, 1, 2]


def test_what_cannot_be_chosen_is_refused() -> None:
    data = datasets.load("mini").dataset.aimed("b3lyp")
    asked = Asked(Stack([DressedAtoms().fit(data[:50], data[:0])]), data[50:60])
    assert len(set(choose(asked, 10, "random").tolist())) == 10
    with pytest.raises(InputError, match="11 of 10"):
        choose(asked, 11, "random")
    with pytest.raises(InputError, match="gives no laplace: holds no network"):
        choose(asked, 2, "laplace")
    with pytest.raises(ConfigError, match="did you mean 'novelty'"):
        choose(asked, 2, "novelti")


def test_what_holds_a_new_element_comes_first() -> None:
    data = datasets.load("mini").dataset.aimed("b3lyp")
    sulfur = (data.molecules.composition([16])[:, 0] > 0).numpy()
    train = data[np.flatnonzero(~sulfur)[:80]]
    kernel = SparseKernel(landmarks=40, dims=10, force_weight=0.0).fit(train, data[[]])
    pool = np.r_[np.flatnonzero(~sulfur)[80:100], np.flatnonzero(sulfur)[:3]]
    rows = choose(Asked(Stack([kernel]), data[pool], Trained(train)), 5, "novelty")
    assert sorted(rows[:3].tolist()) == [20, 21, 22]
    assert max(rows[3:]) < 20


def test_the_first_round_holds_every_element_of_the_pool() -> None:
    molecules = datasets.load("mini").dataset.molecules
    order = np.random.default_rng(0).permutation(len(molecules))
    rare = (molecules.composition([16])[:, 0] > 0).numpy()
    order = np.r_[order[~rare[order]], order[rare[order]]]  # sulfur comes last
    rows = covering(molecules, order, 40)
    assert molecules[rows].elements == molecules.elements
    assert len(set(rows.tolist())) == 40
    assert len(set(rows.tolist()) & set(order[:40].tolist())) == 39


def test_an_element_of_one_molecule_is_neither_tested_nor_held_back_alone(tmp_path: Path) -> None:
    molecules = datasets.load("qm9-small").dataset.molecules
    rare = int((molecules.composition([9])[:, 0] > 0).sum())
    assert 0 < rare < 20  # a random hundred may have none
    for seed in range(3):
        plan = replace(PLAN, pool="qm9-small", start=20, rounds=1, test=200, seed=seed)
        learn(plan, tmp_path / str(seed))  # dressed atoms refuse an element that was not fitted


class Stopped(Exception):
    """What stands for Ctrl-C and for a kill between two files."""


def test_a_loop_that_is_stopped_everywhere_ends_as_one_that_was_not(tmp_path: Path) -> None:
    plan, steps = replace(PLAN, stages=STAGES, by="variance", among=60), []
    expected = learn(plan, tmp_path / "whole", watch=steps.append)
    assert [point.labels for point in expected] == [40, 60]

    points: list[Point] = []
    for stop in range(len(steps)):
        heard = 0

        def stopping(step: str, stop: int = stop) -> None:
            nonlocal heard
            heard += 1
            if heard > stop + 1 - stop // 2:
                raise Stopped

        try:
            points = learn(plan, tmp_path / "often", watch=stopping)
            break
        except Stopped:
            continue
    assert points == expected
    for k in range(2):
        one, other = (
            json.loads((tmp_path / way / str(k) / "chosen.json").read_text())
            for way in ("whole", "often")
        )
        assert one == other


def test_no_molecule_is_labelled_twice_and_no_test_molecule_is_chosen(tmp_path: Path) -> None:
    learn(PLAN, tmp_path / "out")
    rows = [json.loads((tmp_path / "out" / str(k) / "chosen.json").read_text()) for k in range(2)]
    taken = [row for some in rows for row in some]
    assert len(set(taken)) == len(taken) == 60
    names = datasets.load("mini").dataset.molecules.names
    tested = set(store.read(tmp_path / "out" / "test" / "labels.h5").dataset.molecules.names)
    assert not tested & set(names[taken])
    curve = json.loads((tmp_path / "out" / "curve.json").read_text())
    assert [point["labels"] for point in curve] == [40, 60]


def test_more_rounds_go_on_and_another_plan_is_refused(tmp_path: Path) -> None:
    plan = replace(PLAN, rounds=1)
    first = learn(plan, tmp_path / "out")
    assert learn(replace(plan, rounds=2), tmp_path / "out")[0] == first[0]
    with pytest.raises(DataError, match="begun with count = 20, not 21"):
        learn(replace(plan, count=21), tmp_path / "out")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("x")
    with pytest.raises(DataError, match="left alone"):
        learn(plan, tmp_path / "other")


def test_labels_are_computed_where_a_method_is_named(tmp_path: Path) -> None:
    plan = replace(PLAN, target="", method="gfn2", start=20, rounds=1, test=5)
    (point,) = learn(plan, tmp_path / "out", workers=1)
    found = store.read(tmp_path / "out" / "0" / "labels.h5").dataset
    # the pool holds the same energies, computed at the same geometries
    names = {name: row for row, name in enumerate(datasets.load("mini").dataset.molecules.names)}
    rows = [names[name] for name in found.molecules.names]
    own = datasets.load("mini").dataset.columns["gfn2"].values[rows]
    assert found.columns["gfn2"].values == pytest.approx(own, abs=0.05)
    assert point.labels == 20


def test_a_plan_without_one_source_of_labels_is_refused() -> None:
    with pytest.raises(InputError, match="name one of them"):
        replace(PLAN, target="")
    with pytest.raises(InputError, match="`rounds` must be at least 1"):
        replace(PLAN, rounds=0)


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "kernel"
    data = {"set": "mini", "target": "b3lyp", "train": 60, "valid": 10, "test": 20}
    run(Experiment.model_validate({"data": data, "stages": STAGES}), folder, "test")
    return folder


@pytest.mark.parametrize("ending", ["h5", "xyz"])
def test_select_writes_what_the_run_has_not_seen(kernel: Path, tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"chosen.{ending}"
    line = ["select", "mini", "--k", "8", "--model", str(kernel), "--by", "variance", "--json"]
    answer = CliRunner().invoke(app, [*line, "--out", str(out)])
    assert answer.exit_code == 0, answer.output
    told = json.loads(answer.output)
    with np.load(kernel / "split.npz") as split:
        used = np.concatenate([split[part] for part in ("train", "valid", "test")])
    assert len(told["rows"]) == 8
    assert not set(told["rows"]) & set(used.tolist())
    assert len(datasets.load(str(out)).dataset) == 8
    again = CliRunner().invoke(app, [*line, "--out", str(out)])
    assert "exists" in str(again.exception)


def test_learn_has_a_verb(tmp_path: Path) -> None:
    experiment = tmp_path / "e.yaml"
    experiment.write_text("data: {set: mini, target: b3lyp}\nstages: [dressed_atoms]\n")
    line = ["learn", "mini", "--experiment", str(experiment), "--target", "b3lyp", "--by", "size"]
    line += ["--start", "30", "--k", "10", "--rounds", "2", "--test", "20", "--json"]
    answer = CliRunner().invoke(app, [*line, "--out", str(tmp_path / "out")])
    assert answer.exit_code == 0, answer.output
    assert '"labels": 40' in answer.output
