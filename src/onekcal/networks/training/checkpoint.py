"""A training as one file: safetensors with a JSON header.

A training that goes on from a checkpoint has the same loss curve, bit for bit, as one that was
never stopped.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypedDict

import torch
from torch import Tensor

from onekcal.networks.training.config_differences import Content, refuse_differences
from onekcal.system import tensor_file
from onekcal.system.files import damage_refused

FORMAT = 1
"""Number of the file format; increased when an older onekcal could not read a new file."""


class Header(TypedDict):
    """Where a training stands, besides its tensors."""

    config: Content
    """What decides the loss curve."""
    epochs_done: int
    steps: int
    halved: bool
    """Whether batches were made half as large, because a GPU ran out of memory."""
    seconds: float
    best_epoch: int
    schedule: dict[str, float | None]
    history: list[dict[str, float]]
    """Rows of epochs.csv."""


def save(path: Path, tensors: dict[str, Tensor], header: Header) -> None:
    """Write a checkpoint, whole or not at all.

    Parameters
    ----------
    path
        The file.
    tensors
        Tensors by name; they are copied to the CPU first.
    header
        Where the training stands.
    """
    kept = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    tensor_file.write(path, kept, {"format": FORMAT, **header})


def load(path: Path, config: Content) -> tuple[dict[str, Tensor], Header]:
    """Read a checkpoint.

    Parameters
    ----------
    path
        The file.
    config
        The configuration of the training that goes on from it.

    Returns
    -------
    tuple
        Its tensors and its header.

    Raises
    ------
    ConfigError
        It was made with another `config`; the message lists the differences.
    """
    tensors, content = tensor_file.read(
        path, FORMAT, "a checkpoint of onekcal", "start again with --overwrite"
    )
    header: Header = content  # type: ignore[assignment]
    with damage_refused(path, "a whole checkpoint", "start again with --overwrite"):
        refuse_differences(path, header["config"], json.loads(json.dumps(config)))
    return tensors, header


# --- an optimiser as tensors and JSON ---------------------------------------------------------


def optimizer_state(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return what an optimiser remembers of each parameter, without its settings.

    Parameters
    ----------
    optimizer
        The optimiser.

    Returns
    -------
    dict
        Tensors, named number of the parameter.name.
    """
    return {
        f"{k}.{name}": value
        for k, slots in optimizer.state_dict()["state"].items()
        for name, value in slots.items()
        if isinstance(value, Tensor)
    }


def load_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Put back what `optimizer_state` returned.

    Parameters
    ----------
    optimizer
        An optimiser of the same parameters.
    tensors
        What `optimizer_state` returned.
    """
    slots: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        k, _, name = key.partition(".")
        slots.setdefault(int(k), {})[name] = value
    optimizer.load_state_dict(
        {"state": slots, "param_groups": optimizer.state_dict()["param_groups"]}
    )
