"""Charge and spin of a SMILES: the ground states of atoms, radicals, carbenes and ions."""

from __future__ import annotations

import pytest
from rdkit import Chem

from onekcal.errors import InputError
from onekcal.geometry.species import species

STATES = {  # charge, unpaired electrons
    "O": (0, 0),
    "CCO": (0, 0),
    "[H][H]": (0, 0),
    "[C-]#[O+]": (0, 0),
    **{"[H]": (0, 1), "[C]": (0, 2), "[N]": (0, 3), "[O]": (0, 2), "[F]": (0, 1), "[Cl]": (0, 1)},
    **{"[S]": (0, 2), "[P]": (0, 3), "[Si]": (0, 2), "[Li]": (0, 1), "[Be]": (0, 0)},
    **{"[C+]": (1, 1), "[O+]": (1, 3), "[O-]": (-1, 1), "[F-]": (-1, 0), "[Na+]": (1, 0)},
    **{"[CH3]": (0, 1), "[OH]": (0, 1), "[NH2]": (0, 1), "[O]O": (0, 1), "C[CH2]": (0, 1)},
    **{"[CH2]": (0, 2), "[NH]": (0, 2), "F[C]F": (0, 0), "[SiH2]": (0, 0)},
    **{"[CH]": (0, 1), "[SiH]": (0, 1), "F[C]": (0, 1)},
    **{"O=O": (0, 2), "S=S": (0, 2), "O=S": (0, 2), "[O][O]": (0, 2), "O=C=O": (0, 0)},
    **{"[OH-]": (-1, 0), "[NH4+]": (1, 0), "[OH3+]": (1, 0), "[N]=O": (0, 1), "[H+]": (1, 0)},
    "[CH2]C[CH2]": (0, 2),
}


@pytest.mark.parametrize("smiles", list(STATES))
def test_the_ground_state_of(smiles: str) -> None:
    state = species(smiles)
    assert (state.charge, state.spin) == STATES[smiles]


@pytest.mark.parametrize("smiles", list(STATES))
def test_every_state_is_possible(smiles: str) -> None:
    state = species(smiles)
    electrons = sum(atom.GetAtomicNum() for atom in state.mol.GetAtoms()) - state.charge
    assert (electrons - state.spin) % 2 == 0
    assert electrons >= state.spin


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("OCC", "CCO"),
        ("[H]O[H]", "O"),
        ("[H][C]([H])[H]", "[CH3]"),
        ("[H][O]", "[OH]"),
        ("[O][O]", "O=O"),
        ("O=[N+][O-]", "[O]N=O"),
        ("C[N+](C)[O-]", "CN(C)[O]"),
    ],
)
def test_spellings_have_one_canonical_smiles_and_state(one: str, other: str) -> None:
    a, b = species(one), species(other)
    assert (a.smiles, a.charge, a.spin) == (b.smiles, b.charge, b.spin)
    assert a.mol.GetNumAtoms() == b.mol.GetNumAtoms()


@pytest.mark.parametrize("smiles", ["C[N+](=O)[O-]", "C=[N+]=[N-]", "[C-]#[O+]", "O=[O+][O-]"])
def test_charges_without_an_unpaired_electron_beside_them_stay(smiles: str) -> None:
    assert species(smiles).smiles == Chem.CanonSmiles(smiles)


def test_hydrogens_are_there() -> None:
    assert species("CCO").mol.GetNumAtoms() == 9
    assert species("[CH3]").mol.GetNumAtoms() == 4


@pytest.mark.parametrize(
    ("smiles", "message"),
    [
        ("[2H]O[2H]", "isotopes.*leave the mass numbers out"),
        ("[He+2]", "has no electrons"),
        ("C.C", "2 disconnected molecules"),
        ("C(C)(C)(C)(C)C", "not a SMILES that can be read"),
        ("*C", "open place"),
    ],
)
def test_what_is_no_species_is_refused(smiles: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        species(smiles)
