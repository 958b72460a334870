"""The heats of formation beside experiment, of three molecules: two in the shipped model's scope,
one outside it.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from onekcal.bench import formation

ROWS = {row["smiles"]: row for row in formation.experiment()}


def test_rows_tell_errors_and_how_often_the_interval_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = ROWS["C"] | {"formation_298_kcal_per_mol": "100"}
    monkeypatch.setattr(formation, "experiment", lambda: [ROWS["O"], wrong, ROWS["C=C"]])
    inside, every, ladder = formation.run(tmp_path)["rows"]
    assert (inside["test"], every["test"]) == (2, 3)
    assert inside["name"] == "2 molecules in the model's scope"
    assert inside["ours"]["mae"] > 50
    assert (
        inside["ours"]["coverage"] == 0.5
    )  # water's heat of formation lies inside, what methane's is said to be does not
    assert "coverage" not in every["ours"]  # ethylene, forced, has no interval
    assert ladder["name"] == "3 molecules as predict answers, 1 of them by G4(MP2)"
    water, _, ethylene = json.loads((tmp_path / "formation.json").read_text())["molecules"]
    assert water["predicted"] == pytest.approx(-57.80, abs=water["half"])
    assert ethylene["half"] is None
    assert ethylene["rung"] == "g4mp2"
    assert ethylene["answered"] == pytest.approx(ethylene["experiment"], abs=1.5)
    assert abs(ethylene["predicted"] - ethylene["experiment"]) > 5  # what the model alone would say
