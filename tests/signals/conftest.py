"""Small models of every kind, fitted to the same molecules."""

from __future__ import annotations

from typing import Any

import pytest

from onekcal import datasets as store
from onekcal.data.dataset import Dataset
from onekcal.models.registry import build
from onekcal.models.stack import Stack
from onekcal.signals.signal import Asked, Trained

MOMENT = {"recipe": "onecycle", "epochs": 3, "batch": 16}
HIPNN = {"hipnn": {"features": 4, "onsite": 1, "fit": MOMENT}}
KERNEL = {"sparse_kernel": {"landmarks": 120, "dims": 20, "force_weight": 0.0}}
STACKS: dict[str, list[dict[str, Any]]] = {
    "kernel": [{"dressed_atoms": {}}, KERNEL],
    "exact": [
        {"dressed_atoms": {}},
        {"global_kernel": {"sigma": 30.0, "regularization": 1e-6, "kernel": "gaussian"}},
    ],
    "hipnn": [HIPNN],
    "ensemble": [{"hipnn": {"features": 4, "onsite": 1, "fit": {**MOMENT, "ensemble": 2}}}],
    "blend": [{"dressed_atoms": {}}, {"blend": {"members": [KERNEL, HIPNN], "weights": [2, 1]}}],
    "voxels": [
        {
            "densenet": {
                "kinds": "atoms",
                "grid": 8,
                "blocks": [2, 2],
                "growth": 4,
                "stem": 4,
                "augment": "signs",
                "fit": MOMENT,
            }
        }
    ],
    "vectors": [{"custom_gnn": {"hidden": 4, "layers": 1, "fit": MOMENT}}],
}


@pytest.fixture(scope="session")
def data() -> Dataset:
    return store.load("mini").dataset.aimed("b3lyp")


@pytest.fixture(scope="session")
def asked(data: Dataset) -> dict[str, Asked]:
    """Each stack with the molecules it was fitted to, and 20 others."""
    train, out = data[:150], {}
    for name, stages in STACKS.items():
        stack = Stack([build(*next(iter(stage.items()))) for stage in stages])
        out[name] = Asked(stack.fit(train, data[[]]), data[150:170], Trained(train))
    return out
