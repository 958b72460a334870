"""What tests share: small molecules, a small data set, the real data when they are there."""

from __future__ import annotations

import os
from pathlib import Path

# small molecules: threads cost more than they bring, and their order of summation is not reproducible
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import pytest
import torch

from onekcal.data.dataset import Column, Dataset
from onekcal.molecules import Molecules

REAL = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real benchmark data; tests that need it are skipped where it is absent."""
    if not (REAL / "qm7.npz").is_file():
        pytest.skip("no ../shared/data")
    return REAL


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's own cache, nor a mirror the user has set."""
    monkeypatch.setenv("ONEKCAL_HOME", str(tmp_path_factory.getbasetemp() / "home"))
    monkeypatch.delenv("ONEKCAL_MIRROR", raising=False)


@pytest.fixture
def water() -> Molecules:
    """Experimental geometry."""
    return Molecules.one(
        ["O", "H", "H"],
        [[0.0, 0.0, 0.1173], [0.0, 0.7572, -0.4692], [0.0, -0.7572, -0.4692]],
        name="water",
    )


def wobbly(count: int, seed: int = 0) -> Dataset:
    """Distorted water, ammonia, methane and methanol with an energy that any sound model can learn: a smooth pair sum.

    E = Σ_{i<j} Z_i Z_j · exp(−r_ij / 1 Å) · (−5 kcal/mol), so forces are known in closed form.
    """
    shapes = [
        ([8, 1, 1], [[0, 0, 0.12], [0, 0.76, -0.47], [0, -0.76, -0.47]]),
        (
            [7, 1, 1, 1],
            [[0, 0, 0.1], [0.94, 0, -0.27], [-0.47, 0.81, -0.27], [-0.47, -0.81, -0.27]],
        ),
        (
            [6, 1, 1, 1, 1],
            [
                [0, 0, 0],
                [0.63, 0.63, 0.63],
                [-0.63, -0.63, 0.63],
                [-0.63, 0.63, -0.63],
                [0.63, -0.63, -0.63],
            ],
        ),
        (
            [6, 8, 1, 1, 1, 1],
            [
                [-0.05, 0.66, 0],
                [-0.05, -0.76, 0],
                [-1.09, 0.98, 0],
                [0.44, 1.07, 0.89],
                [0.44, 1.07, -0.89],
                [0.88, -1.06, 0],
            ],
        ),
    ]
    rng = np.random.default_rng(seed)
    parts = []
    for m in range(count):
        numbers, positions = shapes[m % len(shapes)]
        moved = np.array(positions) + rng.normal(0, 0.05, (len(numbers), 3))
        parts.append(Molecules.one(numbers, moved, name=f"wobbly {m}"))
    molecules = Molecules.concatenate(parts)
    positions = molecules.positions.clone().requires_grad_(True)
    energy = pair_energy(molecules.moved(positions))
    pull = -torch.autograd.grad(energy.sum(), positions)[0]
    columns = {
        "pairs": Column(energy.detach(), level="pair sum"),
        "pairs_forces": Column(pull, "forces", "pair sum", unit="kcal/mol/Å"),
    }
    return Dataset(molecules, columns, "pairs")


def pair_energy(molecules: Molecules) -> torch.Tensor:
    """(M,) kcal/mol of the toy potential of `wobbly`."""
    numbers, positions = molecules.pad()
    apart = (positions[:, :, None] - positions[:, None]).square().sum(-1)
    i, j = torch.triu_indices(apart.shape[1], apart.shape[1], 1)
    pairs = apart[:, i, j].clamp_min(1e-12).sqrt()  # padding sits on one point; its charges are 0
    charges = numbers[:, i] * numbers[:, j]
    return (-5.0 * charges * torch.exp(-pairs)).sum(1)


@pytest.fixture
def wobbly_train() -> Dataset:
    return wobbly(24, seed=1)


@pytest.fixture
def in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path
