"""The doctor knows every declared package."""

from __future__ import annotations

import tomllib
from pathlib import Path

from onekcal.system.surroundings import requirements, surroundings

DECLARED = Path(__file__).parents[2] / "pyproject.toml"


def test_every_declared_package_has_a_row() -> None:
    """The installed metadata may be older than the file, so names are asked for, not numbers."""
    core = {asked.name for asked in requirements() if not asked.extra}
    assert {"torch", "rdkit", "matplotlib", "requests", "platformdirs"} <= core
    rows = {row["part"]: row for row in surroundings()}
    assert {asked.name for asked in requirements()} <= rows.keys()
    assert all(rows[name]["state"] == "ok" for name in ("torch", "rdkit"))


def test_extras_are_told_from_the_core_and_say_what_they_are_for() -> None:
    extras = tomllib.loads(DECLARED.read_text())["project"]["optional-dependencies"]
    asked = {(one.name, one.extra) for one in requirements()}
    assert ("pyscf", "dft") in asked
    assert {extra for _, extra in asked} - {""} <= set(extras)
    rows = {row["part"]: row["detail"] for row in surroundings()}
    assert "DFT" in rows["pyscf"]
    assert "tests of the web pages" in rows["chromium"]
