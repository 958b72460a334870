"""A model that was fitted to radicals answers for them; others refuse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from onekcal.data.dataset import Column, Dataset
from onekcal.models.artefact import Artefact
from onekcal.models.domain import strange_nuclei
from onekcal.models.dressed_atoms import DressedAtoms
from onekcal.models.stack import Stack
from onekcal.molecules import Molecules
from onekcal.prediction.prediction import predict
from onekcal.prediction.scope import scope

METHYL = Molecules.one(
    [6, 1, 1, 1], [[0, 0, 0], [1.08, 0, 0], [-0.54, 0.935, 0], [-0.54, -0.935, 0]], spin=1
)
METHYLENE = Molecules.one([6, 1, 1], [[0, 0, 0], [0.99, 0.42, 0], [-0.99, 0.42, 0]], spin=2)


def artefact(unpaired: int) -> Artefact:
    data = Dataset(
        METHYL, {"e": Column(torch.tensor([-290.0], dtype=torch.float64), level="g4mp2")}, "e"
    )
    model = Stack([DressedAtoms()]).fit(data, data)
    return Artefact(
        [("dressed_atoms", {})],
        model,
        level="g4mp2",
        at="0 K",
        elements=[1, 6],
        largest=9,
        unpaired=unpaired,
        geometry="gfn2",
    )


def test_what_a_model_knows_of_unpaired_electrons() -> None:
    assert strange_nuclei(artefact(1), METHYL) == []
    assert "the model knows closed shells" in strange_nuclei(artefact(0), METHYL)[0]
    assert "the model knows up to 1 of them" in strange_nuclei(artefact(1), METHYLENE)[0]
    assert strange_nuclei(artefact(2), METHYLENE) == []


def test_an_odd_number_of_electrons_without_a_spin_is_refused_by_every_model() -> None:
    forgotten = Molecules.one(METHYL.numbers.tolist(), METHYL.positions.numpy())
    assert "odd number" in strange_nuclei(artefact(1), forgotten)[0]


def test_what_a_model_knows_of_charges() -> None:
    places = METHYL.positions.tolist()
    cation, dication = (Molecules.one([6, 1, 1, 1], places, k, k - 1) for k in (1, 2))
    neutral, ions, both = (replace(artefact(1), charges=c) for c in ([0], [-1, 1], [0, 1]))
    told = "an ion (charge +1); the model knows neutral molecules"
    assert strange_nuclei(neutral, cation) == [told]
    assert strange_nuclei(both, cation) == strange_nuclei(ions, cation) == []
    told = "a neutral molecule; the model knows ions of charge -1 +1"
    assert strange_nuclei(ions, METHYL) == [told]
    told = "an ion (charge +2); the model knows neutral molecules and ions of charge +1"
    assert strange_nuclei(both, dication) == [told]


def test_it_is_kept_in_the_file(tmp_path: Path) -> None:
    replace(artefact(1), charges=[0, 1]).save(tmp_path / "m.safetensors")
    back = Artefact.load(tmp_path / "m.safetensors")
    assert (back.unpaired, back.charges) == (1, [0, 1])
    assert (scope(back)["spin"], scope(back)["charges"]) == (1, [0, 1])


@pytest.mark.parametrize("unpaired", [0, 1])
def test_a_radical_from_smiles_is_answered_by_the_model_that_knows_radicals(unpaired: int) -> None:
    found = predict("[CH3]", artefact(unpaired), rung="learned")[0]
    assert bool(found.problem) is (unpaired == 0)
    if unpaired:
        assert found.energy == pytest.approx(-290.0)
        assert found.molecule is not None
        assert int(found.molecule.spins[0]) == 1
