"""What the page says of the conformer search is what was measured."""

from __future__ import annotations

import json

import conformer_search


def test_the_page_shows_the_results() -> None:
    results = json.loads(conformer_search.OUT.read_text(encoding="utf-8"))
    page = conformer_search.PAGE.read_text(encoding="utf-8")
    assert conformer_search.renewed(page, results) == page
    results["found"] -= 0.5
    assert conformer_search.renewed(page, results) != page
