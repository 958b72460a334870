"""The page of signals says what was measured, of every model, and asks for nothing."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest

from onekcal import datasets
from onekcal.data.dataset import Column, Dataset
from onekcal.datasets import store
from onekcal.datasets.card import Stored
from onekcal.errors import InputError
from onekcal.runs.experiment import Experiment
from onekcal.runs.run import run
from onekcal.show.pages import trust as page
from onekcal.signals.compare import compare
from onekcal.signals.subject import of_model, of_run
from onekcal.trust.ranking import spearman

DATA = {"set": "mini", "target": "b3lyp", "train": 120, "valid": 30, "test": 60}
KERNEL = {"sparse_kernel": {"landmarks": 60, "dims": 20, "force_weight": 0.0}}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    for name, stages in (("kernel", ["dressed_atoms", KERNEL]), ("atoms", ["dressed_atoms"])):
        told = {"data": DATA, "stages": stages}
        run(Experiment.model_validate(told), folder / name, "test")
    return folder


def data_of(path: Path) -> list[dict]:
    text = path.read_text(encoding="utf-8")
    return json.loads(
        re.search(r'<script type="application/json" id="data">(.*?)</script>', text)[1]
    )


def test_the_page_holds_all_signals_and_asks_for_nothing(runs: Path, tmp_path: Path) -> None:
    compared = compare([of_run(runs / "kernel"), of_run(runs / "atoms")])
    path = page.save(compared, tmp_path / "trust.html")
    told = data_of(path)
    names = [[signal["name"] for signal in one["signals"]] for one in told]
    assert names[0] == ["variance", "novelty", "size", "apart from atoms"]
    assert names[1] == ["size", "apart from kernel"]
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=[\"'](?!data:)", text)
    assert "holds no network" in text  # why there is no Laplace
    figures = [len(signal["sizes"]) for one in told for signal in one["signals"]]
    assert set(figures) == {4}


def test_figures_are_those_of_the_errors_in_the_run(runs: Path) -> None:
    (one,) = compare([of_run(runs / "kernel")], ["novelty"])
    with (runs / "kernel" / "predictions.csv").open(newline="", encoding="utf-8") as file:
        errors = np.array([float(line["error"]) for line in csv.DictReader(file)])
    assert one.error == pytest.approx(errors, abs=1e-3)
    found = one.told["novelty"]
    assert found.judged.spearman == pytest.approx(spearman(found.values, np.abs(one.error)))
    told = one.to_dict()
    assert told["molecules"] == 60
    assert told["mae"] == pytest.approx(np.abs(errors).mean(), abs=1e-3)


def test_a_model_file_is_judged_on_a_data_set(runs: Path) -> None:
    from onekcal.runs.experiment import read

    choice = read(runs / "kernel" / "experiment.yaml").data
    subject = of_model(str(runs / "kernel" / "model.safetensors"), choice, most=40)
    (one,) = compare([subject], ["variance", "novelty"])
    assert len(one.error) == 40
    assert set(one.told) == {"novelty"}
    assert "fitted to" in one.absent["variance"]
    known = of_model(str(runs / "kernel" / "model.safetensors"), choice, most=40, fitted=True)
    (more,) = compare([known], ["variance", "novelty"])
    assert set(more.told) == {"variance", "novelty"}


def test_a_property_keeps_its_unit_and_has_no_large_errors(tmp_path: Path) -> None:
    some = datasets.load("mini").dataset[:100]
    gap = Column(0.01 * some.columns["b3lyp"].values, quantity="property", unit="eV")
    store.save(tmp_path / "gap.h5", Stored(Dataset(some.molecules, {"gap": gap})))
    data = {"set": str(tmp_path / "gap.h5"), "target": "gap", "train": 50, "valid": 10, "test": 20}
    run(Experiment.model_validate({"data": data, "stages": [KERNEL]}), tmp_path / "gap", "test")
    (one,) = compare([of_run(tmp_path / "gap")], ["variance", "novelty"])
    assert (one.told["variance"].unit, one.told["novelty"].unit) == ("eV", "")
    assert page.cells(one.told["variance"].judged)[1:3] == ["–", "–"]


def test_another_ending_is_refused(runs: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the page of signals is saved as .html"):
        page.save([], tmp_path / "trust.pdf")
