r"""What a kernel doubts: the variance of its posterior (`Model.variance`).

A low-rank kernel needs its training molecules for it (subset of regressors with the Nyström
remainder, Quiñonero-Candela & Rasmussen, JMLR 6, 1939, 2005), for its file does not hold the
factors of the fit. What needs the landmarks alone is its novelty (`models/kernels/unexplained.py`).
"""

from __future__ import annotations

from torch import Tensor

from onekcal.errors import InputError
from onekcal.models.blend import Blend, every_stage
from onekcal.models.kernels.sparse_kernel import SparseKernel
from onekcal.models.model import Model
from onekcal.networks.model import NetworkModel
from onekcal.signals.signal import Absent, Asked, Doubt, Signal


def _variance(asked: Asked) -> Doubt:
    why = "holds no kernel with a variance"
    for stage in every_stage(asked.model):
        if isinstance(stage, (NetworkModel, Blend)) or type(stage).variance is Model.variance:
            continue
        try:
            return Doubt(_of_kernel(stage, asked).clamp(min=0).sqrt())
        except InputError as problem:
            why = str(problem)
    raise Absent(why)


def _of_kernel(stage: Model, asked: Asked) -> Tensor:
    try:
        return stage.variance(asked.data.molecules)
    except InputError:
        if not isinstance(stage, SparseKernel):
            raise
    trained = asked.need_trained()
    stage.recall(trained.data.molecules, trained.share)
    return stage.variance(asked.data.molecules)


VARIANCE = Signal("standard deviation of a kernel's posterior", "kcal/mol", _variance)
