"""The table of what G4(MP2) costs is that of the results."""

from __future__ import annotations

import json

import g4mp2_speed


def test_the_page_shows_the_results() -> None:
    results = json.loads(g4mp2_speed.OUT.read_text(encoding="utf-8"))
    page = g4mp2_speed.PAGE.read_text(encoding="utf-8")
    assert g4mp2_speed.with_table(page, results) == page
    results["before"][0]["ratio"] += 1.0
    assert g4mp2_speed.with_table(page, results) != page


def test_our_derivatives_cost_a_fraction_and_change_little() -> None:
    for row in json.loads(g4mp2_speed.OUT.read_text(encoding="utf-8"))["before"]:
        assert row["ratio"] > 4
        assert abs(row["zero point, change"]) < 0.02
    changed = json.loads(g4mp2_speed.OUT.read_text(encoding="utf-8"))["change"]["rows"]
    sizes = sorted((abs(row["energy"]), row["smiles"]) for row in changed)
    assert len(sizes) == 17
    assert sizes[-3][0] <= 0.003  # as the page says
    assert sizes[-2:] == [(0.0089, "[O]O"), (0.02, "CCl")]
