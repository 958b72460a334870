"""The disagreement of two families of models, such as kernels and networks.

    s = max_f E_f − min_f E_f,   E_f the mean of the members of family f, by their weights

Members of one family often err alike; another family errs in other ways.
"""

from __future__ import annotations

import torch
from torch import Tensor

from onekcal.models.blend import Blend
from onekcal.networks.model import NetworkModel
from onekcal.signals.signal import Absent, Asked, Doubt, Signal


def _of(asked: Asked) -> Doubt:
    for blend in asked.stages(Blend):
        sums: dict[str, tuple[float, Tensor]] = {}
        for weight, member in zip(blend.weights.tolist(), blend.members):
            last = member.stages[-1]
            family = "networks" if isinstance(last, NetworkModel) else type(last).__name__
            total, energies = sums.get(family, (0.0, torch.zeros(len(asked.data))))
            # a member that the blend does not use is asked all the same: its doubt may be worth it
            share = max(weight, 1e-9)
            answer = member.energies(asked.data.molecules, asked.data.columns)
            sums[family] = total + share, energies + share * answer
        if len(sums) > 1:
            means = torch.stack([energies / total for total, energies in sums.values()])
            return Doubt(means.amax(0) - means.amin(0))
    raise Absent("is no blend of two families, such as a kernel and a network")


FAMILIES = Signal("difference between two families of models in a blend", "kcal/mol", _of)
