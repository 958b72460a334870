"""Answers: every molecule gets one, or a reason why not."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from onekcal import datasets as store
from onekcal.data.dataset import Column, Dataset
from onekcal.errors import DataError, InputError
from onekcal.geometry.conformers import conformers
from onekcal.models import shipped
from onekcal.models.artefact import Artefact
from onekcal.models.shipped import load_model
from onekcal.molecules import Molecules
from onekcal.prediction.options import Options
from onekcal.prediction.prediction import predict
from onekcal.prediction.scope import half_width
from onekcal.runs.evaluate import evaluate
from support.answering import ATOM, NANOMETRES, WATER, answers

# --- models -----------------------------------------------------------------------------------


def test_a_model_is_found_by_path_by_run_folder_and_by_the_name_it_ships_under(
    artefact: Artefact, in_empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artefact.save(in_empty_folder / "run" / "model.safetensors")
    artefact.save(in_empty_folder / "shipped" / "g4mp2.safetensors")
    monkeypatch.setattr(shipped, "SHIPPED", in_empty_folder / "shipped")
    for name in ("run", "run/model.safetensors", "g4mp2", Path("run")):
        assert load_model(name).level == "g4mp2"
    with pytest.raises(DataError, match="did you mean 'g4mp2'"):
        load_model("g4mp3")


def test_a_model_of_a_newer_version_says_so(
    artefact: Artefact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onekcal.models.artefact.PLAIN", 99)
    artefact.save(tmp_path / "new.safetensors")
    monkeypatch.undo()
    with pytest.raises(DataError, match="newer onekcal"):
        load_model(tmp_path / "new.safetensors")


def test_evaluate_measures_every_interval_a_model_has(artefact: Artefact, tmp_path: Path) -> None:
    artefact.save(tmp_path / "m.safetensors")
    some = store.load("mini").dataset.aimed("b3lyp")[500:700]
    found = evaluate(tmp_path / "m.safetensors", some)
    names = [
        f"coverage of 0.9 by the interval of {kind!r} geometries"
        for kind in ("gfn2", "b3lyp", "smiles")
    ]
    assert 0.82 < found[names[0]] < 0.97  # 100 calibration, 200 test molecules: 0.9 ± 0.037
    assert found[names[0]] < found[names[1]]  # a wider interval
    assert names[2] not in found  # it follows a rivalry that these data do not tell
    told = replace(
        some,
        columns={**some.columns, "rivalry": Column(torch.full((200,), 0.5).double(), "property")},
    )
    assert (
        evaluate(tmp_path / "m.safetensors", told)[names[2]] == found[names[1]]
    )  # 1 + 0.5 times as wide as that of gfn2
    assert (
        found["note"]
        == "the model was fitted to g4mp2 (0 K), 'b3lyp' is b3lyp/6-31g df (electronic)"
    )


def test_evaluate_compares_like_with_like(artefact: Artefact, tmp_path: Path) -> None:
    artefact.save(tmp_path / "m.safetensors")
    data = store.load("mini").dataset[500:520].aimed("b3lyp")
    for kind in ("total", "formation"):
        column = replace(data.aim, kind=kind)
        with pytest.raises(
            InputError,
            match=f"gives atomization in kcal/mol, but 'b3lyp' is {kind} .*--kind atomization",
        ):
            evaluate(tmp_path / "m.safetensors", data.with_column("b3lyp", column))
    same = data.with_column("b3lyp", replace(data.aim, level="g4mp2", at="0 K"))
    assert "note" not in evaluate(tmp_path / "m.safetensors", same)
    silane = Molecules.one([14, 1, 1, 1, 1], np.eye(5, 3), name="silane")
    zeros = replace(data.aim, values=torch.zeros(21))
    odd = Dataset(Molecules.concatenate([data.molecules, silane]), {"b3lyp": zeros}, "b3lyp")
    with pytest.raises(
        InputError, match=r"1 of 21 molecules hold elements .* first: molecule 20 \(H4Si\)"
    ):
        evaluate(tmp_path / "m.safetensors", odd)


def test_python_may_ask_with_a_string_or_molecules_and_for_a_model_by_name(
    artefact: Artefact, tmp_path: Path
) -> None:
    artefact.save(tmp_path / "m.safetensors")
    (alone,) = predict("O", tmp_path / "m.safetensors")
    water = replace(alone.molecule, name=None) if alone.molecule else None
    assert water is not None
    both = list(
        predict(Molecules.concatenate([water, water]), artefact, Options(keep_geometry=True))
    )
    assert [one.energy for one in both] == pytest.approx([alone.energy] * 2, abs=1e-6)
    assert [one.source for one in both] == ["molecule 0", "molecule 1"]
    assert [one.source for one in predict(["O", water], artefact)] == ["O", "molecule 0"]


def test_files_in_another_unit_of_length_are_answered_when_it_is_told(
    artefact: Artefact, tmp_path: Path
) -> None:
    (tmp_path / "nm.xyz").write_text(NANOMETRES)
    (found,) = answers(artefact, str(tmp_path / "nm.xyz"), keep_geometry=True)
    assert "--length nm" in found.problem
    (found,) = answers(artefact, str(tmp_path / "nm.xyz"), keep_geometry=True, length="nm")
    (tmp_path / "angstrom.xyz").write_text(WATER)
    (right,) = answers(artefact, str(tmp_path / "angstrom.xyz"), keep_geometry=True)
    assert found.energy == pytest.approx(right.energy, abs=1e-6)


# --- answers ----------------------------------------------------------------------------------


def test_a_smiles_is_answered_at_its_lowest_conformer_with_the_ledger(artefact: Artefact) -> None:
    (found,) = answers(artefact, "CCO")
    lowest = conformers("CCO")
    assert found.energy == pytest.approx(float(artefact.model.energies(lowest.lowest)[0]), abs=1e-6)
    assert found.geometry == "smiles"
    assert found.half == pytest.approx(half_width(artefact, "smiles") * (1 + lowest.rivalry))
    assert found.half > 1.3 * half_width(
        artefact, "smiles"
    )  # ethanol's two conformers are 1.6 kcal/mol apart: 1.6 exp(−1.6/2) = 0.7
    assert found.conformers is not None
    assert found.conformers.largest == pytest.approx(lowest.relative[-1])
    assert found.conformers.rivalry == pytest.approx(lowest.rivalry)
    assert found.ledger is not None
    assert found.ledger.atomization == found.energy
    assert found.ledger.terms[0].uncertainty == found.half


def test_a_file_is_relaxed_unless_its_geometry_is_kept(artefact: Artefact, tmp_path: Path) -> None:
    (tmp_path / "w.xyz").write_text(WATER)
    (relaxed,) = answers(artefact, str(tmp_path / "w.xyz"))
    (kept,) = answers(artefact, str(tmp_path / "w.xyz"), keep_geometry=True)
    assert (relaxed.geometry, kept.geometry) == ("gfn2", "b3lyp")
    assert relaxed.energy < kept.energy  # dressed atoms are constant, GFN2 is at its minimum
    assert kept.half == half_width(artefact, "b3lyp")
    assert kept.molecule is not None
    assert float(kept.molecule.positions[0, 2]) == pytest.approx(0.117)


def test_a_model_without_a_geometry_of_its_own_takes_files_as_they_are(
    artefact: Artefact, tmp_path: Path
) -> None:
    scores = {"data": artefact.calibration["gfn2"]}
    plain = replace(artefact, geometry="", level="b3lyp", at="electronic", calibration=scores)
    (tmp_path / "w.xyz").write_text(WATER)
    given, drawn = answers(plain, str(tmp_path / "w.xyz"), "O")
    assert given.molecule is not None
    assert float(given.molecule.positions[0, 2]) == pytest.approx(0.117)
    assert (given.geometry, given.remarks) == ("data", ())
    assert given.ledger is None  # electronic energies have no zero-point energy in them
    assert "not on conformers" in drawn.remarks[0]
    assert math.isfinite(drawn.half)


def test_energies_that_are_no_atomization_energies_keep_their_name(artefact: Artefact) -> None:
    (found,) = answers(replace(artefact, kind="total"), "O", conformers=1)
    assert found.ledger is None
    assert found.to_dict()["total"]["value"] == found.energy
    assert "atomization" not in found.to_dict()


def test_without_calibration_for_the_geometry_no_interval_is_given_and_that_is_said(
    artefact: Artefact,
) -> None:
    (found,) = answers(replace(artefact, calibration={"gfn2": artefact.calibration["gfn2"]}), "O")
    assert math.isinf(found.half)
    assert "no interval" in found.remarks[0]
    assert found.to_dict()["atomization"]["lower"] is None


@pytest.mark.parametrize("smiles", ["[O]", "[H]"])
def test_a_lone_atom_is_0_and_has_its_experimental_heat_of_formation(
    artefact: Artefact, smiles: str
) -> None:
    (found,) = answers(artefact, smiles)
    assert (found.energy, found.half) == (0.0, 0.0)
    assert found.ledger is not None
    assert found.ledger.formation_0 == {"[O]": 58.99, "[H]": 51.63}[smiles]


def test_a_lone_atom_of_a_file_is_0_too(artefact: Artefact, tmp_path: Path) -> None:
    (tmp_path / "n.xyz").write_text(ATOM)
    (found,) = answers(artefact, str(tmp_path / "n.xyz"))
    assert (found.energy, found.name, found.problem) == (0.0, "nitrogen atom", "")


def test_a_saddle_point_is_left_and_said(artefact: Artefact, tmp_path: Path) -> None:
    (tmp_path / "flat.xyz").write_text(
        "4\nflat ammonia\nN 0 0 0\nH 1.0 0 0\nH -0.5 0.866 0\nH -0.5 -0.866 0\n"
    )
    (flat,) = answers(artefact, str(tmp_path / "flat.xyz"))
    (bent,) = answers(artefact, "N")
    assert "saddle point" in flat.remarks[0]
    assert not any("saddle" in remark for remark in bent.remarks)
    assert flat.energy == pytest.approx(bent.energy, abs=0.01)


def test_isotopes_are_refused_and_too_few_conformers_have_no_interval(artefact: Artefact) -> None:
    heavy, few, enough = (
        *answers(artefact, "[2H]O[2H]", "CCO", conformers=1),
        *answers(artefact, "CCO"),
    )
    assert "isotopes" in heavy.problem
    assert "calibrated with 6 conformers" in few.remarks[-1]
    assert math.isinf(few.half)
    assert math.isfinite(enough.half)
    assert not enough.remarks


def test_stereochemistry_left_open_is_said(artefact: Artefact) -> None:
    either, trans = answers(artefact, "CC=CC", "C/C=C/C")
    assert "of 2 stereoisomers the lowest is answered, C/C=C/C" in either.remarks[0]
    assert not trans.remarks
    assert either.energy == pytest.approx(trans.energy, abs=0.1)  # the lower one


def test_a_coordinate_that_is_no_number_is_said(artefact: Artefact) -> None:
    broken = Molecules.one([8, 1, 1], [[0, 0, 0.117], [0, 0.757, -0.469], [0, math.nan, -0.469]])
    (found,) = predict([broken], artefact)
    assert "finite" in found.problem
    assert "pieces" not in found.problem


def test_forces_are_minus_the_slope_of_the_energy(artefact: Artefact, tmp_path: Path) -> None:
    (tmp_path / "water.xyz").write_text(WATER)  # not at the minimum, where all forces are 0
    artefact = replace(artefact, at="electronic")
    (found,) = answers(artefact, str(tmp_path / "water.xyz"), forces=True, keep_geometry=True)
    assert found.molecule is not None
    assert found.forces is not None
    step = torch.zeros(3, 3, dtype=torch.float64)
    step[1, 2] = 1e-3
    moved = Molecules.concatenate(
        [found.molecule.moved(found.molecule.positions + sign * step) for sign in (1, -1)]
    )
    up, down = artefact.model.energies(moved).tolist()
    assert abs(found.forces[1, 2]) > 1
    assert found.forces[1, 2] == pytest.approx(-(up - down) / 2e-3, abs=0.05)
