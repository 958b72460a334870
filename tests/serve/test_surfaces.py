"""Surfaces around molecules: where they lie, what colours them, and who is asked for them."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import numpy as np
import pytest
import torch

from onekcal.errors import InputError
from onekcal.molecules import Molecules
from onekcal.serve.surfaces import surface
from onekcal.system.home import home

PLACES = [[0.0, 0.0, 0.1173], [0.0, 0.7572, -0.4692], [0.0, -0.7572, -0.4692]]
AWAY = torch.tensor([3.0, -2.0, 5.0], dtype=torch.float64)


@pytest.fixture
def water() -> Molecules:
    return Molecules.one(["O", "H", "H"], (torch.tensor(PLACES) + AWAY).tolist())


def test_the_potential_is_negative_at_the_oxygen_and_positive_at_the_hydrogens(
    water: Molecules,
) -> None:
    told = surface(water, "esp")
    points, colors = np.array(told["points"]), np.array(told["colors"])
    apart = np.linalg.norm(points[:, None] - water.positions.numpy(), axis=2)
    nearest = apart.argmin(1)
    red = colors[:, 0] - colors[:, 2]
    assert red[nearest == 0].mean() > 20
    assert red[nearest > 0].mean() < -20
    assert told["lowest"] < -20 < 20 < told["highest"]
    assert 1.0 < apart.min() < apart.min(1).max() < 2.5  # Å: the size of a water molecule


@pytest.mark.parametrize("kind", ["lol", "elf"])
def test_bonds_and_lone_pairs_lie_around_the_atoms_as_they_stand(
    kind: str, water: Molecules
) -> None:
    told = surface(water, kind)
    points, triangles = np.array(told["points"]), np.array(told["triangles"])
    assert len(points) > 300
    assert triangles.max() == len(points) - 1
    assert np.allclose(points.mean(0), AWAY.numpy(), atol=1.0)
    assert np.allclose(np.linalg.norm(told["normals"], axis=1), 1.0, atol=0.02)


def test_another_surface_is_refused(water: Molecules) -> None:
    with pytest.raises(InputError, match="surface"):
        surface(water, "spin")


def test_a_surface_is_computed_again_and_not_kept_among_the_answers(client) -> None:
    client.ask("/api/predict", {"smiles": "CCO"})
    client.ask("/api/surface", {"smiles": "CCO", "kind": "lol"})
    with closing(sqlite3.connect(home() / "serve" / "answers.sqlite")) as file:
        assert file.execute("SELECT count(*) FROM answers").fetchone() == (1,)
    said = client.ask("/api/surface", {"smiles": "CCO", "kind": "x"}, status=422)
    assert "kind" in said["problem"]
    said = client.ask("/api/surface", {"kind": "lol"}, status=400)
    assert "either" in said["problem"]
