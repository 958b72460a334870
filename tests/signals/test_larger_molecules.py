"""Molecules larger than all that a model was fitted to are doubted more, and refused."""

from __future__ import annotations

import numpy as np
import pytest

from onekcal.data.dataset import Dataset
from onekcal.models.artefact import Artefact
from onekcal.models.registry import build
from onekcal.models.stack import Stack
from onekcal.prediction.scope import outside
from onekcal.signals.registry import gather
from onekcal.signals.signal import Asked, Trained
from onekcal.trust.bins import ByBins

SMALL, LARGE = 9, 14
"""Atoms of the largest molecule that is fitted to, and of the smallest that is held out by size."""


@pytest.fixture(scope="module")
def parts(data: Dataset) -> tuple[Stack, Dataset, Dataset, Dataset]:
    """A kernel on GFN2-xTB, what it was fitted to, others of the same sizes, and larger ones."""
    sizes = data.molecules.sizes
    small, large = data[sizes <= SMALL], data[sizes >= LARGE]
    order = np.random.default_rng(0).permutation(len(small))
    train, others = small[order[:-240]], small[order[-240:]]
    kernel = {"landmarks": 300, "dims": 40, "force_weight": 0.0}
    stages = [build("baseline", {"method": "gfn2"}), build("dressed_atoms", {})]
    model = Stack([*stages, build("sparse_kernel", kernel)])
    return model.fit(train, data[[]]), train, others, large


@pytest.mark.parametrize("name", ["variance", "novelty"])
def test_larger_molecules_are_doubted_more_and_their_interval_widens(
    parts: tuple[Stack, Dataset, Dataset, Dataset], name: str
) -> None:
    model, train, others, large = parts

    def told(asked: Dataset) -> tuple[np.ndarray, np.ndarray]:
        doubt = gather(Asked(model, asked, Trained(train)), [name]).doubts[name].values.numpy()
        error = model.energies(asked.molecules, asked.columns) - asked.energies
        return doubt, error.abs().numpy()

    known, small_errors = told(others)
    new, large_errors = told(large)
    assert len(large) > 30
    assert np.median(new) > 1.2 * np.median(known)
    follows = ByBins.calibrated(known, small_errors)
    assert follows.radius(new).mean() > 1.1 * follows.radius(known).mean()
    # wider, and yet too narrow: this is why predict refuses molecules of more atoms than it knows
    assert large_errors.mean() > 1.5 * small_errors.mean()
    assert (large_errors <= follows.radius(new)).mean() < 0.8


def test_predict_refuses_every_larger_molecule(
    parts: tuple[Stack, Dataset, Dataset, Dataset],
) -> None:
    model, train, others, large = parts
    artefact = Artefact(
        [], model, elements=train.molecules.elements, largest=int(train.molecules.sizes.max())
    )
    assert all("atoms" in outside(artefact, molecule)[0] for molecule in large.molecules)
    assert not any(outside(artefact, molecule) for molecule in others.molecules)
