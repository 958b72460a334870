"""`predict` takes molecules as Python holds them: ASE's, RDKit's, lists, columns of pandas."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from rdkit import Chem
from rdkit.Chem import AllChem

from onekcal import datasets as store
from onekcal.errors import InputError
from onekcal.io.python_objects import listed, text_or_molecules
from onekcal.models.artefact import Artefact
from onekcal.models.registry import build
from onekcal.models.stack import Stack
from onekcal.molecules import Molecules
from onekcal.prediction.prediction import predict


@pytest.fixture(scope="module")
def dressed() -> Artefact:
    """GFN2-xTB of the geometry as it is."""
    data = store.load("mini").dataset.aimed("gfn2")[:100]
    stage = build("baseline", {"method": "gfn2", "live": True})
    stages = [("baseline", {"method": "gfn2", "live": True})]
    return Artefact(stages, Stack([stage]), "gfn2-xtb", elements=data.molecules.elements)


def embedded(smiles: str) -> Chem.Mol:
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    AllChem.EmbedMolecule(mol, randomSeed=1)
    return mol


def test_the_same_molecule_has_one_answer_whatever_holds_it(dressed: Artefact) -> None:
    mol = embedded("CO")
    numbers = [atom.GetAtomicNum() for atom in mol.GetAtoms()]
    positions = mol.GetConformer().GetPositions()
    atoms, own = Atoms(numbers, positions), Molecules.one(numbers, positions)
    answers = list(predict([mol, atoms, own], dressed))
    assert [one.problem for one in answers] == [""] * 3
    assert answers[0].energy == pytest.approx(answers[1].energy, abs=1e-9)
    assert answers[0].energy == pytest.approx(answers[2].energy, abs=1e-9)
    assert [one.source for one in answers] == ["CH4O", "CH4O", "molecule 0"]
    moved = Atoms(numbers, positions * 1.02)
    (other,) = predict(moved, dressed)  # a single one needs no list
    assert abs(other.energy - answers[0].energy) > 0.01


def test_a_mol_without_a_geometry_is_its_smiles(dressed: Artefact) -> None:
    flat = Chem.MolFromSmiles("OC")
    AllChem.Compute2DCoords(flat)
    bare, drawing = predict([Chem.MolFromSmiles("OC"), flat], dressed)
    assert bare.smiles == drawing.smiles == "CO"
    assert bare.energy == pytest.approx(drawing.energy)


def test_a_list_a_generator_and_a_column_are_lists(dressed: Artefact) -> None:
    words = ["O", "N"]
    for given in (words, (word for word in words), np.array(words)):
        assert [one.formula for one in predict(given, dressed)] == ["H2O", "H3N"]


def test_a_column_of_pandas_is_a_list_and_a_table_is_not(dressed: Artefact) -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"smiles": ["O", None, "N"]})
    answers = list(predict(table["smiles"], dressed))
    assert [bool(one.problem) for one in answers] == [False, True, False]
    assert answers[1].problem.startswith("input 2: expected a SMILES")
    with pytest.raises(InputError, match="give a column"):
        predict(table, dressed)


def test_what_cannot_be_used_is_named_in_its_place(dressed: Artefact) -> None:
    periodic = molecule("H2O", vacuum=4.0)
    periodic.pbc = True
    without = Chem.RemoveHs(embedded("CO"))  # a geometry without its hydrogens
    given = [periodic, "O", 7, Chem.Mol(), without]
    answers = list(predict(given, dressed))
    for answer, words in zip(
        answers, ("is periodic", "", "got 7", "is empty", "need 4 more hydrogens")
    ):
        assert words in answer.problem
    assert [one.problem[:7] for one in answers] == ["input 1", "", "input 3", "input 4", "input 5"]
    with pytest.raises(InputError, match="or several of them, got 7"):
        listed(7)  # type: ignore[arg-type]


def test_charge_and_spin_come_along() -> None:
    radical = embedded("[CH3]")
    found = text_or_molecules(radical)
    assert isinstance(found, Molecules)
    assert (found.charges.tolist(), found.spins.tolist()) == ([0], [1])
    ion = molecule("NH3")
    ion.info |= {"charge": -1, "spin": 2, "name": "odd"}
    found = text_or_molecules(ion)
    assert isinstance(found, Molecules)
    assert (found.charges.tolist(), found.spins.tolist()) == ([-1], [2])
    assert found.names.tolist() == ["odd"]
