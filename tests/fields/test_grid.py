"""The cube: where its voxels are, and how a molecule stands in it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from ase.build import molecule as named
from ase.collections import g2

from onekcal.errors import InputError
from onekcal.fields import fields, grid
from onekcal.molecules import Molecules

AXIS = grid.rotation(1)


def built(name: str) -> Molecules:
    """A molecule of the G2 set."""
    atoms = named(name)
    return Molecules.one(atoms.numbers.tolist(), atoms.positions, name=name)


def shuffled(one: Molecules, seed: int, rotate: bool = True) -> Molecules:
    """The same molecule, turned, moved and renumbered."""
    order = torch.from_numpy(np.random.default_rng(seed).permutation(len(one.numbers)))
    turned = one.positions @ grid.rotation(seed + 1).T if rotate else one.positions
    return replace(
        one, numbers=one.numbers[order], positions=(turned + torch.tensor([1.0, -7.0, 3.0]))[order]
    )


def test_voxel_centres_are_where_the_paper_has_them() -> None:
    along = grid.centres(14)
    assert along.tolist() == pytest.approx([(i + 0.5) * 10.4 / 14 - 5.2 for i in range(14)])
    points = grid.cube(3, 3.0)
    assert points[0].tolist() == [-1, -1, -1]
    assert points[1].tolist() == [-1, -1, 0]  # z fastest
    assert grid.cube(1, 2.0).tolist() == [[0, 0, 0]]


# linear, spherical and symmetric-top molecules stand among those of the G2 set
@pytest.mark.parametrize(
    "name",
    [
        *g2.names[::7],
        "CO2",
        "C2H2",
        "C2H6",
        "CH4",
        "CF4",
        "C6H6",
        "NH3",
        "H2O",
        "H2",
        "H",
        "CH3OH",
        "cyclobutane",
        "bicyclobutane",
        "2-butyne",
        "H3CNH2",
        "C2H4",
        "LiH",
        "C60",
    ],
)
def test_a_molecule_turned_moved_and_renumbered_has_the_same_field(name: str) -> None:
    one = built(name)
    still = fields(one, ["nep"], n=10)
    for seed in range(2):
        again = fields(shuffled(one, seed), ["nep"], n=10)
        assert (again - still).abs().max() < 1e-4  # of up to 20; float32 rounds at 2e-6


def test_without_the_orientation_the_field_would_turn() -> None:
    one = built("CH3OH")
    standing = grid.Frames(
        torch.eye(3, dtype=torch.float64)[None], one.positions.mean(0, keepdim=True)
    )
    from onekcal.fields.electrostatic import nuclear_potential

    turned = one.moved(one.positions @ AXIS.T)
    before, after = (nuclear_potential(standing.placed(m), grid.centres(10)) for m in (one, turned))
    assert (after - before).abs().max() > 1


def test_a_mirror_image_has_the_mirrored_field_and_no_other() -> None:
    one = built("CH3OH")
    chiral = replace(one, numbers=torch.tensor([6, 8, 9, 17, 35, 1]))  # six different atoms
    mirrored = chiral.moved(chiral.positions * torch.tensor([1.0, 1.0, -1.0]))
    first, second = fields(Molecules.concatenate([chiral, mirrored]), ["nep"], n=10)[:, 0]
    assert (first - second).abs().max() > 1
    flips = [second.flip([axis]) for axis in range(3)]
    assert min(float((first - flipped).abs().max()) for flipped in flips) < 1e-4


def test_axes_are_right_handed_and_the_largest_variance_comes_first() -> None:
    names = ["CH3OH", "CH3CH2OH", "H2CO", "CH3CN", "C2H6"]
    molecules = Molecules.concatenate([built(name) for name in names])
    found = grid.frames(molecules)
    identity = torch.eye(3, dtype=torch.float64).expand(len(names), 3, 3)
    assert torch.allclose(found.axes @ found.axes.transpose(1, 2), identity, atol=1e-12)
    assert torch.allclose(torch.linalg.det(found.axes), torch.ones(len(names), dtype=torch.float64))
    placed = found.placed(molecules)
    heavy = placed.numbers > 1
    spread = placed.sum_atoms(torch.where(heavy[:, None], placed.positions**2, 0.0))
    assert (spread.diff(dim=1) <= 1e-9).all()
    assert placed.sum_atoms(torch.where(heavy[:, None], placed.positions, 0.0)).abs().max() < 1e-9


def test_of_the_ways_to_point_the_axes_the_one_nearest_the_landmark_is_taken() -> None:
    one = built("CH3OH")
    placed = grid.frames(one).placed(one)

    def score(signs: tuple[int, int, int]) -> float:
        q = placed.positions * torch.tensor(signs) - torch.tensor(grid.LANDMARK)
        return float((one.numbers / (1 + q.square().sum(1))).sum())

    assert score((1, 1, 1)) == max(
        score(signs) for signs in ((1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1))
    )
    assert score((1, 1, 1)) > 1.001 * score((-1, 1, -1))


def test_hydrogens_decide_what_heavy_atoms_leave_open() -> None:
    water = grid.frames(built("H2O")).placed(built("H2O"))
    spread = (water.positions**2).sum(0)
    assert spread[0] > spread[1] > spread[2]
    assert float(spread[2]) == pytest.approx(0, abs=1e-12)


def test_a_random_rotation_is_one_and_is_the_same_every_time() -> None:
    turns = torch.stack([grid.rotation(k) for k in range(1, 400)])
    assert torch.allclose(
        turns @ turns.transpose(1, 2),
        torch.eye(3, dtype=torch.float64).expand_as(turns),
        atol=1e-12,
    )
    assert (torch.linalg.det(turns) > 0).all()
    assert turns.mean(0).abs().max() < 0.1  # 0 on average; 399 draws have a standard error of 0.03
    assert torch.equal(grid.rotation(3), grid.rotation(3))
    assert torch.equal(grid.rotation(0), torch.eye(3, dtype=torch.float64))
    with pytest.raises(InputError, match="turn"):
        grid.rotation(-1)


def test_a_turn_turns_the_field_by_that_rotation() -> None:
    one = built("CH3OH")
    values = fields(one, ["gauss:O"], n=40, turn=2)[0, 0]
    peak = grid.cube(40)[int(values.argmax())]
    oxygen = grid.frames(one).placed(one).positions[one.numbers == 8][0]
    assert torch.allclose(peak, grid.rotation(2) @ oxygen, atol=0.3)  # a voxel is 0.26 Å
    assert not torch.allclose(peak, oxygen, atol=0.3)


def test_a_molecule_that_reaches_over_a_face_is_pushed_in() -> None:
    chain = Molecules.one(
        [6, 6, 6, 6, 8], [[0, 0, 0], [1.5, 0, 0], [3.0, 0.3, 0], [3.1, 1.5, 0], [10.0, 0, 0]]
    )
    lows, highs = grid.extents(grid.principal(chain).placed(chain))
    assert float(torch.maximum(-lows, highs).max()) > 5.2
    lows, highs = grid.extents(grid.frames(chain).placed(chain))
    assert float(torch.maximum(-lows, highs).max()) == pytest.approx(5.2)
    inside = grid.frames(built("CH3OH")), grid.principal(built("CH3OH"))
    assert torch.equal(inside[0].origin, inside[1].origin)


def test_a_molecule_longer_than_the_box_is_refused_with_the_size_it_needs() -> None:
    chain = Molecules.one(
        [6] * 12, [[1.3 * k, 0.1 * (k % 2), 0] for k in range(12)], name="dodecayne"
    )
    batch = Molecules.concatenate([built("CH4"), chain])
    with pytest.raises(
        InputError,
        match=r"1 of 2 molecules .* 10\.4 Å; the largest \(dodecayne\) needs 14\.4 Å.*--fit",
    ):
        fields(batch, ["nep"])
    assert grid.size_needed(batch) == 14.4
    assert fields(batch, ["nep"], n=6, box=14.4).shape == (2, 1, 6, 6, 6)


def test_hydrogens_outside_the_box_are_no_obstacle() -> None:
    one = built("CH4")
    found = fields(one, ["nep", "atoms", "gauss:H", "lol"], n=8, box=1.0)
    assert torch.isfinite(found).all()
    assert found[0, 1].sum() == 0  # all four lie outside
    assert found[0, 2].sum() == 1


@pytest.mark.parametrize(("n", "box"), [(0, 10.4), (14, 0.0), (14, -1.0)])
def test_an_impossible_grid_is_refused(n: int, box: float) -> None:
    with pytest.raises(InputError, match="grid needs"):
        fields(built("CH4"), ["nep"], n=n, box=box)
