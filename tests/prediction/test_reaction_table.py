"""Reactions in a unit of one's choice, as a table and one by one."""

from __future__ import annotations

import csv
import io

import pytest
from typer.testing import CliRunner

from onekcal.cli.main import app
from onekcal.errors import InputError
from onekcal.prediction.options import Options
from onekcal.prediction.react import react
from onekcal.prediction.reaction import Conditions, Reaction

LEARNED = Options(rung="learned")
TWO = ["CCO >> COC", "CCO >> CO"]


@pytest.fixture(scope="module")
def kcal() -> Reaction:
    return react(TWO[0], options=LEARNED, free_energies=False)[0]


def test_a_list_of_reactions_is_a_table_and_bad_ones_stay_in_their_place() -> None:
    found = react(TWO, options=LEARNED, free_energies=False)
    frame = found.to_frame()
    assert list(frame["reaction"]) == TWO
    assert frame["problem"][0] == ""
    assert "balance" in frame["problem"][1]
    assert frame["energy_0K_kcal_per_mol"].isna().tolist() == [False, True]
    rows = list(csv.DictReader(io.StringIO(found.to_csv())))
    assert float(rows[0]["enthalpy_kcal_per_mol"]) == pytest.approx(found[0].enthalpy, abs=1e-3)
    assert "2 reactions, 1 refused" in repr(found)
    assert type(found[:1]) is type(found)


def test_every_energy_is_in_the_unit_and_other_columns_are_not(kcal: Reaction) -> None:
    (other,) = react(TWO[0], options=LEARNED, free_energies=False, unit="kJ/mol")
    told, here = other.to_dict(), kcal.to_dict()
    assert told["unit"] == "kJ/mol"
    for key in ("energy_0", "enthalpy", "half"):
        assert told[key] == pytest.approx(4.184 * here[key])
    assert told["temperature_K"] == here["temperature_K"]
    assert set(other.cells()) ^ set(kcal.cells()) == {
        f"{name}_{unit}"
        for name in ("energy_0K", "enthalpy", "free_energy", "half")
        for unit in ("kJ_per_mol", "kcal_per_mol")
    }
    assert "kJ/mol" in repr(other)


def test_the_options_have_one_name_each_whether_of_conditions_or_of_answers() -> None:
    asked = {"temperature": 400.0, "coverage": 0.5}
    (named,) = react(TWO[0], options=LEARNED, **asked)
    (both,) = react(TWO[0], "g4mp2", Conditions(400.0), Options(rung="learned", coverage=0.5))
    assert named.to_dict() == both.to_dict()
    assert named.temperature == 400.0
    with pytest.raises(InputError, match="did you mean"):
        react(TWO[0], coverge=0.5)  # type: ignore[call-arg]


def test_reactions_are_streamed_when_that_is_asked_for() -> None:
    found = react(iter(TWO), options=LEARNED, free_energies=False, stream=True)
    assert not next(found).problem
    assert next(found).problem


def test_the_command_tells_the_unit_on_the_screen_and_in_the_columns(kcal: Reaction) -> None:
    words = ["react", TWO[0], "--rung", "learned", "--no-free-energies", "--unit", "kJ/mol"]
    shown = CliRunner().invoke(app, words)
    assert f"{4.184 * kcal.energy:.2f}" in shown.stdout
    assert f"{kcal.energy:.2f}" in shown.stdout  # the other unit stands beside it
    table = CliRunner().invoke(app, [*words, "--csv", "--coverage", "0.8"])
    (row,) = csv.DictReader(io.StringIO(table.stdout))
    assert float(row["enthalpy_kJ_per_mol"]) == pytest.approx(4.184 * kcal.enthalpy, abs=1e-3)
    assert row["coverage"] == "0.8"
