"""Dissociation enthalpies of single bonds: which bonds there are, and values of textbooks."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from onekcal.cli.main import app
from onekcal.errors import InputError
from onekcal.prediction.answers import Answer
from onekcal.prediction.bonds import BrokenBond, _worth_computing, bonds
from onekcal.prediction.options import Options


def listed(smiles: str) -> dict[tuple[str, ...], BrokenBond]:
    """What ships is looked up, and nothing is computed."""
    found = bonds(smiles, options=Options(budget=0.0))
    return {tuple(sorted(one.fragments)): one for one in found}


@pytest.mark.parametrize(
    ("smiles", "fragments", "textbook"),
    [
        ("C", ("[CH3]", "[H]"), 105.0),
        ("O", ("[H]", "[OH]"), 118.8),
        ("N", ("[H]", "[NH2]"), 107.6),
        ("CO", ("[CH3]", "[OH]"), 92.0),
        ("[H][H]", ("[H]", "[H]"), 104.2),
        ("Cl", ("[Cl]", "[H]"), 103.2),
    ],
)
def test_textbook_dissociation_enthalpies_come_out(
    smiles: str, fragments: tuple[str, str], textbook: float
) -> None:
    """Blanksby and Ellison, Acc. Chem. Res. 36, 255 (2003), 298 K. The species ship, so nothing is
    computed; 1.5 is the goal for a mean, and no single one of these may miss it."""
    assert listed(smiles)[fragments].enthalpy == pytest.approx(textbook, abs=1.5)


def test_equal_bonds_are_listed_once_and_ring_and_double_bonds_not() -> None:
    methane = listed("C")
    assert [one.count for one in methane.values()] == [4]
    with pytest.raises(InputError, match="no single bond outside rings"):
        bonds("O=C=O")


def test_charges_go_with_the_bond_between_them() -> None:
    found = {one.bond: one for one in bonds("C[N+](=O)[O-]", options=Options(budget=0.0))}
    assert set(found["N–O"].fragments) == {"CN=O", "[O]"}
    assert set(found["C–N"].fragments) == {"[O]N=O", "[CH3]"}
    assert found["C–N"].enthalpy == pytest.approx(61, abs=3)


def test_radicals_are_refused() -> None:
    with pytest.raises(InputError, match="closed shells only"):
        bonds("[CH3]")


def test_the_command_prints_a_table_json_and_csv() -> None:
    run = CliRunner()
    table = run.invoke(app, ["bonds", "O"])
    assert table.exit_code == 0
    assert "[OH] + [H]" in table.output
    (row,) = json.loads(run.invoke(app, ["bonds", "O", "--json"]).output)
    assert row["count"] == 2
    assert "dissociation_298K_kcal_per_mol" in run.invoke(app, ["bonds", "O", "--csv"]).output


def test_bonds_are_a_table_in_a_unit() -> None:
    nothing = Options(budget=0.0)
    kcal, kilojoule = bonds("CO", options=nothing), bonds("CO", options=nothing, unit="kJ/mol")
    for one, other in zip(kcal, kilojoule):
        if not one.problem:
            told = other.to_dict()["dissociation_298K_kJ_per_mol"]
            assert told == pytest.approx(4.184 * one.enthalpy)
    frame = kilojoule.to_frame()
    assert list(frame["bond"]) == ["C–O", "C–H", "O–H"]
    assert "half_width_kJ_per_mol" in frame
    assert kcal.to_csv().startswith("bond,count,fragments,dissociation_298K_kcal_per_mol")
    assert "3 kinds of bonds" in repr(kcal)


def test_radicals_that_the_model_answered_are_named() -> None:
    hexane = next(iter(bonds("CCCCCC", options=Options(budget=0.0), stream=True)))
    assert hexane.fragments == ("[CH2]CCCC", "[CH3]")
    assert hexane.learned == ("[CH2]CCCC",)
    assert hexane.to_dict()["learned"] == "[CH2]CCCC"
    assert all(not one.learned for one in listed("CO").values())


def test_radicals_are_computed_where_their_forecast_is_within_the_budget() -> None:
    cheap, options = Answer("x", forecast=10.0), Options(budget=120.0)
    assert _worth_computing("[CH2]CCCC", cheap, options)
    assert not _worth_computing("CCCCC", cheap, options)
    assert not _worth_computing("[CH2]CCCC", cheap, Options(budget=0.0))
    assert not _worth_computing("[CH2]CCCC", Answer("x"), options)


def test_bonds_can_be_streamed() -> None:
    found = bonds("CO", options=Options(budget=0.0), stream=True)
    assert next(found).bond == "C–O"
    with pytest.raises(InputError, match="coverage"):
        bonds("CO", coverage=90)
