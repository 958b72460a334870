"""What GFN2-xTB knows of each atom: invariant, additive, the right number of electrons."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from onekcal.features.electrons import NAMES, electrons
from onekcal.molecules import Molecules
from onekcal.quantum.gfn2 import Levels, TightBinding
from onekcal.quantum.named import method

WATER = Molecules.one([8, 1, 1], [[0.0, 0.0, 0.0], [0.96, 0.0, 0.0], [-0.24, 0.93, 0.0]])
TURN = torch.linalg.qr(
    torch.tensor([[0.3, 1.0, -0.2], [0.9, -0.1, 0.4], [0.2, 0.5, 1.1]]).double()
)[0]


def methane(charge: int = 0, unpaired: int = 0) -> Molecules:
    corners = 0.629 * torch.tensor([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]).double()
    places = torch.cat([torch.zeros(1, 3, dtype=torch.float64), corners])
    return Molecules.one([6, 1, 1, 1, 1], places.tolist(), charge, unpaired)


def column(molecule: Molecules, name: str) -> torch.Tensor:
    return electrons(molecule)[:, NAMES.index(name)]


def test_they_do_not_turn_or_move_with_the_molecule() -> None:
    moved = WATER.moved(WATER.positions @ TURN.T + 3.0)
    torch.testing.assert_close(electrons(moved), electrons(WATER), rtol=0, atol=1e-5)


def test_the_density_that_they_are_made_of_does_turn() -> None:
    moved = WATER.moved(WATER.positions @ TURN.T + 3.0)
    squares = [
        TightBinding(method("gfn2"), m).levels(m.positions.numpy()).coefficients ** 2
        for m in (WATER, moved)
    ]
    assert np.abs(squares[0] - squares[1]).max() > 1e-2


def test_a_molecule_is_asked_once_and_another_geometry_or_charge_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked, levels = [], TightBinding.levels

    def counted(self: TightBinding, positions: np.ndarray) -> Levels:
        asked.append(positions)
        return levels(self, positions)

    monkeypatch.setattr(TightBinding, "levels", counted)
    water = WATER.moved(WATER.positions * 1.03)
    first = electrons(water)
    assert torch.equal(electrons(water), first)
    assert len(asked) == 1
    others = [
        WATER.moved(WATER.positions * 1.04),
        Molecules.one([8, 1, 1], water.positions.tolist(), 1, 1),
        Molecules.one([16, 1, 1], water.positions.tolist()),
    ]
    for count, other in enumerate(others, 2):
        assert not torch.equal(electrons(other), first)
        assert len(asked) == count
    first.zero_()  # what was given belongs to the one who asked
    assert electrons(water).abs().max() > 0.1


def test_they_are_put_in_another_order_with_the_atoms() -> None:
    order = [2, 0, 1]
    other = Molecules.one(WATER.numbers[order].tolist(), WATER.positions[order].tolist())
    torch.testing.assert_close(electrons(other), electrons(WATER)[order], rtol=0, atol=1e-5)


def test_two_far_molecules_do_not_see_each_other_and_two_near_ones_do() -> None:
    alone = electrons(WATER)
    for apart, seen in ((60.0, False), (2.5, True)):
        places = torch.cat([WATER.positions, WATER.positions + torch.tensor([0.0, 0.0, apart])])
        both = electrons(Molecules.one(WATER.numbers.tolist() * 2, places.tolist()))
        change = float((both - torch.cat([alone, alone])).abs().max())
        assert (change > 1e-2) is seen
        assert seen or change < 1e-3


@pytest.mark.parametrize(
    ("molecule", "valence"),
    [
        (methane(), 8),
        (methane(1, 1), 7),
        (Molecules.one([8, 8], [[0.0, 0.0, 0.0], [0.0, 0.0, 1.2]], 0, 2), 12),
        (Molecules.one([17, 1], [[0.0, 0.0, 0.0], [0.0, 0.0, 1.28]]), 8),
        (Molecules.one([1], [[0.0, 0.0, 0.0]], 0, 1), 1),
    ],
)
def test_all_valence_electrons_are_counted(molecule: Molecules, valence: int) -> None:
    populations = electrons(molecule)[:, :3]
    assert float(populations.sum()) == pytest.approx(valence, abs=1e-6)
    assert (populations > -1e-9).all()


def test_a_tetrahedron_has_no_direction_and_water_has() -> None:
    none = math.sqrt(1e-6)
    assert float(column(methane(), "|D|")[0]) == pytest.approx(none, abs=1e-4)
    assert float(column(methane(), "|v|²")[0]) == pytest.approx(0.0, abs=1e-6)
    assert float(column(WATER, "|D|")[0]) > 0.1
    assert float(column(WATER, "|v|²")[0]) > 1e-3


def test_what_has_no_p_shell_has_zeros_there() -> None:
    hydrogens = electrons(methane())[1:]
    assert (hydrogens[:, [1, 2, 4, 6, 7, 8, 10, 11]] == 0).all()


def test_they_are_smooth_where_a_direction_vanishes() -> None:
    def stretched(step: float) -> torch.Tensor:
        places = methane().positions.clone()
        places[1] *= 1 + step
        return electrons(methane().moved(places))[0]

    left, middle, right = stretched(-1e-3), stretched(0.0), stretched(1e-3)
    assert float((right + left - 2 * middle).abs().max()) < 1e-3


def test_of_no_molecule_there_is_nothing() -> None:
    assert electrons(WATER[:0]).shape == (0, len(NAMES))
