"""The table of larger molecules is that of the results, and the intervals hold there."""

from __future__ import annotations

import json

import larger_molecules


def test_the_page_shows_the_results() -> None:
    results = json.loads(larger_molecules.OUT.read_text(encoding="utf-8"))
    page = larger_molecules.PAGE.read_text(encoding="utf-8")
    assert larger_molecules.renewed(page, results) == page
    results["rows"][0]["mae"] += 1.0
    assert larger_molecules.renewed(page, results) != page


def test_larger_molecules_have_wider_intervals_which_hold() -> None:
    rows = json.loads(larger_molecules.OUT.read_text(encoding="utf-8"))["rows"]
    for most in larger_molecules.LEARNED:
        own = [row for row in rows if row["trained up to"] == most]
        halves = [row["half"] for row in own]
        assert halves == sorted(halves)
        assert all(row["inside"] > 0.87 for row in own)
        assert own[-1]["refused"] > own[0]["refused"]
