"""Train every network of an ensemble, one after the other."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from onekcal.data.dataset import Dataset
from onekcal.errors import ConfigError
from onekcal.molecules import Molecules
from onekcal.networks.network import Network
from onekcal.networks.training import distributed
from onekcal.networks.training.batches import Held, check_elements
from onekcal.networks.training.config_differences import Content
from onekcal.networks.training.loop import Summary, Training
from onekcal.networks.training.measure import Standard
from onekcal.networks.training.settings import Settings


class Trained(Protocol):
    """What `fit_members` reads and sets of a model.

    `onekcal.networks.model.NetworkModel` is such a model. It imports this file, so that this file
    cannot import it.
    """

    training: Settings
    seed: int
    dtype: torch.dtype
    elements: tuple[int, ...]
    networks: list[Network]
    shift: float  # kcal/mol
    scale: float  # kcal/mol
    summary: Summary

    def member(self, seed: int) -> Network:
        """Return a network with the initial weights of a seed."""
        ...

    def inputs(self, molecules: Molecules, learn: bool) -> Callable[[Tensor], Tensor] | None:
        """Return what its networks get besides nuclei, as `NetworkModel.inputs` does."""
        ...


def fit_members(model: Trained, train: Dataset, valid: Dataset) -> None:
    """Train every network of the model's ensemble, one after the other.

    Parameters
    ----------
    model
        Gets its `networks`, `shift`, `scale` and `summary`.
    train
        What is learned.
    valid
        What the best weights are chosen by; where it is empty, the training loss chooses them.

    Raises
    ------
    ConfigError
        If there are no training molecules, if forces are wanted and absent, or if `valid` has an
        element that `train` does not have.
    """
    settings, device = model.training, model.training.where()
    if settings.force_weight and train.forces is None:
        raise ConfigError(
            f"fit.force_weight is {settings.force_weight}, but {train.target!r} has no forces (a "
            f"column '{train.target}_forces'); set it to 0 or choose data with forces"
        )
    if not len(train):
        raise ConfigError("a network needs at least one training molecule, got none")
    check_elements(valid.molecules, model.elements, "validation")
    learned, judged = _held(model, train, True), _held(model, valid, False)
    forked = [device] if device.type == "cuda" else []
    for k in range(settings.ensemble):
        network = model.member(model.seed + k)
        with torch.random.fork_rng(forked):
            torch.manual_seed(model.seed + k)
            network.begin(train)
            network.to(device)
            distributed.same_weights(network)
            standard = Standard.of(train, settings, network.absolute)
            config = _config(model, network, train, valid)
            training = Training(
                network, learned, judged, standard, settings, model.seed + k, config
            )
            model.shift, model.scale = standard.shift, standard.scale
            # before it is trained: after a failure it has its last good weights
            model.networks.append(network)
            training.run()
        model.summary = training.summary()


def _held(model: Trained, data: Dataset, learn: bool) -> Held:
    """A part of the data on the device, with what the networks get besides nuclei."""
    forces = bool(model.training.force_weight) and data.forces is not None
    noise = model.training.label_noise if learn else 0.0
    held = Held.of(data, model.elements, model.training.where(), model.dtype, forces, noise)
    held.inputs = model.inputs(data.molecules, learn)
    return held


def _config(model: Trained, network: Network, train: Dataset, valid: Dataset) -> Content:
    """What decides the loss curve; a checkpoint with another one is refused."""
    digest = hashlib.sha256()
    for data in (train, valid):
        # what earlier stages left differs in the last bits with the number of threads
        certain = data.uncertainties if model.training.label_noise else None
        parts = [data.energies, *(x for x in (data.forces, certain) if x is not None)]
        values = [(part.nan_to_num(1e9) * 1e3).round().to(torch.int64) for part in parts]
        for tensor in (
            data.molecules.numbers,
            data.molecules.positions,
            data.molecules.offsets,
            *values,
        ):
            digest.update(tensor.detach().contiguous().numpy().tobytes())
    return {
        "network": type(network).__name__,
        "elements": list(model.elements),
        "dtype": str(model.dtype),
        "seed": model.seed,
        "fit": model.training.model_dump(mode="json", exclude={"device", "checkpoint"}),
        "weights": {name: list(tensor.shape) for name, tensor in network.state_dict().items()},
        "train": len(train),
        "valid": len(valid),
        "data": digest.hexdigest()[:16],
    }
