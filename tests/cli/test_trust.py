"""`onekcal trust` on runs: a table, a page, JSON, and clear refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from onekcal.battery.run import CHECKS
from onekcal.cli.main import app
from onekcal.errors import InputError
from onekcal.models.shipped import load_model
from onekcal.runs.experiment import Experiment
from onekcal.runs.run import run

asking = CliRunner()
DATA = {"set": "mini", "target": "b3lyp", "train": 120, "valid": 30, "test": 60}
KERNEL = {"sparse_kernel": {"landmarks": 60, "dims": 20, "force_weight": 0.0}}


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "kernel"
    told = {"data": DATA, "stages": ["dressed_atoms", KERNEL]}
    run(Experiment.model_validate(told), folder, "test")
    return folder


def test_a_run_gets_its_table_and_its_page(kernel: Path) -> None:
    answer = asking.invoke(app, ["trust", str(kernel)])
    assert answer.exit_code == 0, answer.output
    assert all(word in answer.output for word in ("variance", "novelty", "Spearman"))
    assert (kernel / "trust.html").stat().st_size > 100_000


@pytest.fixture
def two_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The battery without the checks that take seconds."""
    for name in set(CHECKS) - {"rotation", "free atoms"}:
        monkeypatch.delitem(CHECKS, name)


@pytest.mark.usefixtures("two_checks")
def test_the_battery_is_kept_on_the_card_and_shown_on_the_page(kernel: Path) -> None:
    assert "Not checked yet; `onekcal trust kernel --battery` does it." in card_of(kernel)
    before = load_model(kernel).model.state()
    answer = asking.invoke(app, ["trust", str(kernel), "--battery"])
    assert answer.exit_code == 0, answer.output
    assert "1 of 2 checks pass; kept on the card" in answer.output
    text = card_of(kernel)
    assert "| rotation: energy of a molecule that is turned | " in text
    assert "FAILS: the largest is" in text  # dressed atoms are no free atoms
    after = load_model(kernel)
    assert [check["passed"] for check in after.card.battery["checks"]] == [True, False]
    assert all(torch.equal(before[name], each) for name, each in after.model.state().items())
    asking.invoke(app, ["trust", str(kernel), "--signals", "novelty"])
    assert "Sanity battery" in (kernel / "trust.html").read_text(encoding="utf-8")


def card_of(folder: Path) -> str:
    return (folder / "card.md").read_text(encoding="utf-8")


@pytest.mark.usefixtures("two_checks")
def test_json_of_the_battery_holds_every_check(kernel: Path) -> None:
    (told,) = json.loads(asking.invoke(app, ["trust", str(kernel), "--battery", "--json"]).output)
    assert [check["name"] for check in told["checks"]] == ["rotation", "free atoms"]


def test_json_holds_every_figure(kernel: Path) -> None:
    answer = asking.invoke(app, ["trust", str(kernel), "--json", "--signals", "novelty, size"])
    (told,) = json.loads(answer.output)
    assert set(told["signals"]) == {"novelty", "size"}
    assert set(told["signals"]["size"]) >= {"spearman", "auroc", "caught", "area", "width", "parts"}


def test_a_model_without_molecules_is_refused_with_the_way_out() -> None:
    answer = asking.invoke(app, ["trust", "g4mp2"])
    assert isinstance(answer.exception, InputError)
    assert "--data SET" in str(answer.exception)


def test_a_signal_that_is_not_there_is_refused_before_anything_is_asked(kernel: Path) -> None:
    answer = asking.invoke(app, ["trust", str(kernel), "--signals", "novelti"])
    assert "did you mean 'novelty'" in str(answer.exception)
