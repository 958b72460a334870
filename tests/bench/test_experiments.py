"""One experiment for each molecule, and folds that keep all copies of a molecule together."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from onekcal.bench.experiments import UNSTATED, Heat, Published, best, folds, published
from onekcal.geometry.identity import identity_of_species
from onekcal.geometry.species import species
from onekcal.molecules import Molecules

H2 = Molecules.one(["H", "H"], [[0.0, 0.0, 0.0], [0.74, 0.0, 0.0]])


def row(key: str, *heat: object) -> Published:
    return Published("g305", 0, H2, key, "g4mp2", 0.0, Heat(*heat))  # type: ignore[arg-type]


def test_the_tables_come_first_and_then_the_smallest_uncertainty() -> None:
    chosen = best(
        [
            row("a", 1.0, 0.1, "CCCBDB"),
            row("a", 2.0, 0.5, "ATcT"),
            row("b", 3.0, math.nan, "g305"),  # counts as UNSTATED
            row("b", 4.0, 0.9 * UNSTATED, "CATCH"),
            row("c", 5.0, 1.1 * UNSTATED, "CATCH"),
            row("c", 6.0, math.nan, "g305"),
        ]
    )
    assert [chosen[key].formation for key in "abc"] == [2.0, 4.0, 6.0]


def test_the_file_of_the_package_is_among_the_sources() -> None:
    methane = best([])[identity_of_species(species("C"))]
    assert methane.formation == pytest.approx(-17.8, abs=0.1)
    assert "ATcT" in methane.source


def test_all_copies_of_a_molecule_are_in_one_fold() -> None:
    keys = [f"molecule {k % 40}" for k in range(100)]
    dealt = folds(keys, 5)
    assert dealt == folds(reversed(keys), 5)  # whatever the order
    assert set(dealt) == set(keys)
    assert sorted(np.bincount(list(dealt.values()))) == [8] * 5
    assert dealt != folds(keys, 5, seed=1)


def test_the_archives_share_molecules_and_agree_with_experiment(real_data: Path) -> None:
    found = published(real_data)
    heats = best(found)
    assert len(found) == 1001
    assert len({one.identity for one in found}) < 850  # 150 and more are copies
    for file, most in (("rmg_reference", 1.0), ("g305", 1.1), ("ppe_dev", 1.9)):
        errors = [
            heats[one.identity].formation - one.formation
            for one in found
            if one.file == file and math.isfinite(one.formation)
        ]
        assert np.abs(errors).mean() < most  # a wrong zero or unit would be tens of kcal/mol
    both = {one.identity for one in found if one.file == "rmg_reference"}
    copies = [one for one in found if one.file == "g305" and one.identity in both]
    assert len(copies) > 100
    chloroethene = heats[identity_of_species(species("C=CCl"))]
    assert "ATcT" in chloroethene.source  # G3/05's is wrong by 3.7
