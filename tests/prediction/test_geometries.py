"""Geometries of many questions, in this process and in others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from onekcal.geometry.conformers import conformers
from onekcal.geometry.stereo import form_at
from onekcal.io.smiles import read_smiles, with_hydrogens
from onekcal.models.artefact import Artefact
from onekcal.models.baseline import Baseline
from onekcal.models.stack import Stack
from onekcal.molecules import Molecules
from onekcal.prediction.geometry import geometries_of
from onekcal.prediction.prediction import predict
from onekcal.prediction.questions import Question


class UpsideDown(Baseline):
    """A model that finds what GFN2-xTB finds, with the other sign."""

    def energies(self, molecules: Molecules, columns: Any = None) -> torch.Tensor:
        return -super().energies(molecules, columns)


def artefact(geometry: str) -> Artefact:
    """A model of H, C and O that orders conformers against GFN2-xTB."""
    model = Stack([UpsideDown("gfn2")])
    return Artefact([], model, "g4mp2", elements=[1, 6, 8], geometry=geometry)


def test_a_model_of_gfn2_minima_chooses_the_conformer() -> None:
    found = conformers("OCCO")
    (answer,) = predict(["OCCO"], artefact("gfn2"))
    assert answer.molecule is not None
    assert answer.conformers is not None
    assert torch.allclose(answer.molecule.positions, found.molecules[-1].positions, atol=1e-3)
    assert answer.conformers.by == "the model"
    assert answer.conformers.relative == pytest.approx(
        found.energies[-1] - found.energies[::-1], abs=1e-3
    )


def test_a_model_of_other_geometries_leaves_the_order_to_gfn2() -> None:
    found = conformers("OCCO")
    (answer,) = predict(["OCCO"], artefact(""))
    assert answer.molecule is not None
    assert answer.conformers is not None
    assert torch.allclose(answer.molecule.positions, found.lowest.positions, atol=1e-3)
    assert answer.conformers.by == "GFN2-xTB"


def test_a_model_does_not_choose_where_it_knows_nothing() -> None:
    found = conformers("OCCO")
    narrow = replace(artefact("gfn2"), elements=[1, 6])
    (answer,) = predict(["OCCO"], narrow, force=True, rung="learned")
    assert answer.molecule is not None
    assert torch.allclose(answer.molecule.positions, found.lowest.positions, atol=1e-3)


def test_other_energies_order_conformers_and_their_stereoisomers() -> None:
    smiles = "CC=CC"
    found = conformers(smiles)
    turned = found.ordered_by(-found.energies)
    assert turned.forms == found.forms[::-1]
    assert (np.diff(turned.relative) >= 0).all()
    mol = with_hydrogens(read_smiles(smiles))
    assert form_at(mol, turned.lowest.positions.numpy()) == turned.forms[0]


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
