"""The page of the campaigns shows their results, and every finding names a test that is there."""

from __future__ import annotations

import json

import pytest
from robustness.mended import MENDED
from robustness.readers import READERS
from robustness.verbs import VERBS

from robustness import record

RESULTS = json.loads(record.OUT.read_text(encoding="utf-8"))


def test_the_page_shows_the_results() -> None:
    page = record.PAGE.read_text(encoding="utf-8")
    assert record.renewed(page, RESULTS) == page
    changed = json.loads(json.dumps(RESULTS))
    changed["fuzz"]["rows"][0]["inputs"] += 1
    assert record.renewed(page, changed) != page


@pytest.mark.parametrize("one", MENDED, ids=lambda one: one.test.rpartition("::")[2])
def test_a_mended_finding_names_a_test_that_is_there(one) -> None:  # type: ignore[no-untyped-def]
    file, _, name = one.test.partition("::")
    assert f"def {name}(" in (record.ROOT / file).read_text(encoding="utf-8")


def test_no_finding_of_readers_and_verbs_is_open() -> None:
    for campaign, names in (("fuzz", READERS), ("kills", VERBS)):
        rows = {row["name"]: row for row in RESULTS[campaign]["rows"]}
        assert set(rows) <= {one.name for one in names}
        assert not [row for row in rows.values() if row["findings"]]
        assert RESULTS[campaign]["made"]["packages"]["torch"]


def test_what_is_not_noticed_adds_up() -> None:
    for row in RESULTS.get("mutants", {}).get("rows", []):
        assert row["mutants"] - row["killed"] == len(row["findings"])
