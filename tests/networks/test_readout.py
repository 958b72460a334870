"""The energy of every network is linear in its readout, so that the slopes are its features."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from onekcal import datasets as store
from onekcal.models.registry import MODELS, build
from onekcal.networks.model import NetworkModel

TINY: dict[str, dict[str, Any]] = {
    "hipnn": {"features": 4, "onsite": 1},
    "schnet": {"features": 4, "interactions": 1, "gaussians": 6},
    "product_net": {"features": 4, "channels": 3, "sent": 3, "radial": 4},
    "milestone": {},
    "dimenet": {"features": 4, "blocks": 1, "triplet": 2, "output": 4, "degrees": 2, "waves": 2},
    "densenet": {"kinds": "atoms", "grid": 8, "blocks": [2, 2], "growth": 4, "stem": 4},
    "coulomb_mlp": {},
    "custom_gnn": {"hidden": 4, "layers": 1, "geometry": "distance"},
    "atomcloudnet": {},
}
MOMENT = {"recipe": "onecycle", "epochs": 1, "batch": 8}


def fitted(name: str) -> NetworkModel:
    data = store.load("mini").dataset.aimed("b3lyp")[:16]
    model = build(name, {**TINY[name], "dtype": "float64", "fit": MOMENT})
    assert isinstance(model, NetworkModel)
    return model.fit(data, data[[]])


def test_every_network_is_here() -> None:
    assert {name for name, where in MODELS.items() if ".networks." in where} == set(TINY)


@pytest.mark.parametrize("name", TINY)
def test_energies_are_linear_in_the_readout(name: str) -> None:
    model, molecules = fitted(name), store.load("mini").dataset.molecules[20:26]
    before, (slopes,) = model.energies(molecules), model.slopes(molecules)
    assert slopes.shape[0] == 6
    readout = model.networks[0].readout()
    # AtomCloudNet bends its output with a sigmoid: only small steps are linear
    length = 1e-4 if name == "atomcloudnet" else 1.0
    steps = [length * torch.randn_like(parameter) for parameter in readout]
    with torch.no_grad():
        for parameter, step in zip(readout, steps):
            parameter.add_(step)
    rise = slopes @ torch.cat([step.flatten() for step in steps])
    # float64 energies of some 1,000 kcal/mol; densenet answers in float32
    exact = {"densenet": 0.05, "atomcloudnet": 1e-3}.get(name, 1e-5)
    assert model.energies(molecules) - before == pytest.approx(rise, abs=exact)
    assert float(rise.abs().max()) > 10 * exact  # the step was not nothing
    assert all(parameter.requires_grad for parameter in model.networks[0].parameters())
