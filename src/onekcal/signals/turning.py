"""The spread between orientations, of models whose energies depend on how a molecule is turned.

A voxel network that can look at several orientations of its cube is asked for `LOOKS` of them.
Other models are asked for the molecule turned `TURNS` times. An energy that does not change has no
such signal.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from onekcal.models.baseline import Baseline
from onekcal.models.stack import Stack
from onekcal.molecules import Molecules
from onekcal.networks.voxels import VoxelDenseNet
from onekcal.signals.signal import Absent, Asked, Doubt, Signal

LOOKS, TURNS = 8, 8
FIRST = 8
"""Molecules on which it is tried first whether anything changes."""
SAME = 1e-2
"""kcal/mol; an energy that changes by less does not depend on the orientation."""


def _of(asked: Asked) -> Doubt:
    for stage in asked.stages(VoxelDenseNet):
        looks = min(LOOKS, (1 + stage.turns) * len(stage.motions))
        if looks > 1:
            many = copy.copy(stage)
            many.views = looks
            return Doubt(many.terms(asked.data.molecules)["spread"])
    # what is computed at a geometry does not depend on the orientation, and costs most
    learned = Stack([one for one in asked.model.stages if not isinstance(one, Baseline)])
    if float(_spread(learned, asked, FIRST).max()) < SAME:
        raise Absent("gives the same energy in every orientation")
    return Doubt(_spread(learned, asked, len(asked.data)))


def turns(count: int) -> Tensor:
    """Draw rotations at random.

    Parameters
    ----------
    count
        How many.

    Returns
    -------
    Tensor
        (count, 3, 3) float64, always the same for one `count`.
    """
    draw = torch.Generator().manual_seed(0)
    axes = torch.linalg.qr(torch.randn(count, 3, 3, generator=draw, dtype=torch.float64)).Q
    return axes * torch.linalg.det(axes)[:, None, None]  # no mirror images


def _spread(model: Stack, asked: Asked, count: int) -> Tensor:
    """(count,) kcal/mol, of the first molecules."""
    some = asked.data[:count]
    return torch.stack(
        [
            model.energies(turned(some.molecules, turn), some.columns).detach()
            for turn in turns(TURNS)
        ]
    ).std(0)


def turned(molecules: Molecules, turn: Tensor) -> Molecules:
    """Turn molecules.

    Parameters
    ----------
    molecules
        M molecules.
    turn
        (3, 3) the rotation.

    Returns
    -------
    Molecules
        The same, turned about the origin.
    """
    return molecules.moved(molecules.positions @ turn)


TURNING = Signal("spread between orientations", "kcal/mol", _of)
