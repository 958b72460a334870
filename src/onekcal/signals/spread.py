"""The spread of a blend or of an ensemble: how much models of the same energies disagree.

    s² = Σ_k w_k (E_k − E)²  of a blend;   s² = Σ_k (E_k − E)² / (K − 1)  of K networks

The spread of an atom is that of the members' atomic energies. How members share an energy among
elements is arbitrary, so the mean of each element over all molecules is taken off first.
"""

from __future__ import annotations

import torch
from torch import Tensor

from onekcal.models.blend import Blend
from onekcal.models.model import Model
from onekcal.molecules import Molecules
from onekcal.networks.model import NetworkModel
from onekcal.signals.signal import Absent, Asked, Doubt, Signal


def _of(asked: Asked) -> Doubt:
    molecules = asked.data.molecules
    for blend in asked.stages(Blend):
        return Doubt(
            blend.variance(molecules).sqrt(),
            _of_atoms(molecules, [member.stages[-1] for member in blend.members]),
        )
    for stage in asked.stages(NetworkModel):
        if len(stage.networks) > 1:
            atoms = None if stage.of_atoms else _of_atoms(molecules, list(stage.alone()))
            return Doubt(stage.variance(molecules).sqrt(), atoms)
    raise Absent("is no blend and no ensemble; networks are trained as one with ensemble: 4")


def _of_atoms(molecules: Molecules, members: list[Model]) -> Tensor | None:
    each = [member.atomic_energies(molecules) for member in members]
    known = [energies for energies in each if energies is not None]
    if len(known) < len(each):
        return None
    every = torch.stack(known)  # (members, A)
    for z in molecules.elements:
        own = molecules.numbers == z
        every[:, own] -= every[:, own].mean(1, keepdim=True)
    return every.std(0)


SPREAD = Signal("standard deviation of the members of a blend or an ensemble", "kcal/mol", _of)
