"""Atoms in voxels, and smooth functions around them."""

from __future__ import annotations

import math

import pytest
import torch

from onekcal.errors import InputError
from onekcal.fields import fields
from onekcal.fields.grid import cube, frames
from onekcal.fields.kinds import channels, kind
from onekcal.molecules import Molecules


def methanol() -> Molecules:
    return Molecules.one(
        [6, 8, 1, 1, 1, 1],
        [
            [-0.05, 0.66, 0],
            [-0.05, -0.76, 0],
            [-1.09, 0.98, 0],
            [0.44, 1.07, 0.89],
            [0.44, 1.07, -0.89],
            [0.88, -1.06, 0],
        ],
    )


def test_every_atom_is_in_the_voxel_around_it_and_in_the_channel_of_its_element() -> None:
    one = methanol()
    found = fields(one, ["atoms", "atom:any", "atom:Z"], n=14)[0]
    assert found.shape[0] == 7  # H C N O F, any, Z
    assert found[:5].sum((1, 2, 3)).tolist() == [4, 1, 0, 1, 0]
    assert torch.equal(found[:5].sum(0), found[5])
    assert found[6].sum() == 18
    placed = frames(one).placed(one)
    oxygen = placed.positions[1]
    at = cube(14)[int(found[3].argmax())]
    assert (at - oxygen).abs().max() <= 10.4 / 14 / 2


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("gauss:C@0.8", lambda d: torch.exp(-(d**2) / (2 * 0.64))),
        ("wave:C@1.5", lambda d: torch.exp(-(d**2) / 4.5) * torch.cos(2 * math.pi * d / 1.5)),
        ("gauss:C", lambda d: torch.exp(-(d**2) / 2)),
    ],
)
def test_smooth_atoms_are_their_formula_at_the_voxel_centres(name: str, shape) -> None:
    one = methanol()
    found = fields(one, [name], n=9)[0, 0].double().flatten()
    carbon = frames(one).placed(one).positions[0]
    assert torch.allclose(found, shape((cube(9) - carbon).norm(dim=1)), atol=1e-6)


def test_properties_are_those_of_the_atoms() -> None:
    found = fields(methanol(), ["atom:neighbours", "atom:mass", "atom:radius"], n=20)[0]
    assert sorted(found[0][found[0] > 0].tolist()) == [1, 1, 1, 1, 2, 4]
    assert float(found[1].sum()) == pytest.approx(32.04, abs=0.01)
    assert float(found[2].max()) == pytest.approx(0.76)


def test_a_batch_is_its_molecules_one_by_one() -> None:
    nitrogen, hydrogen = (
        Molecules.one([7, 7], [[0, 0, 0], [0, 0, 1.1]]),
        Molecules.one([1], [[0, 0, 0]]),
    )
    batch = Molecules.concatenate([methanol(), nitrogen, hydrogen])
    kinds = ["nep", "atom:neighbours", "gauss:H", "wave:Z"]
    together = fields(batch, kinds, n=6)
    alone = torch.cat([fields(one, kinds, n=6) for one in batch])
    assert torch.allclose(together, alone, atol=1e-6)


def test_names_are_one_spelling_each_and_wrong_ones_are_met_with_the_nearest() -> None:
    assert kind("gauss:C@1.0").name == "gauss:C"
    assert [one.name for one in channels("waves")] == [
        "wave:H",
        "wave:C",
        "wave:N",
        "wave:O",
        "wave:F",
    ]
    for wrong, hint in (
        ("atom:Xx", "no element or property"),
        ("gauss:C@-1", "width"),
        ("atom:C@1", "width"),
        ("nep-alpha", "no field"),
        ("gaus:C", "did you mean 'gauss:C'"),
    ):
        with pytest.raises(InputError, match=hint):
            kind(wrong)
