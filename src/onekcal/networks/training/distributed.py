"""Several processes on one training, started by torchrun: each has its share of every batch.

Sums are added up over processes before the loss is computed from them, and gradients after that.
So the loss, with its square roots, is that of the whole batch, and all processes have the same
weights.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

PATIENCE = timedelta(days=7)
"""How long a process waits for the others."""


@contextmanager
def joined() -> Iterator[None]:
    """Connect the processes that torchrun started, inside the block; one process does nothing."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or dist.is_initialized():
        yield
        return
    if local_rank() < torch.cuda.device_count():
        torch.cuda.set_device(local_rank())
    # the first process may fetch data or compute fields for hours while the others wait, so that
    # PATIENCE is long
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=PATIENCE
    )
    try:
        yield
    finally:
        dist.destroy_process_group()


def world() -> int:
    """Return how many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Return the number of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def local_rank() -> int:
    """Return the number of this process on its machine, which is the number of its GPU."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def first() -> bool:
    """Tell whether this process is the one that writes."""
    return rank() == 0


def wait() -> None:
    """Wait until all processes have come here."""
    if world() > 1:
        dist.barrier()


def share(rows: Tensor) -> Tensor:
    """Return this process's part of a batch.

    Parameters
    ----------
    rows
        (B,) row numbers of the whole batch.

    Returns
    -------
    Tensor
        Parts differ in size by one at most, and may be empty.
    """
    return rows[rank() :: world()]


def total(part: Tensor) -> Tensor:
    """Return the sum over processes. Its gradient is that of this process's part.

    Parameters
    ----------
    part
        This process's part, of any shape.
    """
    if world() == 1:
        return part
    whole = part.detach().clone()
    dist.all_reduce(whole)
    return whole + (part - part.detach())


def add_gradients(weights: Sequence[torch.nn.Parameter]) -> None:
    """Replace each gradient by its sum over processes, in one message.

    Parameters
    ----------
    weights
        The parameters; where one has no gradient, it counts as 0.
    """
    if world() == 1:
        return
    flat = torch.cat(
        [(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in weights]
    )
    dist.all_reduce(flat)
    for parameter, part in zip(weights, flat.split([p.numel() for p in weights])):
        parameter.grad = part.view_as(parameter)


def mean_over_processes(tensors: Sequence[Tensor]) -> None:
    """Replace each tensor by its mean over processes, in one message.

    Parameters
    ----------
    tensors
        Tensors of any shapes.
    """
    if world() == 1 or not tensors:
        return
    flat = torch.cat([tensor.flatten() for tensor in tensors])
    dist.all_reduce(flat)
    for tensor, part in zip(tensors, flat.split([tensor.numel() for tensor in tensors])):
        tensor.copy_(part.view_as(tensor) / world())


def same_weights(network: torch.nn.Module) -> None:
    """Give every process the weights of the first.

    Parameters
    ----------
    network
        The network; it is changed in place.
    """
    if world() > 1:
        for tensor in network.state_dict().values():
            dist.broadcast(tensor, 0)
