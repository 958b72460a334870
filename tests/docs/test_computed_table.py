"""The tables of computed G4(MP2) are those of the results, and so are the intervals in the code."""

from __future__ import annotations

import json

import g4mp2_check
import pytest

from onekcal.labels.deviations import DEVIATIONS


def test_the_page_shows_the_results() -> None:
    results = json.loads(g4mp2_check.OUT.read_text(encoding="utf-8"))
    page = g4mp2_check.PAGE.read_text(encoding="utf-8")
    assert g4mp2_check.tables(results) in page
    results["sets"]["g305"]["median"] += 0.1
    assert g4mp2_check.tables(results) not in page


def test_the_intervals_are_the_measured_ones() -> None:
    measured = json.loads(g4mp2_check.OUT.read_text(encoding="utf-8"))["against_experiment"]
    for kind, known in DEVIATIONS.items():
        assert known.species == measured[kind]["species"]
        assert known.mean == pytest.approx(measured[kind]["mean"], abs=0.006)
        assert known.ninety == pytest.approx(measured[kind]["ninety"], abs=0.006)
