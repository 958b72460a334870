"""Heats of formation beside experiment, of a few molecules: rows, rungs, and corrections that have
not seen what they correct.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from onekcal.bench import thermochemistry
from onekcal.bench.experiments import BEST, experiment
from onekcal.bench.thermochemistry import Corrections, cases, run
from onekcal.errors import ConfigError
from onekcal.models.to_experiment import shipped
from onekcal.molecules import Molecules

ROWS = {row["smiles"]: row for row in experiment()}


def test_rows_tell_errors_and_how_often_the_interval_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = ROWS["C"] | {"formation_298_kcal_per_mol": "100"}
    some = [ROWS["O"], wrong, ROWS["CC"], ROWS["CO"], ROWS["N"], ROWS["O=C=O"]]
    monkeypatch.setattr(thermochemistry, "experiment", lambda: some)
    monkeypatch.setattr("onekcal.bench.experiments.experiment", lambda: some)
    seen: list[str] = []
    found = run(tmp_path, watch=lambda record: seen.append(record["name"]))
    assert seen == [row["name"] for row in some]
    kept = json.loads((tmp_path / "thermochemistry.json").read_text())
    rows = {row["name"]: row["ours"] for row in kept["rows"]}
    answered = rows["common molecules from SMILES, as predict answers"]
    assert answered["count"] == 6
    assert answered["mae"] > 15  # what methane's experiment is said to be
    assert answered["coverage"] == pytest.approx(5 / 6, abs=1e-4)
    assert "coverage" not in next(one for name, one in rows.items() if "without" in name)
    water = kept["molecules"][0]
    assert water["answered"] == pytest.approx(-57.80, abs=water["half"])
    spelt = next(one for name, one in rows.items() if "spellings" in name)
    assert spelt["max"] < 0.01
    dioxide = kept["molecules"][-1]
    assert dioxide["answered"] == pytest.approx(dioxide["experiment"], abs=dioxide["half"])
    assert found["rows"][0]["columns"]["species"] == found["rows"][0]["test"]


def test_the_first_table_is_of_the_molecules_that_other_programs_answered() -> None:
    compared = [smiles for smiles, row in ROWS.items() if row["compared"] == "yes"]
    assert (len(ROWS), len(compared)) == (70, 49)
    assert not any("F" in smiles for smiles in compared)  # some know H C N O alone


def test_an_unknown_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'rgm'.*did you mean 'rmg'"):
        run(tmp_path, sets=["rgm"])


def test_each_molecule_takes_a_correction_that_has_not_seen_it(real_data: Path) -> None:
    every, corrections = cases(["common", "rmg", "g305"], real_data)
    others = [(one.set, one.identity) for one in every if one.set != "common"]
    assert len(set(others)) == len(others)  # one of several copies
    cis, trans = (one for one in every if "2-butene" in one.name)
    assert cis.identity == trans.identity  # both leave a fit together,
    assert cis.heat.formation != trans.heat.formation  # but each has its own experiment
    assert {one.set for one in every} == {"common", "rmg", "g305"}
    ethane = next(one for one in every if one.name == "ethane")
    assert BEST in ethane.heat.source
    known = [one for one in every if one.set == "g305"]
    apart = 0.0
    for one in known[::10]:
        molecule = one.question.molecule
        assert molecule is not None
        shipped_value = shipped().line(molecule).value
        own = corrections.without(one.identity, molecule)
        apart += abs(own - shipped_value)
        unknown = corrections.without("no such molecule", molecule)
        assert unknown == shipped_value
    assert apart > 0.1  # the fits differ from that to all


def test_without_archives_the_correction_is_the_one_that_ships() -> None:
    bare = Corrections([], {})
    (water,) = [one for one in cases(["common"], None)[0] if one.question.smiles == "O"]
    at = Molecules.one(["O", "H", "H"], [[0.0, 0, 0.12], [0, 0.76, -0.47], [0, -0.76, -0.47]])
    assert bare.without(water.identity, at) == pytest.approx(shipped().line(at).value)
