"""Pieces of a graph, and bonds told from a geometry."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.sparse.csgraph import connected_components

from onekcal import datasets as store
from onekcal.errors import InputError
from onekcal.geometry.bonds import bonded, fragments, perceived, pieces
from onekcal.geometry.conformers import parse
from onekcal.geometry.relax import relax
from onekcal.io import read
from onekcal.molecules import Molecules


def random_graph(rng: np.random.Generator) -> np.ndarray:
    size, share = int(rng.integers(1, 25)), rng.choice([0.0, 0.03, 0.08, 0.2])
    half = np.triu(rng.random((size, size)) < share, 1)
    return half | half.T


def by_powers(joined: np.ndarray) -> int:
    """Brute force: whoever can be reached in n steps shares a row of (1 + A)ⁿ."""
    reach = (
        np.linalg.matrix_power(
            (joined | np.eye(len(joined), dtype=bool)).astype(float), len(joined)
        )
        > 0
    )
    return len(np.unique(reach, axis=0))


def test_pieces_are_what_brute_force_and_another_algorithm_count() -> None:
    rng, counts = np.random.default_rng(3), set()
    for _ in range(300):
        graph = random_graph(rng)
        found = pieces(graph)
        assert found == by_powers(graph) == connected_components(graph, directed=False)[0]
        counts.add(found)
    assert len(counts) > 5  # the graphs were not all of one kind


def test_nothing_has_no_pieces_and_a_chain_is_one_from_whichever_end() -> None:
    assert pieces(np.zeros((0, 0), dtype=bool)) == 0
    chain = np.eye(40, k=1, dtype=bool) | np.eye(40, k=-1, dtype=bool)
    order = np.random.default_rng(0).permutation(40)
    assert pieces(chain[np.ix_(order, order)]) == 1
    chain[17, 18] = chain[18, 17] = False
    assert pieces(chain[np.ix_(order, order)]) == 2


def test_water_is_one_fragment_until_a_hydrogen_leaves(water: Molecules) -> None:
    numbers, positions = water.numbers.numpy(), water.positions.numpy()
    assert fragments(numbers, positions) == 1
    assert fragments(numbers, positions + np.array([[0, 0, 0], [0, 0, 0], [0, 0, -3]])) == 2


def smiles(molecule: Molecules) -> str | None:
    from rdkit import Chem

    mol = perceived(
        molecule.numbers.numpy(),
        molecule.positions.numpy(),
        int(molecule.charges[0]),
        int(molecule.spins[0]),
    )
    return None if mol is None else Chem.MolToSmiles(mol, isomericSmiles=False)


def canonical(text: str) -> str:
    from rdkit import Chem

    return Chem.MolToSmiles(Chem.MolFromSmiles(text), isomericSmiles=False)


def test_bonds_told_from_geometries_draw_the_molecule_they_were_made_from() -> None:
    """`mini` names its molecules by SMILES: 1,037 of 1,042 come back; sulfur of higher valence and
    H₂ do not.
    """
    molecules = store.load("mini").dataset.molecules
    found = [smiles(molecule) for molecule in molecules]
    right = [one == canonical(str(name)) for one, name in zip(found, molecules.names)]
    assert sum(right) >= 1035
    assert sum(one is None for one in found) <= 1


@pytest.mark.parametrize(
    "text", ["NC1(C#N)C2CC1N2", "C12C3C4C1C5C2C3C45", "O=[N+]([O-])c1ccccc1", "CSC=O"]
)
def test_cages_nitro_groups_and_thioesters_are_drawn_as_chemists_draw_them(text: str) -> None:
    assert smiles(read(text).molecules[0]) == canonical(text)


def test_in_a_cage_atoms_come_near_without_a_bond() -> None:
    """2-oxabicyclo[1.1.1]pentane: its bridgeheads are 1.8 Å apart, which elsewhere is a bond."""
    cage = relax(read("C1C2CC1O2").molecules).molecule
    assert (
        bonded(cage.numbers.numpy(), cage.positions.numpy()).sum() // 2 == 13
    )  # the control: one bond too many
    assert smiles(cage) == canonical("C1C2CC1O2")


def test_a_geometry_without_sense_has_no_bonds_told() -> None:
    heap = Molecules.one([6] * 8, torch.rand(8, 3, generator=torch.Generator().manual_seed(0)))
    assert smiles(heap) is None


@pytest.mark.parametrize(
    ("text", "says"), [("C[CH2]", "1 unpaired electron)"), ("[CH2]C[CH2]", "2 unpaired electrons)")]
)
def test_unpaired_electrons_are_counted_in_grammar(text: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "smiles", ["CC(=O)S", "CS(=O)(=O)C", "C1CSC(=O)C1", "OC1=CSN=C1", "C#CC#CC"]
)
def test_what_is_perceived_can_be_asked_for_its_groups(smiles: str) -> None:
    """Charges given to sulfur are taken back, diynes are not protons beside carbanions, and rings
    stay known.
    """
    from rdkit import Chem
    from rdkit.Chem import AllChem

    from onekcal.geometry.functional_groups import functional_groups

    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    assert AllChem.EmbedMolecule(mol, randomSeed=1) == 0
    found = perceived(
        np.array([a.GetAtomicNum() for a in mol.GetAtoms()]), mol.GetConformer().GetPositions()
    )
    assert found is not None
    assert functional_groups(found)
    assert Chem.MolToSmiles(found) == Chem.CanonSmiles(smiles)
