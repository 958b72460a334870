"""The drifts in the page of trajectories are those of the results, and as small as promised."""

from __future__ import annotations

import json

import md_drift


def test_the_page_shows_the_results() -> None:
    results = json.loads(md_drift.OUT.read_text(encoding="utf-8"))
    page = md_drift.PAGE.read_text(encoding="utf-8")
    assert md_drift.renewed(page, results) == page
    results["rows"][0]["drift"] += 1.0
    assert md_drift.renewed(page, results) != page


def test_drifts_are_below_the_limit_and_a_longer_step_drifts_more() -> None:
    rows = json.loads(md_drift.OUT.read_text(encoding="utf-8"))["rows"]
    for case in md_drift.CASES:
        own = [
            row for row in rows if (row["model"], row["molecule"]) == (case.model, case.molecule)
        ]
        fine = [row for row in own if row["timestep_fs"] == md_drift.STEP]
        coarse = [row for row in own if row["timestep_fs"] == md_drift.CONTROL]
        assert len(fine) == len(case.seeds)
        assert all(row["time_ps"] == case.picoseconds for row in fine)
        assert not any(row["stopped"] for row in fine)
        assert max(abs(row["drift"]) for row in fine) < md_drift.LIMIT
        assert min(row["widest"] for row in coarse) > 5 * max(row["widest"] for row in fine)
