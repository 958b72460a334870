"""Symmetries of the cube: kernels that have them, and looks of a molecule in its cube."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from onekcal.networks.cube_symmetry import motions, orbits
from onekcal.networks.voxels import Looks
from support.densenet import energies, given, network

# --- symmetries of the cube -------------------------------------------------------------------


@pytest.mark.parametrize(("symmetry", "count"), [("none", 1), ("signs", 8), ("cube", 48)])
def test_motions_are_a_group_that_leaves_distances_alone(symmetry: str, count: int) -> None:
    n = 3
    found = motions(symmetry, n)
    assert found[0].tolist() == list(range(n**3))
    assert len({tuple(motion.tolist()) for motion in found}) == count
    assert {tuple(a[b].tolist()) for a in found for b in found} == {
        tuple(motion.tolist()) for motion in found
    }
    voxels = torch.cartesian_prod(*[torch.arange(n)] * 3).double()
    apart = torch.cdist(voxels, voxels)
    assert all(torch.allclose(apart[motion][:, motion], apart) for motion in found)
    assert not torch.allclose(apart[torch.randperm(n**3)], apart)


@pytest.mark.parametrize(("symmetry", "free"), [("none", 27), ("signs", 8), ("cube", 4)])
def test_kernels_have_the_symmetry_they_are_asked_for_and_no_more(symmetry: str, free: int) -> None:
    orbit = orbits(symmetry).flatten()
    assert len(orbit.unique()) == free
    same = [torch.equal(orbit[motion], orbit) for motion in motions("cube", 3)]
    assert sum(same) == {"none": 1, "signs": 8, "cube": 48}[symmetry]


@pytest.mark.parametrize("symmetry", ["none", "signs", "cube"])
def test_energy_has_the_symmetry_of_the_kernels_and_no_more(symmetry: str) -> None:
    net, x = network(symmetry=symmetry, grid=4).eval(), given(2, grid=4)
    answers = [
        energies(net, x.flatten(2)[:, :, motion].view_as(x)) for motion in motions("cube", 4)
    ]
    same = [torch.allclose(answer, answers[0], rtol=1e-9) for answer in answers]
    assert sum(same) == {"none": 1, "signs": 8, "cube": 48}[symmetry]


# --- looks ------------------------------------------------------------------------------------


def numbered(turns: int = 1) -> list[Any]:
    """A field in which every voxel of every molecule and orientation has a number of its own."""
    return [
        (np.arange(5 * 8, dtype=np.float32) + 100 * turn).reshape(5, 1, 2, 2, 2)
        for turn in range(turns)
    ]


def test_without_augmentation_a_look_is_the_field() -> None:
    rows = torch.tensor([3, 0, 3])
    for views in (None, 1):
        assert torch.equal(
            Looks(numbered(), motions("none", 2), views)(rows)[:, 0],
            torch.from_numpy(numbered()[0][rows]),
        )


def test_views_are_all_motions_of_all_orientations_each_once() -> None:
    found = Looks(numbered(2), motions("cube", 2), 96)(torch.tensor([1, 4]))
    assert found.shape == (2, 96, 1, 2, 2, 2)
    assert torch.equal(
        found[0, :2, 0], torch.from_numpy(np.stack([field[1, 0] for field in numbered(2)]))
    )
    assert len({tuple(view.flatten().tolist()) for view in found[1]}) == 96


def test_random_looks_differ_from_molecule_to_molecule_and_are_the_generators() -> None:
    look, rows = Looks(numbered(2), motions("signs", 2), None), torch.zeros(400, dtype=torch.int64)
    torch.manual_seed(1)
    first = look(rows)
    again = look(rows)
    torch.manual_seed(1)
    assert torch.equal(look(rows), first)
    assert not torch.equal(again, first)
    assert (
        len({tuple(one.flatten().tolist()) for one in first}) == 16
    )  # each of 16 is missed once in 10¹⁰ times


def test_looks_at_a_memory_map_read_the_rows_asked_for(tmp_path: Path) -> None:
    np.save(tmp_path / "fields.npy", numbered()[0])
    stored = np.load(tmp_path / "fields.npy", mmap_mode="r")
    found = Looks([stored], motions("signs", 2), 8)(torch.tensor([4, 2]))
    assert torch.equal(found, Looks(numbered(), motions("signs", 2), 8)(torch.tensor([4, 2])))
