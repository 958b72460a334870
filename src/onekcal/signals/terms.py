"""Signals that need nothing but a look: HIP-NN's R, and the size of a molecule as a control."""

from __future__ import annotations

import torch

from onekcal.signals.signal import Absent, Asked, Doubt, Signal


def _hierarchy(asked: Asked) -> Doubt:
    terms = asked.model.terms(asked.data.molecules)
    if "R" not in terms:
        raise Absent("holds no hipnn with its hierarchy")
    return Doubt(terms["R"].to(torch.float64))


def _size(asked: Asked) -> Doubt:
    return Doubt(asked.data.molecules.sizes.to(torch.float64))


HIERARCHY = Signal("HIP-NN's non-hierarchicality", "", _hierarchy)
SIZE = Signal("number of atoms: a control that knows nothing of the model", "atoms", _size)
