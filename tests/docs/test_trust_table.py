"""The tables in the page of trust are those of the results."""

from __future__ import annotations

import json
import math

import active_selection
import numpy as np
import trust_shipped


def test_the_page_shows_the_results() -> None:
    results = json.loads(trust_shipped.OUT.read_text(encoding="utf-8"))
    page = trust_shipped.PAGE.read_text(encoding="utf-8")
    assert trust_shipped.renewed(page, results) == page
    results["signals"]["variance"]["auroc"] += 0.1
    assert trust_shipped.renewed(page, results) != page


def test_the_best_signal_finds_large_errors_and_the_control_does_not() -> None:
    signals = json.loads(trust_shipped.OUT.read_text(encoding="utf-8"))["signals"]
    assert signals["variance"]["auroc"] > 0.75
    assert signals["size"]["auroc"] < 0.5
    assert all(abs(row["coverage"] - 0.9) < 0.02 for row in signals.values())
    assert trust_shipped.HTML.is_file()


def test_the_trial_of_selection_in_the_page_is_that_of_the_results() -> None:
    results = json.loads(active_selection.OUT.read_text(encoding="utf-8"))
    page = active_selection.PAGE.read_text(encoding="utf-8")
    assert active_selection.renewed(page, results) == page
    by = {(row["by"], row["how"]): row for row in results["rows"]}
    random = np.mean(by["random", "top"]["mae"], 0)
    assert active_selection.needed(by["random", "top"], float(random[-1])) == 400
    assert active_selection.needed(by["random", "top"], 0.0) == math.inf
    # what the page says of a draw by variance
    assert active_selection.needed(by["variance", "drawn"], float(random[-1])) < 360
