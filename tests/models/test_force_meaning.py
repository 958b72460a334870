"""The gradient of a model is a force where its energies are electronic and of their geometries."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from onekcal import datasets as store
from onekcal.data.dataset import Column, Dataset
from onekcal.datasets.card import Stored
from onekcal.datasets.store import read as read_store
from onekcal.datasets.store import save
from onekcal.errors import InputError
from onekcal.geometry.conformers import conformers
from onekcal.io import read, write
from onekcal.labels.labelling import label
from onekcal.models.artefact import Artefact
from onekcal.models.force_meaning import check_forces, why_no_forces
from onekcal.models.registry import build
from onekcal.models.shipped import load_model
from onekcal.models.stack import Stack
from onekcal.molecules import Molecules
from onekcal.prediction.options import Options
from onekcal.prediction.prediction import predict
from onekcal.runs.experiment import parse
from onekcal.runs.run import run
from onekcal.system import tensor_file

ELECTRONIC = Artefact([], Stack([]))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"at": "0 K"}, "zero-point energy"),
        ({"at": "298 K"}, "thermal energy"),
        ({"kind": "formation"}, "thermal energy"),
        ({"own_geometry": False}, "other geometries"),
        ({"kind": "charges", "unit": "e"}, "charges in e and no energies"),
    ],
)
def test_a_model_without_forces_says_why(changes: dict[str, Any], reason: str) -> None:
    without = replace(ELECTRONIC, **changes)
    assert reason in why_no_forces(without)
    with pytest.raises(InputError, match=f"is no force: .*{reason}.*; use a model of electronic"):
        check_forces(without)


@pytest.mark.parametrize("kind", ["atomization", "total"])
def test_electronic_energies_at_their_own_geometries_have_forces(kind: str) -> None:
    assert why_no_forces(replace(ELECTRONIC, kind=kind)) == ""
    check_forces(replace(ELECTRONIC, kind=kind))


def test_a_model_on_top_of_one_without_forces_has_none_either() -> None:
    mini = store.load("mini").dataset.aimed("b3lyp")  # electronic, at their own geometries
    known = [set(mini.molecules[m].elements) <= {1, 6, 7, 8} for m in range(20)]
    data = mini[np.flatnonzero(known)[:3]]
    for name, forces in (("model:g4mp2", False), ("gfn2", True)):
        settings: dict[str, object] = {"method": name}
        baseline = build("baseline", settings).fit(data, data[[]])
        artefact = Artefact([("baseline", settings)], Stack([baseline]), "b3lyp/6-31g df")
        assert (why_no_forces(artefact) == "") is forces
        if not forces:
            assert "stands on another model (model:g4mp2)" in why_no_forces(artefact)


def test_the_gradient_of_the_model_that_ships_is_as_large_as_the_page_says() -> None:
    benzene = conformers("c1ccccc1").lowest
    gradient = load_model().model.forces(benzene).norm(dim=1)
    assert float(gradient.max()) == pytest.approx(112, abs=2)  # at a minimum, where forces vanish
    page = Path(__file__).parents[2] / "docs" / "howto" / "ase.md"
    assert "benzene its gradient is 112 kcal/mol/Å" in page.read_text(encoding="utf-8")


def test_the_model_that_ships_has_none_and_predict_refuses_them_at_once(water: Molecules) -> None:
    shipped = load_model()
    assert "zero-point energy" in why_no_forces(shipped)
    assert "other geometries" in why_no_forces(shipped)
    with pytest.raises(InputError, match="is no force"):
        predict(water, shipped, Options(forces=True))  # before the first answer is asked for


@pytest.mark.parametrize("form", ["h5", "npz"])
def test_a_column_keeps_that_it_belongs_to_other_geometries(tmp_path: Path, form: str) -> None:
    some = store.load("mini").dataset[:3]
    values = torch.zeros(3, dtype=torch.float64)
    data = Dataset(
        some.molecules, {"own": Column(values), "other": Column(values, own_geometry=False)}
    )
    if form == "h5":
        digest = save(tmp_path / "a.h5", Stored(data))
        back = read_store(tmp_path / "a.h5").dataset
        assert digest != save(
            tmp_path / "b.h5",
            Stored(replace(data, columns={"own": Column(values), "other": Column(values)})),
        )
    else:
        write(tmp_path / "a.npz", data)
        back = read(tmp_path / "a.npz")
    assert back.columns["own"].own_geometry
    assert not back.columns["other"].own_geometry


def test_energies_kept_while_the_molecules_were_relaxed_train_a_model_without_forces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONEKCAL_HOME", str(tmp_path))
    some = store.load("mini").dataset[np.arange(24)]
    label(some, tmp_path / "moved.h5", relax=True, keep=["b3lyp"], workers=1, quiet=True)
    for target, forces in (("b3lyp", False), ("gfn2", True)):
        content = {
            "data": {"set": str(tmp_path / "moved.h5"), "target": target, "train": 12, "valid": 4},
            "stages": ["dressed_atoms"],
        }
        run(parse(content), tmp_path / target)
        artefact = load_model(tmp_path / target)
        assert artefact.own_geometry is forces
        assert (why_no_forces(artefact) == "") is forces


def test_an_older_file_is_judged_by_its_geometries_and_its_level(tmp_path: Path) -> None:
    for level, own in (("g4mp2", False), ("gfn2-xtb", True)):
        path = tmp_path / f"{level}.safetensors"
        replace(ELECTRONIC, level=level, geometry="gfn2").save(path)
        tensors, header = tensor_file.read(path, 1, "a model", "")
        del header["own_geometry"]
        tensor_file.write(path, tensors, header)
        assert Artefact.load(path).own_geometry is own
