"""Answers: every molecule gets one, or a reason why not."""

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

from onekcal import datasets as store
from onekcal.data.dataset import Column, Dataset
from onekcal.datasets.card import Stored
from onekcal.datasets.store import save
from onekcal.errors import DataError, InputError, OnekcalError
from onekcal.geometry.conformers import conformers
from onekcal.models import shipped
from onekcal.models.artefact import Artefact
from onekcal.models.model_card import ModelCard
from onekcal.models.registry import build
from onekcal.models.shipped import load_model
from onekcal.models.stack import Stack
from onekcal.molecules import Molecules
from onekcal.prediction import prediction as predictor
from onekcal.prediction.answers import Answer
from onekcal.prediction.options import Options
from onekcal.prediction.prediction import predict
from onekcal.prediction.questions import Question
from onekcal.prediction.scope import half_width, outside, scope
from onekcal.runs.evaluate import evaluate
from onekcal.runs.experiment import parse
from onekcal.runs.run import run
from onekcal.trust.conformal import Conformal
from support.molecules import wobbly

WATER = "3\nwater\nO 0 0 0.117\nH 0 0.757 -0.469\nH 0 -0.757 -0.469\n"
NANOMETRES = "3\nwater\nO 0 0 0.0117\nH 0 0.0757 -0.0469\nH 0 -0.0757 -0.0469\n"
METHYL = "4\nmethyl\nC 0 0 0\nH 1.08 0 0\nH -0.54 0.935 0\nH -0.54 -0.935 0\n"
APART = "2\nfar\nH 0 0 0\nH 0 0 5\n"
ATOM = "1\nnitrogen atom\nN 0 0 0\n"


@pytest.fixture(scope="module")
def artefact() -> Artefact:
    """GFN2-xTB and dressed atoms fitted to `mini`, presented as the model that ships is: at 0 K,
    at GFN2 minima.

    What the numbers are worth is no matter here; an interval of its own belongs to each kind of
    geometry.
    """
    data = store.load("mini").dataset.aimed("b3lyp")
    stages = [("baseline", {"method": "gfn2"}), ("dressed_atoms", {})]
    model = Stack([build(name, settings) for name, settings in stages]).fit(
        data[:300], data[300:400]
    )
    scores = (
        (data[400:500].energies - model.energies(data[400:500].molecules, data[400:500].columns))
        .abs()
        .sort()
        .values
    )
    return Artefact(
        stages,
        model,
        "g4mp2",
        "atomization",
        "0 K",
        data.molecules.elements,
        int(data.molecules.sizes.max()),
        {
            "gfn2": Conformal(scores),
            "b3lyp": Conformal(scores * 1.5),
            "smiles": Conformal(scores, by_rivalry=True),
        },
        "gfn2",
        card=ModelCard(data="mini", heavy_atoms=7, more={"test": {"mae": 4.2}}),
    )


def answers(artefact: Artefact, *inputs: str, **settings: object) -> list[Answer]:
    return list(predict(inputs, artefact, Options(**settings)))  # type: ignore[arg-type]


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
