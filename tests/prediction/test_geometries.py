"""Geometries of many questions, in this process and in others."""

from __future__ import annotations

import torch

from onekcal.molecules import Molecules
from onekcal.prediction.geometry import geometries_of
from onekcal.prediction.questions import Question


def test_geometries_come_in_order_and_from_two_processes_as_from_one() -> None:
    asked = [
        Question("CO", smiles="CO"),
        Question("xx", problem="xx cannot be read"),
        Question("water", molecule=Molecules.one(["O"], [[0.0, 0.0, 0.0]])),
        Question("C1CC", smiles="C1CC"),
        Question("CC", smiles="CC"),
    ]
    alone, both = list(geometries_of(asked, workers=1)), list(geometries_of(asked, workers=2))
    assert [type(one) for one in alone] == [Molecules, str, Molecules, str, Molecules]
    assert alone[1] == "xx cannot be read"
    for one, other in zip(alone, both):
        assert str(one) == str(other)
        if isinstance(one, Molecules) and isinstance(other, Molecules):
            # threads change the last digits of GFN2-xTB
            assert torch.allclose(one.positions, other.positions, atol=1e-3)
