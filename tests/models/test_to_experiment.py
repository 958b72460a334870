"""The correction of G4(MP2) to experiment that ships: its line, its interval, where it stops."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch

from onekcal.geometry.conformers import conformers
from onekcal.labels.deviations import DEVIATIONS, GROWTH, Deviations, class_of, deviation, grown
from onekcal.models.bond_correction import BondCorrection
from onekcal.models.to_experiment import LABEL, ToExperiment, shipped
from onekcal.molecules import Molecules
from onekcal.thermo.ledger import Ledger

METHANE = Molecules.one(
    ["C", "H", "H", "H", "H"],
    [
        [0, 0, 0],
        [0.63, 0.63, 0.63],
        [-0.63, -0.63, 0.63],
        [-0.63, 0.63, -0.63],
        [0.63, -0.63, -0.63],
    ],
)
OXYGEN = Molecules.one(["O", "O"], [[0, 0, 0], [0, 0, 1.208]], spin=2)


def test_the_line_moves_both_heats_of_formation_and_no_energy() -> None:
    line = shipped().line(METHANE)
    assert line.label == LABEL
    assert line.value == float(shipped().correction.energies(METHANE)[0]) != 0.0
    before, after = Ledger("CH4", ()), Ledger("CH4", (line,))
    assert after.atomization == before.atomization
    assert after.formation_0 - before.formation_0 == pytest.approx(line.value)
    assert after.formation_298 - before.formation_298 == pytest.approx(line.value)


def test_a_lone_atom_has_none_and_far_molecules_add_up() -> None:
    assert shipped().line(Molecules.one(["C"], [[0.0, 0.0, 0.0]])).value == 0.0
    apart = METHANE.positions + torch.tensor([0.0, 0.0, 50.0])
    both = Molecules.one(
        [*METHANE.numbers.tolist(), *METHANE.numbers.tolist()],
        torch.cat([METHANE.positions, apart]),
    )
    assert shipped().line(both).value == pytest.approx(2 * shipped().line(METHANE).value)


def test_json_holds_all_of_it() -> None:
    again = ToExperiment.of(json.loads(json.dumps(shipped().to_dict())))
    assert again.left == shipped().left
    assert again.correction.kinds == shipped().correction.kinds
    assert again.line(METHANE) == shipped().line(METHANE)
    assert again.correction.settings == shipped().correction.settings


def test_every_class_has_what_is_left_and_most_are_nearer_than_before() -> None:
    left = shipped().left
    assert set(left) == set(DEVIATIONS)
    assert sum(left[kind].ninety < DEVIATIONS[kind].ninety for kind in left) >= 3
    assert left[class_of(METHANE)].mean < 0.6  # kcal/mol, of those that were left out
    assert left[class_of(OXYGEN)].ninety > left[class_of(METHANE)].ninety


def test_the_interval_follows_the_coverage() -> None:
    half, meaning = shipped().half(METHANE, 0.9)
    assert half == shipped().left[class_of(METHANE)].ninety * grown(METHANE)
    assert "90 %" in meaning
    assert "left out" in meaning
    wide, _ = shipped().half(METHANE, 0.99)
    assert wide == pytest.approx(half * 2.5758 / 1.6449, rel=1e-3)


def test_a_bond_that_the_fit_has_not_seen_keeps_the_deviation_of_the_method() -> None:
    strange = Molecules.one(["F", "Na"], [[0, 0, 0], [0, 0, 1.95]])
    lithium = Molecules.one(["Li", "S"], [[0, 0, 0], [0, 0, 2.1]])
    assert shipped().knows(METHANE)
    assert not shipped().knows(lithium)
    assert shipped().half(lithium) == deviation(lithium)
    assert shipped().half(strange)[0] >= shipped().half(METHANE)[0]
    bare = ToExperiment(BondCorrection(), {}, "made up")
    assert bare.half(METHANE) == deviation(METHANE)
    only = ToExperiment(shipped().correction, {class_of(OXYGEN): Deviations(3, 0.1, 0.2)}, "")
    assert only.half(METHANE) == deviation(METHANE)
    assert only.half(OXYGEN)[0] == 0.2 * grown(OXYGEN)


def test_ions_are_a_class_of_their_own_and_wider_than_radicals() -> None:
    hydroxide = Molecules.one(["O", "H"], [[0, 0, 0], [0, 0, 0.97]], -1)
    hydroxyl = Molecules.one(["O", "H"], [[0, 0, 0], [0, 0, 0.98]], 0, 1)
    assert (class_of(hydroxide), class_of(hydroxyl)) == ("ions", "radicals")
    ions = shipped().left["ions"]
    assert ions.heavy == 2
    factor = math.exp(GROWTH * (1 - math.sqrt(2)))
    assert shipped().half(hydroxide)[0] == pytest.approx(ions.ninety * factor)
    assert shipped().half(hydroxide)[0] > 1.3 * shipped().half(hydroxyl)[0]


def test_the_interval_grows_with_the_number_of_heavy_atoms() -> None:
    alkanes = [conformers("C" * count).lowest for count in (1, 4, 9, 16)]
    factors = [grown(alkane) for alkane in alkanes]
    assert factors == sorted(factors)
    assert factors[1] == pytest.approx(1.0)
    assert factors[3] == pytest.approx(math.exp(2 * GROWTH))
    halves = [shipped().half(alkane)[0] for alkane in alkanes]
    assert halves == pytest.approx([halves[1] * factor for factor in factors])
    # an element of no class that was fitted keeps the deviation of the method, which grows as well
    assert deviation(alkanes[3])[0] == pytest.approx(deviation(alkanes[1])[0] * factors[3])


def test_a_fresh_fit_gives_what_ships_and_helps_what_it_has_not_seen(real_data: Path) -> None:
    from onekcal.bench.corrections import corrected, left_out
    from onekcal.bench.experiments import BEST, best, folds, published

    every = published(real_data)
    heats, dealt = best(every), folds((one.identity for one in every), 10)
    some = [one for one in every if one.level == "g4mp2" and math.isfinite(one.formation)]
    fresh = BondCorrection()
    corrected(some, heats, fresh)
    for one in some[::40]:
        mine = float(fresh.energies(one.molecule)[0])
        assert mine == pytest.approx(shipped().line(one.molecule).value, abs=0.01)
    before, after = left_out(some, heats, dealt, BondCorrection())
    sure = [BEST in heats[one.identity].source for one in some]
    assert abs(after[sure]).mean() < 0.75 * abs(before[sure]).mean()
