"""The identity of a molecule: one for all its copies, from a SMILES or from a geometry."""

from __future__ import annotations

import pytest
from rdkit import Chem

from onekcal.geometry.bonds import perceived
from onekcal.geometry.conformers import conformers
from onekcal.geometry.identity import identity, identity_of_species
from onekcal.geometry.species import species
from onekcal.molecules import Molecules


def of(smiles: str) -> str:
    return identity_of_species(species(smiles))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("OCC", "C(O)C"),
        ("c1ccccc1", "C1=CC=CC=C1"),
        ("C/C=C/C", "C/C=C\\C"),  # stereoisomers are one
        ("C=[N+]=[N-]", "[CH2-][N+]#N"),  # and so are resonance forms
        ("C[N+](=O)[O-]", "CN(=O)=O"),
        ("O=O", "[O][O]"),
    ],
)
def test_copies_of_a_molecule_have_one_identity(one: str, other: str) -> None:
    assert of(one) == of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CC[O]", "C[CH]O"),
        ("CC[O]", "CCO"),
        ("CC[O]", "CC[O-]"),
        ("CC=O", "C=CO"),  # tautomers are two
        ("CC(C)C", "CCCC"),
        ("[CH2]", "C"),
    ],
)
def test_different_molecules_have_different_identities(one: str, other: str) -> None:
    assert of(one) != of(other)


@pytest.mark.parametrize("smiles", ["CCO", "C1CC1", "CC[O]", "[CH]=C", "C[NH3+]", "[O-]C=O"])
def test_a_geometry_has_the_identity_of_its_smiles(smiles: str) -> None:
    made = conformers(species(smiles), count=1).lowest
    assert identity(made) == of(smiles)


def test_perceived_bond_orders_would_take_radicals_for_one_another() -> None:
    """The control: a SMILES perceived from the geometry fills open valences with hydrogens."""
    names = set()
    for smiles in ("CC[O]", "C[CH]O"):
        made = conformers(species(smiles), count=1).lowest
        mol = perceived(made.numbers.numpy(), made.positions.numpy(), 0, 1)
        assert mol is not None
        names.add(Chem.MolToSmiles(mol))
    assert len(names) == 1


def test_the_spin_tells_states_of_one_molecule_apart() -> None:
    positions = [[0.0, 0.0, 0.0], [1.07, 0.0, 0.0], [-0.5, 0.95, 0.0]]
    states = {identity(Molecules.one(["C", "H", "H"], positions, spin=spin)) for spin in (0, 2)}
    assert len(states) == 2
