"""What a model may be asked, and what fails without stopping the rest."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from onekcal.datasets.card import Stored
from onekcal.datasets.store import save
from onekcal.errors import InputError, OnekcalError
from onekcal.models.artefact import Artefact
from onekcal.models.stack import Stack
from onekcal.molecules import Molecules
from onekcal.prediction import prediction as predictor
from onekcal.prediction.options import Options
from onekcal.prediction.prediction import predict
from onekcal.prediction.questions import Question
from onekcal.prediction.scope import outside, scope
from onekcal.runs.experiment import parse
from onekcal.runs.run import run
from support.answering import APART, METHYL, WATER, answers
from support.molecules import wobbly

# --- scope ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("molecule", "message"),
    [
        (
            Molecules.one(["Cl", "H"], [[0, 0, 0], [0, 0, 1.27]]),
            "never seen Cl; it knows H, C, N, O, F, S",
        ),
        (Molecules.one(["O", "H"], [[0, 0, 0], [0, 0, 0.97]], charge=-1), "an ion (charge -1)"),
        (
            Molecules.one(["O", "H"], [[0, 0, 0], [0, 0, 0.97]], spin=1),
            "a radical (unpaired electrons: 1)",
        ),
        (
            Molecules.one(["O", "H"], [[0, 0, 0], [0, 0, 0.97]]),
            "a radical (an odd number of electrons)",
        ),
        (Molecules.one(["H", "H"], [[0, 0, 0], [0, 0, 5]]), "2 pieces that no bond connects"),
        (
            Molecules.one(["C"] * 8, np.arange(24).reshape(8, 3) * 0.5),
            "8 atoms heavier than hydrogen",
        ),
        (Molecules.one(["H"] * 60, np.arange(180).reshape(60, 3) * 0.4), "60 atoms; the largest"),
    ],
)
def test_what_lies_outside_the_scope_is_named(
    artefact: Artefact, molecule: Molecules, message: str
) -> None:
    assert any(message in reason for reason in outside(artefact, molecule))


def test_an_ordinary_molecule_lies_inside(artefact: Artefact, water: Molecules) -> None:
    assert outside(artefact, water) == []


def test_outside_the_scope_nothing_is_answered_unless_forced_and_then_without_interval(
    artefact: Artefact,
) -> None:
    small = replace(artefact, largest=5)
    (refused,) = answers(small, "CCO", rung="learned")
    assert "9 atoms; the largest molecule the model has seen has 5" in refused.problem
    assert "--force" in refused.problem
    (forced,) = answers(small, "CCO", force=True, conformers=1)
    assert math.isfinite(forced.energy)
    assert math.isinf(forced.half)
    assert "outside the model's scope" in forced.remarks[0]
    assert forced.ledger is not None
    assert forced.ledger.terms[0].uncertainty is None


def test_an_element_the_model_cannot_describe_is_refused_even_when_forced(
    artefact: Artefact,
) -> None:
    (found,) = answers(artefact, "C[SiH3]", force=True, conformers=1)
    assert "cannot describe Si at all, not even with --force" in found.problem


class _ByAtoms(Stack):
    """A stack that finds a molecule the newer the more atoms it has."""

    def novelty(self, molecules: Molecules) -> torch.Tensor:
        return molecules.sizes.to(torch.float64)


def test_beyond_the_novelty_limit_is_outside(artefact: Artefact) -> None:
    wary = replace(artefact, model=_ByAtoms(artefact.model.stages), novelty_limit=4.5)
    inside, beyond = answers(wary, "O", "CO", conformers=1, rung="learned")
    assert (inside.novelty, inside.problem) == (3.0, "")
    assert "never seen (novelty 6, at most 4.5 is known)" in beyond.problem
    (forced,) = answers(wary, "CO", conformers=1, force=True)
    assert math.isinf(forced.half)


def test_a_run_keeps_how_novel_its_validation_molecules_were(tmp_path: Path) -> None:
    data = wobbly(40, seed=1)
    save(tmp_path / "wobbly.h5", Stored(data))
    told = {
        "data": {
            "set": str(tmp_path / "wobbly.h5"),
            "target": "pairs",
            "train": 20,
            "valid": 4,
            "test": 4,
        },
        "stages": [{"sparse_kernel": {"landmarks": 30, "force_weight": 0.0}}],
    }
    done = run(parse(told), tmp_path / "run")
    kept = Artefact.load(tmp_path / "run" / "model.safetensors")
    with np.load(done.folder / "split.npz") as split:
        novelty = kept.model.novelty(data.molecules[split["valid"]])
    assert novelty is not None
    assert kept.novelty_limit == pytest.approx(float(novelty.quantile(0.99)))
    assert 0 < kept.novelty_limit < math.inf
    with (done.folder / "calibration.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["geometry"] for line in lines] == ["data"] * 4
    assert [float(line["novelty"]) for line in lines] == pytest.approx(novelty.tolist(), rel=1e-3)
    scores = sorted(abs(float(x["reference"]) - float(x["predicted"])) for x in lines)
    assert scores == pytest.approx(kept.calibration["data"].scores.sort().values.tolist(), abs=2e-4)


def test_the_shipped_model_refuses_what_it_has_never_seen() -> None:
    known, strange = predict(["CCO", "FN=NF"], options=Options(rung="learned"))
    assert known.problem == ""
    assert "never seen" in strange.problem


def test_the_scope_names_what_may_be_asked(artefact: Artefact) -> None:
    found = scope(artefact)
    assert found["elements"] == ["H", "C", "N", "O", "F", "S"]
    assert found["intervals"]["b3lyp"] == pytest.approx(1.5 * found["intervals"]["gfn2"])
    assert found["by_rivalry"] == ["smiles"]
    json.dumps(found, allow_nan=False)


# --- what fails does not stop the rest --------------------------------------------------------


def test_one_bad_molecule_costs_only_itself(artefact: Artefact, tmp_path: Path) -> None:
    (tmp_path / "bad.smi").write_text("O\nCCO.O\n[NH4+]\n[CH3]\nC1CC\nC1#CC#C1\n*\nC\n")
    (tmp_path / "bad.xyz").write_text(METHYL + APART + WATER)
    files = (str(tmp_path / "bad.smi"), str(tmp_path / "bad.xyz"), "nowhere.sdf")
    found = answers(artefact, *files, conformers=1, rung="learned")
    assert [bool(a.problem) for a in found] == [False, *[True] * 6, False, True, True, False, True]
    words = (
        "disconnected",
        "an ion",
        "a radical",
        "not a SMILES",
        "no 3-D structure",
        "open place",
        "a radical (unpaired electrons: 1)",
        "pieces",
        "there is no file",
    )
    problems = [a.problem for a in found if a.problem]
    assert all(word in problem for word, problem in zip(words, problems))
    assert all("\n" not in problem for problem in problems)
    assert f"{tmp_path / 'bad.smi'}, line 2" in problems[0]


def test_a_file_of_an_odd_number_of_electrons_is_a_doublet_and_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "methyl.xyz").write_text(METHYL)
    (found,) = predict(str(tmp_path / "methyl.xyz"))
    assert found.molecule is not None
    assert int(found.molecule.spins[0]) == 1
    assert found.formation_298.value == pytest.approx(35.05, abs=1.5)  # ATcT
    assert any("taken as a doublet" in said for said in found.remarks)


@pytest.mark.parametrize("rung", ["auto", "learned", "g4mp2"])
def test_two_molecules_in_one_geometry_are_refused_by_every_rung(rung: str, tmp_path: Path) -> None:
    (tmp_path / "two.xyz").write_text("4\n\nH 0 0 0\nH 0 0 .74\nH 5 0 0\nH 5 0 .74\n")
    (found,) = predict(str(tmp_path / "two.xyz"), rung=rung)
    assert found.problem.count("2 pieces that no bond connects") == 1


def test_a_geometry_that_falls_apart_is_named(artefact: Artefact, tmp_path: Path) -> None:
    """Glycine's zwitterion does not exist in the gas phase: a proton goes over."""
    from rdkit import Chem
    from rdkit.Chem import AllChem

    mol = Chem.AddHs(Chem.MolFromSmiles("[NH3+]CC(=O)[O-]"))
    AllChem.EmbedMolecule(mol, randomSeed=1)
    (tmp_path / "z.xyz").write_text(Chem.MolToXYZBlock(mol).replace("\n\n", "\nzwitterion\n", 1))
    of_file, of_smiles = answers(
        artefact, str(tmp_path / "z.xyz"), "[NH3+]CC(=O)[O-]", conformers=1
    )
    assert "zwitterion (C2H5NO2) falls apart" in of_file.problem
    assert "falls apart" in of_smiles.problem


def test_a_calculation_that_fails_is_a_problem_and_not_a_crash(
    artefact: Artefact, monkeypatch: pytest.MonkeyPatch
) -> None:
    from onekcal.quantum.method import LabelError

    def failing(error: Exception) -> Callable[..., None]:
        def minimum(*_: object, **__: object) -> None:
            raise error

        return minimum

    question = Question(
        "w.xyz", "water", molecule=Molecules.one(["H", "H"], [[0, 0, 0], [0, 0, 0.74]])
    )
    for error, words in (
        (LabelError("the SCF did not converge"), "SCF did not converge"),
        (np.linalg.LinAlgError("singular"), "LinAlgError: singular"),
    ):
        monkeypatch.setattr("onekcal.prediction.geometry.minimum", failing(error))
        found = predictor.answer(question, artefact)
        assert words in found.problem
        assert found.problem.startswith("w.xyz: ")


def test_settings_that_make_no_sense_are_refused(artefact: Artefact) -> None:
    for wrong in ({"conformers": 0}, {"thermal": "guess"}):
        with pytest.raises(InputError, match=next(iter(wrong))):
            answers(artefact, "O", **wrong)


def test_where_the_heat_of_formation_fails_the_energy_stays(
    artefact: Artefact, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise OnekcalError("no frequencies today")

    monkeypatch.setattr("onekcal.prediction.prediction.ledger", failing)
    (found,) = answers(artefact, "O", conformers=1)
    assert (found.ledger, found.problem) == (None, "")
    assert "no frequencies today" in found.remarks[-1]


def test_an_answer_is_flat_for_csv_and_whole_for_json(artefact: Artefact) -> None:
    good, bad = answers(artefact, "O", "CCO.O")
    assert good.to_row().keys() == bad.to_row().keys()
    assert float(good.to_row()["formation_298K_kcal_per_mol"]) == pytest.approx(
        good.to_dict()["formation_298"], abs=1e-4
    )
    whole = json.loads(json.dumps(good.to_dict(), allow_nan=False))
    assert whole["atomization"]["upper"] - whole["atomization"]["value"] == pytest.approx(good.half)
    assert sum(term["value"] for term in whole["terms"]) == pytest.approx(whole["formation_298"])
    assert np.shape(whole["positions"]) == (3, 3)
    assert json.loads(json.dumps(bad.to_dict(), allow_nan=False))["atomization"] is None
