"""The bill of materials names everything that is vendored, with its licence."""

from __future__ import annotations

import audit
import bill


def test_every_file_of_another_project_is_on_the_bill_with_its_licence() -> None:
    """A file of more than 400 lines, or of very long lines, was not written here."""
    listed = {path for one in bill.VENDORED for path in one.files}
    scripts = [p for e in ("js", "css", "json") for p in bill.SOURCE.glob(f"s*/**/*.{e}")]
    large = {str(p.relative_to(bill.SOURCE)) for p in scripts if p.stat().st_size > 200_000}
    large = {path for path in large if not path.startswith("shipped/")}
    assert large == listed
    for one in bill.VENDORED:
        text = (bill.SOURCE / one.text).read_text(encoding="utf-8")
        word = "MIT" if one.licence == "MIT" else "Redistribution and use"
        assert word in text or "Permission is hereby granted" in text, one.name


def test_the_bill_is_whole_and_states_licences() -> None:
    found = bill.bill()
    names = {one["name"].lower() for one in found["components"]}
    assert {"torch", "numpy", "rdkit", "ase", "plotly.js", "3dmol.js"} <= names
    assert "pyscf" not in names  # an extra
    assert (found["bomFormat"], found["specVersion"]) == ("CycloneDX", "1.5")
    references = [one["bom-ref"] for one in found["components"]]
    assert len(references) == len(set(references))
    assert all(one["licenses"] for one in found["components"])
    assert not any("not stated" in str(one["licenses"]) for one in found["components"])


def test_an_audit_that_could_not_ask_says_so_and_holes_are_named() -> None:
    cannot = "its database cannot be reached"
    skipped = {"name": "a", "skip_reason": "Dependency not found"}
    sound = {"name": "b", "version": "1", "vulns": []}
    hole = {"id": "PYSEC-1", "fix_versions": ["2"]}
    assert cannot in audit.said(None)[0]
    assert cannot in audit.said({"dependencies": [skipped]})[0]
    assert audit.said({"dependencies": [skipped, sound]}) == ["pip-audit: 1 of 2 packages audited"]
    told = audit.said({"dependencies": [sound | {"vulns": [hole]}]})
    assert told[1] == "b 1: PYSEC-1, mended in 2"
