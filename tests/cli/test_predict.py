"""`onekcal predict` as a user meets it: what it prints, what it writes, how it ends."""

from __future__ import annotations

import csv
import io
import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from onekcal.io import read
from onekcal.models.model_card import ModelCard
from onekcal.models.shipped import SHIPPED, load_model
from onekcal.trust.conformal import WIDER
from support.answering import small_model
from support.command import onekcal

THREE = "CCO ethanol\nC1CC broken\nO water\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model like the one that ships, a run-like folder with an electronic one, and files to ask
    about.
    """
    folder = tmp_path_factory.mktemp("a folder")
    model = small_model()
    card = ModelCard(data="mini", more={"mae": {"gfn2": 4.25}})
    calibration = {kind: model.calibration[kind] for kind in ("gfn2", "smiles")}
    replace(model, card=card, calibration=calibration).save(folder / "ledger.safetensors")
    replace(
        model,
        level="b3lyp/6-31g",
        at="electronic",
        geometry="",
        card=ModelCard(),
        calibration={"data": calibration["gfn2"]},
    ).save(folder / "run" / "model.safetensors")
    (folder / "three.smi").write_text(THREE)
    (folder / "water.xyz").write_text(
        "3\nwater\nO 0 0 0.117\nH 0 0.757 -0.469\nH 0 -0.757 -0.469\n"
    )
    return folder


def strict(text: str) -> Any:
    """JSON without NaN and infinity."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    return json.loads(text, parse_constant=refuse)


def test_one_molecule_is_shown_with_its_whole_ledger(folder: Path) -> None:
    done = onekcal("predict", "CCO", "--model", "ledger.safetensors", cwd=folder)
    assert done.returncode == 0, done.stderr
    (answer,) = strict(
        onekcal("predict", "CCO", "--model", "ledger.safetensors", "--json", cwd=folder).stdout
    )
    shown = done.stdout.replace("−", "-")
    for number in (
        answer["atomization"]["value"],
        answer["atomization"]["lower"],
        answer["formation_0"],
        answer["formation_298"],
        answer["formation_298"] * 4.184,
    ):
        assert f"{number:.2f}" in shown
    for words in (
        "kcal/mol",
        "kJ/mol",
        "ΔfH(0 K) of 6 H at 51.63",
        "90 % interval",
        "correction of G4(MP2) to experiment",
        "of the model against G4(MP2)",
        "made from SMILES",
        "conformers",
        "Curtiss et al., J. Chem. Phys. 106, 1063 (1997)",
    ):
        assert words in done.stdout
    assert max(len(line.rstrip()) for line in done.stdout.splitlines()) <= 100


def test_many_molecules_are_a_line_each_and_a_bad_one_is_named(folder: Path) -> None:
    done = onekcal("predict", "three.smi", "--model", "ledger.safetensors", cwd=folder)
    assert done.returncode == 0
    head, ethanol, water, foot, made = done.stdout.splitlines()
    assert [head.index("formula"), ethanol.index("C2H6O"), water.index("H2O")] == [
        head.index("formula")
    ] * 3
    assert len(ethanol) == len(water) == len(head) <= 100
    assert "kcal/mol" in foot
    assert made.startswith("2 geometries made from SMILES")
    assert "three.smi, line 2" in done.stderr
    assert "2 answered, 1 not" in done.stderr


def test_csv_is_a_row_a_molecule_with_units_in_the_heading(folder: Path) -> None:
    done = onekcal(
        "predict", "three.smi", "water.xyz", "--model", "ledger.safetensors", "--csv", cwd=folder
    )
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["name"] for row in rows] == ["ethanol", "broken", "water", "water"]
    assert [row["geometry"] for row in rows] == ["smiles", "", "smiles", "gfn2"]
    assert rows[1]["problem"]
    assert not rows[1]["energy_kcal_per_mol"]
    # two ways to the same minimum, each within 0.02 eV/Å of it
    assert float(rows[2]["energy_kcal_per_mol"]) == pytest.approx(
        float(rows[3]["energy_kcal_per_mol"]), abs=0.1
    )
    del rows[1]
    width = [float(row["upper_kcal_per_mol"]) - float(row["lower_kcal_per_mol"]) for row in rows]
    assert width[1] == pytest.approx(width[2], abs=1e-3)  # water has one conformer,
    apart = float(rows[0]["spread_kcal_per_mol"])  # ethanol has two
    assert width[0] == pytest.approx(width[1] * (1 + apart * math.exp(-apart / 2)), abs=0.01)
    assert width[0] > 1.3 * width[1]


def test_json_is_strict_and_complete(folder: Path) -> None:
    done = onekcal("predict", "O", "C1CC", "--model", "ledger.safetensors", "--json", cwd=folder)
    good, bad = strict(done.stdout)
    expected = (
        "source name formula smiles level geometry atomization formation_0 formation_298 terms "
        "conformers novelty "
        "remarks problem forces positions"
    )
    assert set(expected.split()) <= good.keys() == bad.keys()
    assert good["atomization"]["coverage"] == 0.9
    found = {"count": 1, "embedded": 1, "spread": 0.0, "rivalry": 0.0, "relative": [0.0]}
    found["by"] = "the model"
    assert good["conformers"] == found
    assert len(good["positions"]) == 3
    assert bad["atomization"] is None
    assert "C1CC" in bad["problem"]
    assert strict(onekcal("predict", "C1CC", "--model", "run", "--json", cwd=folder).stdout)[0][
        "problem"
    ]


def test_standard_input_is_read(folder: Path) -> None:
    done = onekcal(
        "predict", "-", "--model", "ledger.safetensors", "--csv", cwd=folder, stdin=THREE
    )
    assert [row["name"] for row in csv.DictReader(io.StringIO(done.stdout))] == [
        "ethanol",
        "broken",
        "water",
    ]


def test_a_model_of_electronic_energies_prints_them_without_a_ledger(folder: Path) -> None:
    done = onekcal("predict", "CCO", "--model", "run", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "energy relative to free atoms, electronic" in done.stdout
    assert "b3lyp/6-31g" in done.stdout
    assert "ΔfH" not in done.stdout
    assert "calibrated on geometries of the training data" in " ".join(done.stdout.split())


def test_the_geometries_used_are_written_with_energy_and_forces(folder: Path) -> None:
    words = ("--model", "run", "--geometries", "used.extxyz", "--forces", "--json")
    done = onekcal("predict", "water.xyz", "three.smi", *words, cwd=folder)
    answers = strict(done.stdout)
    written = read(folder / "used.extxyz", energy="kcal/mol")
    assert written.molecules.names.tolist() == ["water", "ethanol", "water"]
    assert written.columns["energy"].values.tolist() == pytest.approx(
        [a["atomization"]["value"] for a in answers if not a["problem"]], abs=1e-6
    )
    assert float(written.molecules.positions[0, 2]) == pytest.approx(
        0.117
    )  # this model takes files as they are
    assert "energy_forces" in written.columns
    assert len(answers[0]["forces"]) == 3
    alone = onekcal("predict", "O", "--model", "run", "--forces", cwd=folder)
    assert "--json" in alone.stderr  # the table has no room for forces; it says where they are


def test_the_scope_is_printed_without_anything_to_predict(folder: Path) -> None:
    done = onekcal("predict", "--scope", "--model", "ledger.safetensors", cwd=folder)
    assert done.returncode == 0, done.stderr
    for words in (
        "H C N O F S",
        "minima of GFN2-xTB",
        "90 % interval",
        WIDER,
        "model card",
        "mae · gfn2",
        "4.25",
    ):
        assert words in done.stdout
    found = strict(
        onekcal("predict", "--scope", "--model", "ledger.safetensors", "--json", cwd=folder).stdout
    )
    assert found["charges"] == [0]
    assert found["by_rivalry"] == ["smiles"]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["C1CC", "--model", "run"], 2, "C1CC"),
        (["nowhere.sdf", "--model", "run"], 2, "there is no file nowhere.sdf"),
        (["O", "--model", "nowhere"], 3, "no model at nowhere"),
        (["O", "--model", "cut.safetensors"], 3, "is damaged"),
        (["--model", "run"], 2, "nothing to predict"),
        (["-", "--model", "run"], 2, "standard input is empty"),
        (["O", "--model", "run", "--thermal", "guess"], 2, "`thermal` must be"),
        (["O", "--model", "run", "--geometries", "used.cif"], 2, "cif"),
        (["C[Si](C)(C)C", "--model", "run"], 2, "never seen Si"),
    ],
)
def test_where_nothing_could_be_predicted_one_line_says_why(
    folder: Path, words: list[str], code: int, message: str
) -> None:
    whole = (folder / "ledger.safetensors").read_bytes()
    (folder / "cut.safetensors").write_bytes(whole[: len(whole) // 2])
    done = onekcal("predict", *words, cwd=folder)
    assert done.returncode == code
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout.strip() == ""


def test_square_brackets_are_printed_as_they_are(folder: Path) -> None:
    """The tables' markup must not swallow a SMILES such as [H]O[H]."""
    assert "[H]O[H]" in onekcal("predict", "[H]O[H]", "--model", "run", cwd=folder).stdout


def test_rows_come_as_they_are_answered(folder: Path) -> None:
    """Whoever reads the pipe has the first row before the last question is asked."""
    process = subprocess.Popen(
        [sys.executable, "-m", "onekcal", "predict", "-", "--model", "run", "--csv"],
        cwd=folder,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        process.stdin.write("O first\n")
        process.stdin.flush()
        assert process.stdout.readline().startswith("source,")
        assert "first" in process.stdout.readline()
        process.stdin.write("C second\n")
        process.stdin.close()
        assert "second" in process.stdout.readline()


@pytest.mark.skipif(
    not (SHIPPED / "g4mp2.safetensors").is_file(), reason="no model ships with this checkout"
)
def test_the_shipped_model_needs_no_name(tmp_path: Path) -> None:
    done = onekcal("predict", "CCO", "--json", cwd=tmp_path)
    (answer,) = strict(done.stdout)
    assert answer["level"] == "g4mp2"
    assert (
        answer["atomization"]["lower"]
        < answer["atomization"]["value"]
        < answer["atomization"]["upper"]
    )
    assert answer["formation_298"] == pytest.approx(-56.2, abs=2.0)  # experiment
    assert load_model().geometry == "gfn2"
