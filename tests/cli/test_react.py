"""`onekcal react` as a user meets it: what it prints, what it writes, how it ends."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from support.command import onekcal

ETHER = "CCO >> COC"
LEARNED = ("--rung", "learned")


def test_one_reaction_is_shown_term_by_term(tmp_path: Path) -> None:
    done = onekcal("react", ETHER, *LEARNED, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for words in (
        "ΔfH(0 K)",
        "Σ ν ×",
        "ΔrE(0 K)",
        "ΔrH(298.15 K)",
        "ΔrG(298.15 K)",
        "kJ/mol",
        "90 % interval",
        "1 bar of each species",
        "symmetry numbers  CCO 1, COC 2",
        "made from SMILES",
    ):
        assert words in done.stdout, done.stdout
    assert max(len(line.rstrip()) for line in done.stdout.splitlines()) <= 100
    table = {line.split()[0]: line.split() for line in done.stdout.splitlines() if line.strip()}
    sums = [float(word.replace("−", "-")) for word in table["Σ"][3:]]
    terms = [[float(word.replace("−", "-")) for word in table[name][2:]] for name in ("CCO", "COC")]
    for total, left, right in zip(sums, *terms):
        assert total == pytest.approx(right - left, abs=0.021)


def test_a_table_is_a_line_each_and_a_bad_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "some.txt").write_text(f"# three\n{ETHER}\nCCO >> CO\nCOC >> CCO\n")
    words = ("--table", "some.txt", "--no-free-energies", *LEARNED)
    done = onekcal("react", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    head, there, back, foot = done.stdout.splitlines()
    assert "ΔrG" not in head
    assert "joint 90 % interval of ΔrE(0 K)" in foot
    assert head.split()[-1] == "against"
    assert there.split()[-1] == "experiment"
    forth, home = (float(line.split()[3].replace("−", "-")) for line in (there, back))
    assert forth == -home != 0.0
    assert "'CCO >> CO': " in done.stderr
    assert "2 answered, 1 not" in done.stderr


def test_json_and_csv_hold_the_same_numbers(tmp_path: Path) -> None:
    words = ("react", ETHER, "CCO >> CO", "--no-free-energies", *LEARNED)
    good, bad = json.loads(onekcal(*words, "--json", cwd=tmp_path).stdout)
    rows = list(csv.DictReader(io.StringIO(onekcal(*words, "--csv", cwd=tmp_path).stdout)))
    assert [row["reaction"] for row in rows] == [ETHER, "CCO >> CO"]
    assert float(rows[0]["energy_0K_kcal_per_mol"]) == pytest.approx(good["energy_0"], abs=1e-4)
    assert float(rows[0]["half_kcal_per_mol"]) == pytest.approx(good["half"], abs=1e-4)
    assert rows[0]["free_energy_kcal_per_mol"] == ""
    assert good["free_energy"] is None
    assert [one["coefficient"] for one in good["species"]] == [-1.0, 1.0]
    assert bad["energy_0"] is None
    assert bad["problem"] == rows[1]["problem"] != ""


def test_temperature_and_pressure_are_taken(tmp_path: Path) -> None:
    words = ("react", ETHER, "--temperature", "400", "--pressure", "10", "--json", *LEARNED)
    (found,) = json.loads(onekcal(*words, cwd=tmp_path).stdout)
    assert (found["temperature_K"], found["pressure_bar"]) == (400.0, 10.0)
    thermal = [one["thermochemistry"] for one in found["species"]]
    assert [one["symmetry_number"] for one in thermal] == [1, 2]
    change = thermal[1]["free_energy_kcal_per_mol"] - thermal[0]["free_energy_kcal_per_mol"]
    assert found["free_energy"] == pytest.approx(found["energy_0"] + change, abs=1e-9)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no reaction"),
        (["CCO"], "expected one arrow"),
        ([ETHER, "--csv", "--json"], "give one of them"),
        ([ETHER, "--temperature", "0"], "temperature must be a positive"),
        (["2 CO >> COC"], "2 H too few on the right"),
        (["CCO >> OCC"], "stands on both sides"),
        (["CCO + C >> COC + CC"], "balances only without C, CC"),
        (["C + O=O >> [C-]#[O+] + O=C=O + O"], "the coefficients must be given"),
        (["ethylen + hydrogen >> ethane"], "did you mean 'ethylene'"),
        (["--table", "empty.txt"], "holds no reaction"),
        (["FF + [H][H] >> F", *LEARNED], "no energy of FF"),
    ],
)
def test_what_cannot_be_answered_ends_with_one_line(
    tmp_path: Path, words: list[str], message: str
) -> None:
    (tmp_path / "empty.txt").write_text("# nothing\n")
    done = onekcal("react", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout.strip() == ""


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    done = onekcal("react", "--table", "nowhere.txt", cwd=tmp_path)
    assert done.returncode == 1
    assert "nowhere.txt" in done.stderr
