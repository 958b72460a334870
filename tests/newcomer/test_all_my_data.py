"""`data.test: 0`: all molecules are used, and the errors say whose they are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from onekcal import datasets
from onekcal.datasets.store import save
from onekcal.runs.choose_split import choose
from onekcal.runs.data_choice import DataChoice
from support.command import onekcal

STAGES = ["dressed_atoms"]
ALL = 60


def train(folder: Path, *words: str, **data: object) -> str:
    save(folder / "own.h5", datasets.load("mini").kept(slice(0, ALL)))
    content = {"name": "all", "data": {"set": "own.h5", "target": "b3lyp", "test": 0, **data}}
    (folder / "e.yaml").write_text(json.dumps({**content, "stages": STAGES}))
    done = onekcal("train", "e.yaml", *words, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_no_molecule_is_held_back_for_a_test(in_empty_folder: Path) -> None:
    found = json.loads(train(in_empty_folder, "--json"))
    assert found["train"] + found["valid"] == ALL
    assert found["judged_on"] == "validation"
    with np.load(in_empty_folder / "runs/all/split.npz") as split:
        assert len(split["test"]) == 0


def test_all_molecules_can_be_trained_on(in_empty_folder: Path) -> None:
    found = json.loads(train(in_empty_folder, "--json", valid=0))
    assert (found["train"], found["valid"]) == (ALL, 0)
    assert found["judged_on"] == "training"
    assert "interval" not in found


@pytest.mark.parametrize(("valid", "whose"), [(0.1, "validation"), (0, "training")])
def test_errors_that_are_no_test_say_so(in_empty_folder: Path, valid: float, whose: str) -> None:
    told = train(in_empty_folder, valid=valid)
    assert f"{whose} molecules" in told
    assert "There is no test part" in told
    assert "There was no test part" in (in_empty_folder / "runs/all/card.md").read_text()
    done = onekcal("show", "runs/all", cwd=in_empty_folder)
    assert done.returncode == 0, done.stderr
    page = (in_empty_folder / "runs/all/report.html").read_text()
    assert "all has no test part" in page
    assert "molecules cannot be shown" not in page
    assert onekcal("rerun", "runs/all", "--check", cwd=in_empty_folder).returncode == 0


def test_a_split_that_holds_molecules_out_never_gives_them_to_the_training() -> None:
    stored = datasets.load("mini-frames")
    kept = stored.splits["parents"]
    split = choose(stored, DataChoice(set="mini-frames", target="b3lyp", split="parents", test=0))
    assert len(split.test) == 0
    assert not set(split.train) & set(np.flatnonzero(kept == 2))


def test_a_number_of_molecules_to_test_on_is_still_one() -> None:
    stored = datasets.load("mini")
    split = choose(stored, DataChoice(set="mini", target="b3lyp", test=5))
    assert len(split.test) == 5
