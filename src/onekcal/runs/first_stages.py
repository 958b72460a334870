"""The stages that an experiment starts from when the user has not chosen any."""

from __future__ import annotations

from importlib.resources import files
from importlib.util import find_spec

import yaml

EXACT = {"fchl_kernel": {"sigma": 4.0, "regularization": 1e-4}}
LOW_RANK = {"sparse_kernel": {"sigma": 4.0, "regularization": 1e-4, "landmarks": 2500}}
MOST = 4000
"""Training molecules up to which the exact kernel takes a minute and little memory."""


def kernel_stage(molecules: int = 0) -> dict[str, dict[str, float | int]]:
    """Choose a kernel that this machine has.

    The exact one needs kernelforge, which has wheels for Linux alone.

    Parameters
    ----------
    molecules
        How many there are to train on.

    Returns
    -------
    dict
        One stage of an experiment.
    """
    exact = find_spec("kernelforge") is not None and molecules <= MOST
    return EXACT if exact else LOW_RANK


def template() -> str:
    """Return the text of a commented experiment that runs on this machine as it is."""
    text = files("onekcal.runs").joinpath("experiment_template.yaml").read_text(encoding="utf-8")
    stage = kernel_stage()
    return text if stage is EXACT else text.replace(_line(EXACT), _line(stage))


def _line(stage: dict[str, dict[str, float | int]]) -> str:
    return yaml.safe_dump([stage], default_flow_style=None, sort_keys=False).strip()
