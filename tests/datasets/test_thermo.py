"""The set `thermo`: species of several sources, and how their zeros are found."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from onekcal.datasets.sets import thermo
from onekcal.molecules import Molecules

SCRIPT = Path(__file__).parents[2] / "scripts" / "thermo_set.py"
SPEC = importlib.util.spec_from_file_location("thermo_set", SCRIPT)
assert SPEC is not None
assert SPEC.loader is not None
thermo_set = importlib.util.module_from_spec(SPEC)
sys.modules["thermo_set"] = thermo_set  # its dataclasses look themselves up there
SPEC.loader.exec_module(thermo_set)
RADICAL = Molecules.one([8, 1], [[0, 0, 0], [0.97, 0, 0]], spin=1)


def test_a_row_says_where_it_comes_from(tmp_path: Path) -> None:
    water = Molecules.one([8, 1, 1], [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    entries = {
        "a": thermo_set.Entry("ppe", 7, water, -219.4, 2.4),
        "b": thermo_set.Entry("computed", 2, RADICAL, -101.6, 2.1),
    }
    thermo_set.write(tmp_path / "thermo.npz", entries, {("ppe", 8): 0.31})
    stored = thermo.read_mirror(tmp_path)
    data = stored.dataset
    assert list(data.molecules.names) == ["ppe 7", "computed 2"]
    assert data.molecules.spins.tolist() == [0, 1]
    assert data.columns["g4mp2"].values.tolist() == [-219.4, -101.6]
    assert data.columns["source"].values.tolist() == [2.0, 0.0]
    assert stored.card.molecules == 2


def made_up(count: int = 60) -> list[tuple[str, str, Molecules, float]]:
    """Pairs of three sources, of zeros 0.2 and -0.5 a C, 0.1 and 0.3 an H; three are wrong."""
    draw, out = np.random.default_rng(0), []
    for k in range(count):
        carbons, hydrogens = int(draw.integers(1, 5)), int(draw.integers(2, 9))
        numbers = [6] * carbons + [1] * hydrogens
        molecule = Molecules.one(numbers, draw.normal(size=(len(numbers), 3)))
        own = 0.2 * carbons + 0.1 * hydrogens
        other = -0.5 * carbons + 0.3 * hydrogens
        wrong = 6.0 if k % 20 == 0 else 0.0
        if k % 2:
            out.append(("g305", "ppe", molecule, own - other + wrong))
        else:
            out.append(("computed", "g305", molecule, -own + wrong))
    return out


def test_zeros_are_found_along_a_chain_of_sources_and_wrong_pairs_do_not_count() -> None:
    """Nothing compares PPE1694 with our own energies here: G3/05 stands between."""
    found = thermo_set.fitted_zeros(made_up())
    assert found["g305", 6] == pytest.approx(0.2, abs=1e-6)
    assert found["g305", 1] == pytest.approx(0.1, abs=1e-6)
    assert found["ppe", 6] == pytest.approx(-0.5, abs=1e-6)
    assert found["ppe", 1] == pytest.approx(0.3, abs=1e-6)


def test_a_zero_that_nothing_fixes_is_not_given() -> None:
    """Sources that hang together among themselves alone have no zero."""
    pairs = [(first, second, *rest) for first, second, *rest in made_up() if first == "g305"]
    assert thermo_set.fitted_zeros(pairs) == {}


def test_a_species_of_a_source_without_its_zero_is_left_out() -> None:
    one = thermo_set.Entry("rmg", 3, RADICAL, -100.0, 2.1)
    assert thermo_set.chosen({"OH": [one]}, set(), {("rmg", 8): 1.0}) == {}
    kept = thermo_set.chosen({"OH": [one]}, set(), {("rmg", 8): 1.0, ("rmg", 1): 0.5})
    assert kept["OH"].energy == pytest.approx(-101.5)
    assert thermo_set.chosen({"OH": [one]}, {"OH"}, {("rmg", 8): 1.0, ("rmg", 1): 0.5}) == {}


def test_elements_that_too_few_species_hold_are_left_out() -> None:
    sulfur = Molecules.one([16, 1, 1], [[0, 0, 0], [1.3, 0, 0], [0, 1.3, 0]])
    entries = {
        f"OH {k}": thermo_set.Entry("computed", k, RADICAL, -1.0, 2.1)
        for k in range(thermo_set.FEWEST)
    }
    rare = {"H2S": thermo_set.Entry("computed", 99, sulfur, -1.0, 2.1)}
    assert thermo_set.often(entries | rare) == entries
    assert thermo_set.often(dict(list(entries.items())[1:])) == {}


def test_the_better_source_counts() -> None:
    entries = [
        thermo_set.Entry("ppe", 0, RADICAL, -1.0, 2.1),
        thermo_set.Entry("computed", 4, RADICAL, -2.0, 2.1),
    ]
    zeros = {("ppe", 8): 0.0, ("ppe", 1): 0.0}
    assert thermo_set.chosen({"OH": entries}, set(), zeros)["OH"].source == "computed"


def test_species_of_the_reference_set_take_no_energy_of_the_same_database() -> None:
    entries = [
        thermo_set.Entry("rmg", 0, RADICAL, -1.0, 2.1),
        thermo_set.Entry("reference", 4, RADICAL, -2.0, 2.1),
    ]
    zeros = {("rmg", 8): 0.0, ("rmg", 1): 0.0}
    assert thermo_set.chosen({"OH": entries}, set(), zeros) == {}
    assert "OH" in thermo_set.chosen({"OH": entries[:1]}, set(), zeros)
