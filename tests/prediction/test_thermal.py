"""Thermochemistry of single molecules: literature values, and only where it is asked for."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from onekcal.cli.main import app
from onekcal.errors import InputError
from onekcal.prediction.options import Options
from onekcal.prediction.prediction import predict


@pytest.mark.parametrize(
    ("smiles", "entropy", "heat_capacity"),
    [("O", 45.13, 8.03), ("C", 44.54, 8.54), ("O=C=O", 51.10, 8.87), ("[CH3]", 46.38, 9.2)],
)
def test_entropy_and_heat_capacity_are_those_of_tables(
    smiles: str, entropy: float, heat_capacity: float
) -> None:
    """JANAF tables, cal/mol/K at 298.15 K and 1 bar."""
    (found,) = predict(smiles, options=Options(thermochemistry=True))
    assert found.thermochemistry is not None
    assert found.thermochemistry.entropy == pytest.approx(entropy, abs=0.4)
    assert found.thermochemistry.heat_capacity == pytest.approx(heat_capacity, abs=0.4)


def test_nobody_pays_for_what_was_not_asked() -> None:
    (found,) = predict("O")
    assert found.thermochemistry is None
    with pytest.raises(InputError, match="temperature"):
        next(iter(predict("O", options=Options(temperature=-1.0))))


def test_the_command_prints_it_and_writes_it() -> None:
    run = CliRunner()
    hot = run.invoke(app, ["predict", "O=C=O", "--temperature", "400"]).output
    assert "400 K" in hot  # which is of the thermochemistry alone
    shown = run.invoke(app, ["predict", "O=C=O", "--thermochemistry"]).output
    assert "symmetry number 2" in shown
    (row,) = json.loads(run.invoke(app, ["predict", "O=C=O", "--thermochemistry", "--json"]).output)
    assert row["thermochemistry"]["entropy_cal_per_mol_K"] == pytest.approx(51.1, abs=0.4)
    table = run.invoke(app, ["predict", "O=C=O", "--thermochemistry", "--csv"]).output
    assert "entropy_cal_per_mol_K" in table
