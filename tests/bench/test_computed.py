"""Computed G4(MP2) beside published numbers: what is kept, what the page and the code say of it."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest

from onekcal.bench.computed import run as computed
from onekcal.bench.computed.cases import QM9_HEAVY, QM9_MOLECULES, Case, cases
from onekcal.bench.computed.measure import Record, compared, measured
from onekcal.bench.computed.results import keep, known, lines, path_in, summed_up
from onekcal.errors import DataError, InputError
from onekcal.labels.deviations import DEVIATIONS
from onekcal.molecules import Molecules
from onekcal.system import queue as jobs
from onekcal.units import HARTREE

RESULTS = Path(__file__).parents[2] / "results"


def hydrogen(row: int = 0) -> Case:
    """H2 with a made-up published energy."""
    molecule = Molecules.one([1, 1], [[0, 0, 0], [0, 0, 0.743]])
    return Case("g305", row, molecule, -1.17 * HARTREE, zero_point=6.3, heat=2.1, experiment=0.0)


# --- the results that are kept ----------------------------------------------------------------


def test_the_rows_are_those_of_the_species() -> None:
    content = json.loads(path_in(RESULTS).read_text(encoding="utf-8"))
    assert summed_up(content["species"])["rows"] == content["rows"]
    other = deepcopy(content["species"])
    other["g305"][0]["difference"] += 1.0
    assert summed_up(other)["rows"] != content["rows"]


def test_the_intervals_are_the_measured_ones() -> None:
    content = json.loads(path_in(RESULTS).read_text(encoding="utf-8"))
    named = {row["name"]: row for row in content["rows"]}
    for kind, known_ in DEVIATIONS.items():
        row = named[f"experiment: {kind}"]
        assert known_.species == row["species"]
        assert known_.mean == pytest.approx(row["mean"], abs=0.006)
        assert known_.ninety == pytest.approx(row["ninety"], abs=0.006)


def test_records_replace_those_of_the_same_species(tmp_path: Path) -> None:
    found = compared(hydrogen(), {"electronic": -1.18})
    keep(tmp_path, "g305", [found, found | {"row": 1}])
    content = keep(tmp_path, "g305", [found | {"difference": 5.0}])
    assert [one["difference"] for one in content["species"]["g305"]] == [5.0, found["difference"]]
    assert known(tmp_path)["qm9"] == []


def test_the_zero_of_a_set_is_a_sum_over_atoms(tmp_path: Path) -> None:
    hydrogens = [replace(hydrogen(row), set="ppe") for row in range(8)]
    records = [
        compared(case, {"electronic": -1.18}) | {"formula": "CH4" if case.row % 2 else "C2H6"}
        for case in hydrogens
    ]
    for one in records:  # 0.3 a C, -0.1 a H
        one["difference"] = -0.1 if one["formula"] == "CH4" else 0.0
    rows = {row["name"]: row for row in keep(tmp_path, "ppe", records)["rows"]}
    assert rows["zero: C"]["share"] == pytest.approx(0.3)
    assert rows["zero: H"]["share"] == pytest.approx(-0.1)
    assert rows["zero: what they leave"]["largest"] == pytest.approx(0.0, abs=1e-6)
    assert "share: C" not in rows  # those are of G3/05


def test_a_table_has_one_head_for_every_line(tmp_path: Path) -> None:
    found = compared(hydrogen(), {"electronic": -1.18})
    rows = keep(tmp_path, "g305", [found, {**found, "row": 1} | {"deviation": -9.0}])["rows"]
    table = lines(rows)
    assert len({tuple(line) for line in table}) == 1
    assert "H2" in [line["row"] for line in table]  # far from experiment


# --- the comparison ---------------------------------------------------------------------------


def test_differences_and_deviations_are_ours_minus_theirs() -> None:
    case = hydrogen()
    one, other = (compared(case, {"electronic": e}) for e in (-1.18, -1.17))
    assert one["difference"] == pytest.approx(-0.01 * HARTREE + 6.3, abs=1e-3)
    assert one["deviation"] - other["deviation"] == pytest.approx(-0.01 * HARTREE, abs=2e-3)
    assert one["published_deviation"] == other["published_deviation"]


def test_a_species_is_computed() -> None:
    record = measured(hydrogen())
    assert record["electronic"] == pytest.approx(-1.1804, abs=2e-4)
    assert record["class"] == "closed shells of H C N O F"
    assert "deviation" in record


def test_what_the_method_refuses_is_kept_as_failed() -> None:
    both = Molecules.one(["Li", "Na"], [[0, 0, 0], [0, 0, 2.9]])
    assert "Li beside Na" in measured(Case("g305", 0, both, 0.0, 0.0))["failed"]


def test_the_archive_of_g305_holds_scaled_frequencies(real_data: Path) -> None:
    """Water vibrates 1.5 % faster under B3LYP itself; ours would else be scaled twice."""
    water = next(c for c in cases(real_data, ["g305"], 1) if c.molecule.formulas[0] == "H2O")
    assert water.zero_point is not None
    own = measured(Case("zero-points", 0, water.molecule, 0.0))["zero_point"]
    assert water.zero_point / own == pytest.approx(0.9854, abs=0.005)
    assert abs(water.zero_point / own - 1) > 0.01


def test_a_hundred_molecules_of_qm9_are_compared(real_data: Path) -> None:
    every = cases(real_data, ["qm9"], QM9_HEAVY)
    assert len(every) == QM9_MOLECULES
    assert sum(case.zero_point is not None for case in every) == 19
    assert [case.heavy for case in every] == sorted(case.heavy for case in every)


def test_atomization_energies_are_compared_at_0_k() -> None:
    case = replace(hydrogen(), experiment=None, atomization=-103.27)
    record = compared(case, {"electronic": -1.18})
    expected = -1.18 * HARTREE + 6.3 + 2 * 0.502094 * HARTREE + 103.27
    assert record["deviation"] == pytest.approx(expected, abs=2e-3)
    assert compared(hydrogen(), {"electronic": -1.18})["deviation"] != record["deviation"]


# --- running ----------------------------------------------------------------------------------


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Two species; the rows that were computed are listed."""
    done: list[int] = []

    def quick(case: Case) -> Record:
        done.append(case.row)
        return compared(case, {"electronic": -1.18})

    monkeypatch.setattr(computed, "cases", lambda *_: [hydrogen(0), hydrogen(1)])
    monkeypatch.setattr(computed, "measured", quick)
    return done


def test_nothing_is_computed_twice(two: list[int], tmp_path: Path) -> None:
    computed.run(tmp_path, tmp_path)
    computed.run(tmp_path, tmp_path)
    assert two == [0, 1]
    assert len(known(tmp_path)["g305"]) == 2


def test_a_job_goes_on_with_the_species_it_was_at(two: list[int], tmp_path: Path) -> None:
    queue, results = tmp_path / "queue", tmp_path / "results"
    assert list(computed.add(queue, tmp_path, results).values()) == [True]
    (job,) = jobs.jobs(queue)
    job.work.mkdir()
    kept = compared(hydrogen(0), {"electronic": -1.18})
    (job.work / "species.jsonl").write_text(json.dumps(kept) + "\n" + json.dumps(kept)[:20])
    result = computed.work(job)
    assert two == [1]
    assert computed.merge(result, results)
    assert not computed.merge(result, results)
    assert computed.add(queue, tmp_path, results) == {}  # nothing waits


def test_absent_archives_and_strange_sets_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError, match=r"g305\.npz"):
        cases(tmp_path, ["g305"])
    with pytest.raises(InputError, match="ONEKCAL_MIRROR"):
        computed.archives()
    monkeypatch.setenv("ONEKCAL_MIRROR", str(tmp_path))
    assert computed.archives() == tmp_path
    with pytest.raises(InputError, match="zero-points"):
        computed.waiting(tmp_path, tmp_path, ["zero-point"])
