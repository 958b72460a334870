"""Zero-point energies of B3LYP from frequencies of GFN2-xTB, and the variant that uses them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from onekcal.errors import InputError
from onekcal.labels.deviations import VARIANT_NINETY
from onekcal.labels.zero_point import KNOTS, hydrogens, shares, zero_point_from_gfn2
from onekcal.molecules import Molecules
from onekcal.units import WAVENUMBER

RESULTS = json.loads(
    (Path(__file__).parents[2] / "results" / "g4mp2-variant.json").read_text(encoding="utf-8")
)
FORMYL = Molecules.one(
    ["C", "O", "H"], [[0, 0, 0], [1.17, 0, 0], [-0.6, 0.93, 0]], spin=1
)  # H is nearest to C


def test_shares_add_up_to_the_zero_point_energy_of_real_vibrations() -> None:
    waves = np.array([-300.0, 90.0, 500.0, 1100.0, 3900.0])
    found = shares(waves)
    assert found.shape == (len(KNOTS),)
    assert found.sum() == pytest.approx(0.5 * WAVENUMBER * waves[1:].sum())
    assert shares(np.array([KNOTS[1]])).tolist() == pytest.approx(
        [0, 0.5 * WAVENUMBER * KNOTS[1], 0, 0]
    )


def test_hydrogens_count_by_their_nearest_atom() -> None:
    numbers, positions = FORMYL.numbers.numpy(), FORMYL.positions.numpy()
    assert hydrogens(numbers, positions) == {6: 1}
    assert hydrogens(np.array([1, 1]), np.eye(2, 3)) == {1: 2}
    assert hydrogens(np.array([8, 6]), np.eye(2, 3)) == {}


def test_carbon_monoxide_has_b3lyps_zero_point_energy() -> None:
    carbon_monoxide = Molecules.one(["C", "O"], [[0, 0, 0], [0, 0, 1.13]])
    found = zero_point_from_gfn2(carbon_monoxide, np.array([2200.0]))
    assert found == pytest.approx(3.15, abs=0.3)  # B3LYP 2213 1/cm


def test_an_element_that_was_not_fitted_is_named() -> None:
    lithium = Molecules.one(["Li", "H"], [[0, 0, 0], [0, 0, 1.6]])
    with pytest.raises(InputError, match="not fitted for Li; use g4mp2"):
        zero_point_from_gfn2(lithium, np.array([1400.0]))


def test_the_interval_of_the_variant_is_the_measured_one() -> None:
    assert RESULTS["ninety"] == VARIANT_NINETY
    assert RESULTS["species"] == len(RESULTS["rows"]) == 42
    assert RESULTS["mean"] < 0.5
