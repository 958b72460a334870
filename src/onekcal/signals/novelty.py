"""Novelty: how far a molecule lies from what the model was fitted to, in the model's own features.

It is what `predict` compares with the novelty limit of a model. A low-rank kernel also tells it of
each atom: √u, u the share of its environment that the nearest landmarks do not explain. That of a
molecule is the root mean square of its atoms.
"""

from __future__ import annotations

from onekcal.models.blend import Blend
from onekcal.models.kernels.sparse_kernel import SparseKernel
from onekcal.models.model import Model
from onekcal.models.stack import Stack
from onekcal.signals.signal import Absent, Asked, Doubt, Signal


def _of(asked: Asked) -> Doubt:
    for stage in _stages(asked.model):
        novelty = stage.novelty(asked.data.molecules)
        if novelty is not None:
            if isinstance(stage, SparseKernel):
                return Doubt(novelty, stage.unexplained(asked.data.molecules).sqrt())
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


NOVELTY = Signal("how unlike the training molecules, in the model's own features", "", _of)
