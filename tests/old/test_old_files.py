"""Files that an earlier version wrote are read, and answer as they did then.

`run/` is the folder of `examples/mini.yaml` with 60 training, 40 validation and 10 test molecules.
The numbers below were printed by the version that wrote it.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from onekcal.cli.main import app
from onekcal.models.artefact import FORMAT, Artefact
from onekcal.models.shipped import load_model
from onekcal.molecules import Molecules
from onekcal.prediction.scope import half_width
from onekcal.runs.folder import load
from onekcal.system import tensor_file

RUN = Path(__file__).parent / "run"
CLOSE = 1e-4
"""kcal/mol; a self-consistent energy ends elsewhere within its threshold on another processor."""


@pytest.fixture
def asked() -> Molecules:
    water = [[0, 0, 0.117], [0, 0.757, -0.469], [0, -0.757, -0.469]]
    methane = [
        [0, 0, 0],
        [0.63, 0.63, 0.63],
        [-0.63, -0.63, 0.63],
        [-0.63, 0.63, -0.63],
        [0.63, -0.63, -0.63],
    ]
    return Molecules.concatenate(
        [Molecules.one(["O", "H", "H"], water), Molecules.one(["C", *"HHHH"], methane)]
    )


def test_an_old_run_is_loaded_and_predicts_what_it_did(asked: Molecules) -> None:
    model = load_model(RUN)
    expected = torch.tensor([-200.6475287052282, -417.43179517159774], dtype=torch.float64)
    torch.testing.assert_close(model.model.energies(asked), expected, atol=CLOSE, rtol=0)
    assert (model.card.data, model.card.train, model.card.heavy_atoms) == ("mini", 60, 6)
    assert half_width(model, "data") == pytest.approx(26.676855097071098, abs=CLOSE)
    assert load(RUN)[1]["train"] == 60


def test_an_old_model_saved_again_keeps_its_card_and_calibration(tmp_path: Path) -> None:
    old = load_model(RUN)
    old.save(tmp_path / "again.safetensors")
    again = Artefact.load(tmp_path / "again.safetensors")
    assert again.card == old.card
    assert torch.equal(again.calibration["data"].scores, old.calibration["data"].scores)


@pytest.mark.parametrize(
    "before",
    [
        {"by_spread": ["smiles"]},
        {"widths": {"smiles": {"names": ["log (1 + spread)"], "slopes": [0, 1], "least": [0]}}},
    ],
)
def test_intervals_that_follow_the_farthest_conformer_are_left_out(
    tmp_path: Path, before: dict[str, object]
) -> None:
    old = load_model(RUN)
    some = old.calibration["data"]
    replace(old, calibration={"data": some, "smiles": some}).save(tmp_path / "a.safetensors")
    assert set(Artefact.load(tmp_path / "a.safetensors").calibration) == {"data", "smiles"}
    tensors, header = tensor_file.read(tmp_path / "a.safetensors", FORMAT, "", "")
    tensor_file.write(tmp_path / "a.safetensors", tensors, {**header, **before})
    assert set(Artefact.load(tmp_path / "a.safetensors").calibration) == {"data"}


def test_the_shipped_model_predicts_what_it_did(asked: Molecules) -> None:
    """Its features hold GFN2-xTB's electrons, and tenfold the noise of these is allowed.

    The interval from SMILES was calibrated after the fit (ADR 23).
    """
    model = load_model("g4mp2")
    expected = torch.tensor([-217.84733142412298, -394.80108799877195], dtype=torch.float64)
    torch.testing.assert_close(model.model.energies(asked), expected, atol=10 * CLOSE, rtol=0)
    halves = {"b3lyp": 6.386594421402376, "gfn2": 0.4583697961244086, "smiles": 0.8205626539566916}
    assert {kind: half_width(model, kind) for kind in halves} == pytest.approx(halves, abs=CLOSE)


def test_an_old_run_is_reproduced(tmp_path: Path) -> None:
    shutil.copytree(RUN, tmp_path / "run")
    done = CliRunner().invoke(app, ["rerun", str(tmp_path / "run"), "--check"])
    assert done.exit_code == 0, done.output
    assert "10 predictions" in done.output
