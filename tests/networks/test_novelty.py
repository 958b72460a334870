"""Networks know what they were trained on: the leverage in their readout."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from onekcal.data.dataset import Dataset
from onekcal.dynamics.motion import Motion
from onekcal.dynamics.run import dynamics
from onekcal.models.artefact import Artefact
from onekcal.models.registry import build
from onekcal.models.stack import Stack
from onekcal.networks.model import KNOWN, NetworkModel
from support.molecules import wobbly

SETTINGS = {"features": 8, "channels": 4, "sent": 4, "radial": 4, "dtype": "float64"}
FIT = {"recipe": "fast-forces", "epochs": 20, "batch": 10}


def fitted(data: Dataset, **fit: object) -> NetworkModel:
    model = build("product_net", {**SETTINGS, "fit": {**FIT, **fit}})
    assert isinstance(model, NetworkModel)
    return model.fit(data, data[[]])


@pytest.fixture(scope="module")
def train() -> Dataset:
    return wobbly(80, seed=1)


@pytest.fixture(scope="module")
def model(train: Dataset) -> NetworkModel:
    return fitted(train)


def novelty(model: NetworkModel, data: Dataset) -> torch.Tensor:
    found = model.novelty(data.molecules)
    assert found is not None
    return found


def test_molecules_like_those_of_the_training_are_known_and_stretched_ones_are_not(
    model: NetworkModel, train: Dataset
) -> None:
    # the mean leverage of the training molecules is at most p/N, with p features
    features = model.known[0].scale.isfinite().sum()
    assert 0 < float(novelty(model, train).mean()) <= float(features) / len(train)
    alike = wobbly(40, seed=2)
    far = Dataset(alike.molecules.moved(1.4 * alike.molecules.positions), {})
    limit = novelty(model, alike).max()
    assert (novelty(model, far) > limit).double().mean() > 0.9


def test_it_is_kept_in_the_file_and_older_files_have_none(
    model: NetworkModel, train: Dataset
) -> None:
    state = model.state()
    again = build("product_net", {**SETTINGS, "fit": FIT}).load_state(state)
    assert torch.equal(novelty(again, train), novelty(model, train))
    old = {name: tensor for name, tensor in state.items() if not name.startswith(KNOWN)}
    assert len(old) < len(state)
    before = build("product_net", {**SETTINGS, "fit": FIT}).load_state(old)
    assert before.novelty(train.molecules) is None
    assert torch.equal(before.energies(train.molecules), model.energies(train.molecules))


def test_that_of_an_ensemble_is_the_mean_of_its_networks(train: Dataset) -> None:
    both = fitted(train, ensemble=2, epochs=2)
    alone = [novelty(one, train) for one in both.alone()]
    assert not torch.allclose(alone[0], alone[1])
    assert torch.allclose(novelty(both, train), torch.stack(alone).mean(0))


def test_a_trajectory_ends_where_the_network_knows_nothing(
    model: NetworkModel, train: Dataset, tmp_path: Path
) -> None:
    water = train.molecules[0]
    limit = float(novelty(model, wobbly(100, seed=3)).quantile(0.99))
    artefact = Artefact(
        [], Stack([model]), elements=[1, 6, 7, 8], level="pair sum", novelty_limit=limit
    )
    short = Motion(20, 0.1, 0.0, every=1)
    held = dynamics(water, artefact, tmp_path / "a.extxyz", short)
    assert held.watched
    assert not held.stopped
    # a sum of pairs that attract each other: the molecule falls into itself
    fallen = dynamics(water, artefact, tmp_path / "b.extxyz", Motion(2000, 0.5, 0.0, every=1))
    assert "does not know this geometry: novelty" in fallen.stopped
