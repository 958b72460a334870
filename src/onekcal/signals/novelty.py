"""Novelty: how far a molecule lies from what the model was fitted to, in the model's own features.

It is what `predict` compares with the novelty limit of a model. A low-rank kernel also tells it of
each atom: the distance to the nearest landmark in units of σ.
"""

from __future__ import annotations

import torch
from torch import Tensor

from onekcal.models.blend import Blend
from onekcal.models.kernels.landmark_kernel import farthest, spans_of
from onekcal.models.kernels.sparse_kernel import SparseKernel
from onekcal.models.model import Model
from onekcal.models.stack import Stack
from onekcal.molecules import Molecules
from onekcal.signals.signal import Absent, Asked, Doubt, Signal


def _of(asked: Asked) -> Doubt:
    for stage in _stages(asked.model):
        novelty = stage.novelty(asked.data.molecules)
        if novelty is not None:
            if isinstance(stage, SparseKernel):
                return Doubt(novelty, of_atoms(stage, asked.data.molecules))
            return Doubt(novelty)
    raise Absent("tells no novelty")


def _stages(stack: Stack) -> list[Model]:
    """The stages, the last first; of a blend its members' stages, for a spread is no novelty."""
    out: list[Model] = []
    for stage in reversed(stack.stages):
        if isinstance(stage, Blend):
            out += [one for member in stage.members for one in _stages(member)]
        else:
            out.append(stage)
    return out


def of_atoms(stage: SparseKernel, molecules: Molecules) -> Tensor:
    """Compute the novelty of atoms.

    Parameters
    ----------
    stage
        A fitted kernel.
    molecules
        Molecules with A atoms in all.

    Returns
    -------
    Tensor
        (A,) the distance to the nearest landmark, in units of σ.
    """
    out, spans = [torch.zeros(0, dtype=torch.float64)], spans_of(stage.counts)
    for x, kinds, _ in stage.environments(molecules):
        own = torch.arange(len(kinds))  # each atom as a molecule of its own
        out.append(farthest(kinds, x, own, len(kinds), stage.known, spans))
    return torch.cat(out)


NOVELTY = Signal("distance from the training molecules, in the model's own features", "", _of)
