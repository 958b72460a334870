"""The report of finished runs: what it says is what the runs found, and what cannot be compared is
refused.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from onekcal.errors import DataError, InputError
from onekcal.runs.experiment import Experiment
from onekcal.runs.run import run
from onekcal.show.pages import report as page
from onekcal.show.pages.finished import finished
from onekcal.show.pages.report import report

RIDGE = [{"regression": {"features": "eigenvalues", "estimator": "ridge"}}]


def trained(folder: Path, stages: list[object], **data: object) -> Path:
    told = {
        "data": {"set": "mini", "target": "b3lyp", "train": 300, "valid": 50, "test": 60, **data},
        "stages": stages,
    }
    run(Experiment.model_validate(told), folder, "onekcal train ours.yaml")
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    trained(folder / "atoms", ["dressed_atoms"])
    trained(folder / "gfn2", [{"baseline": "gfn2"}, "dressed_atoms"])
    return folder


def data_of(path: Path) -> dict:
    return json.loads(
        re.search(r'<script type="application/json" id="data">(.*?)</script>', path.read_text())[1]
    )


def test_a_report_says_what_the_run_found(runs: Path, tmp_path: Path) -> None:
    done = report([runs / "atoms"], tmp_path / "a.html")
    text, mae = done.path.read_text(), finished(runs / "atoms").metrics["mae"]
    assert f"{mae:#.3g}" in text
    assert "onekcal train ours.yaml" in text
    with (runs / "atoms" / "predictions.csv").open() as file:
        worst = max(csv.DictReader(file), key=lambda line: abs(float(line["error"])))
    assert (
        re.search(r"The worst twenty.*?<th scope=\"row\">(.*?)</th>", text, re.S)[1]
        == worst["name"]
    )


def test_the_page_holds_every_molecule_and_asks_for_nothing(runs: Path, tmp_path: Path) -> None:
    path = report([runs / "atoms"], tmp_path / "a.html").path
    told = data_of(path)
    assert len(told["names"]) == 60
    assert len(told["runs"][0]["calibration"]) == 19
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=[\"'](?!data:)", path.read_text())


def test_refusing_what_is_doubted_lowers_the_error_where_doubt_tells(runs: Path) -> None:
    error, n = np.arange(20.0), np.arange(1, 21)
    told = np.array(page._risk(error, error))
    assert np.allclose(told[:, 1], told[:, 2])
    assert np.allclose(told[-1], (1.0, error.mean(), error.mean()))
    upside_down = np.array(page._risk(error, -error))
    assert (upside_down[:-1, 1] > upside_down[-1, 1]).all()
    assert np.allclose(upside_down[:, 2], told[:, 2])
    assert np.allclose(told[:, 0] * 20, n[9:])  # from ten molecules on


def test_the_calibration_curve_has_the_coverage_of_the_metrics(runs: Path) -> None:
    found = finished(runs / "atoms")
    assert dict(found.calibration)[0.9] == pytest.approx(found.metrics["coverage"])
    shares = [share for _, share in found.calibration]
    assert shares == sorted(shares)
    assert shares[0] < 0.2 < 0.8 < shares[-1]


def test_atoms_bring_forces_and_energies_to_the_page(tmp_path: Path) -> None:
    frames = {"set": "mini-frames", "train": 60, "test": 20}
    folder = trained(
        tmp_path / "net",
        [{"schnet": {"features": 8, "interactions": 1, "fit": {"epochs": 2}}}],
        **frames,
    )
    found = finished(folder)
    assert found.test is not None
    shared = found.test.molecules.sum_atoms(
        torch.from_numpy(found.atoms["energies"].astype(np.float64))
    ).numpy()
    assert shared == pytest.approx(
        found.columns["predicted"], abs=1e-3
    )  # single precision, four decimals
    wrong = found.atoms["forces"] - found.test.forces.numpy()
    assert np.abs(wrong).mean() == pytest.approx(found.metrics["force_mae"], rel=1e-5)
    told = data_of(report([folder], tmp_path / "net.html").path)
    assert {kind for kind in ("forces", "energies") if told["runs"][0][kind]} == {
        "forces",
        "energies",
    }


def test_runs_on_the_same_molecules_are_compared(runs: Path, tmp_path: Path) -> None:
    text = report([runs / "atoms", runs / "gfn2"], tmp_path / "both.html").path.read_text()
    table = re.search(r"Compared on the same 60 molecules.*?</table>", text, re.S)[0]
    assert [name for name in ("atoms", "gfn2") if f'<th scope="row">{name}</th>' in table] == [
        "atoms",
        "gfn2",
    ]


def test_runs_on_other_molecules_are_refused(runs: Path, tmp_path: Path) -> None:
    other = trained(tmp_path / "other", ["dressed_atoms"], seed=1)
    with pytest.raises(InputError, match="different molecules of mini"):
        report([runs / "atoms", other], tmp_path / "x.html")
    gfn2 = trained(tmp_path / "gfn2 learned", ["dressed_atoms"], target="gfn2")
    with pytest.raises(InputError, match=r"mini \(b3lyp\) and .* on mini \(gfn2\)"):
        report([runs / "atoms", gfn2], tmp_path / "x.html")
    assert not list(tmp_path.glob("x.html*"))


def test_a_run_that_did_not_finish_is_said(tmp_path: Path) -> None:
    (tmp_path / "crashed.part").mkdir()
    for name in ("crashed", "crashed.part"):
        with pytest.raises(DataError, match="did not finish"):
            report([tmp_path / name], tmp_path / "x.html")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="not a finished run"):
        report([tmp_path / "empty"], tmp_path / "x.html")


def test_a_single_test_molecule_has_a_report(tmp_path: Path) -> None:
    folder = trained(tmp_path / "one", ["dressed_atoms"], test=1)
    assert "Only 1 test molecule:" in report([folder], tmp_path / "one.html").path.read_text()


def test_predictions_that_are_no_numbers_are_counted_and_come_first(
    runs: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(runs / "atoms", tmp_path / "nan")
    lines = (folder / "predictions.csv").read_text().splitlines()
    head, third = lines[0].split(","), lines[3].split(",")
    for name in ("predicted", "error", "lower", "upper"):
        third[head.index(name)] = "nan"
    lines[3] = ",".join(third)
    (folder / "predictions.csv").write_text("\n".join(lines) + "\n")
    path = report([folder], tmp_path / "nan.html").path
    text = path.read_text()
    assert "1 of 60 predictions are not a number" in text
    assert re.search(r"The worst twenty.*?<th scope=\"row\">(.*?)</th>", text, re.S)[1] == third[0]
    assert np.isfinite(data_of(path)["reach"])


def test_of_many_molecules_the_worst_and_a_sample_are_drawn_and_said(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "MOST", 40)
    done = report([runs / "atoms"], tmp_path / "few.html")
    assert (done.molecules, done.drawn) == (60, 40)
    assert "40 of 60 molecules are drawn" in done.path.read_text()
    found = finished(runs / "atoms")
    worst = [found.names[row] for row in np.argsort(-np.abs(found.columns["error"]))[:4]]
    assert set(worst) <= set(data_of(done.path)["names"])


def test_without_its_data_set_a_run_is_shown_without_molecules(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(runs / "atoms", tmp_path / "moved")
    text = (folder / "experiment.yaml").read_text()
    (folder / "experiment.yaml").write_text(text.replace("set: mini", "set: elsewhere.xyz"))
    path = report([folder], tmp_path / "moved.html").path
    assert data_of(path)["molecules"] is None
    assert "Molecules cannot be shown" in path.read_text()
