"""Conformers from SMILES: order, determinism, copies, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from rdkit import Chem
from rdkit.Chem import rdDistGeom, rdMolTransforms

from onekcal.errors import InputError, OnekcalError
from onekcal.geometry import ensemble as search
from onekcal.geometry.bonds import bonded
from onekcal.geometry.canonical import canonical
from onekcal.geometry.conformers import conformers, parse, rivalry_among
from onekcal.geometry.ensemble import among, ensemble, polar_hydrogens, sorted_distances, thinned
from onekcal.geometry.relax import relax
from onekcal.geometry.species import Species
from onekcal.geometry.stereo import form_at, handedness, open_places
from onekcal.molecules import Molecules


def test_conformers_come_lowest_first_and_relaxed() -> None:
    found = conformers("CCCCO", count=5, seed=1)
    assert len(found.molecules) == len(found.energies)
    assert 2 <= len(found.molecules) <= 5
    assert (np.diff(found.relative) >= 0).all()
    assert found.relative[0] == 0.0
    assert relax(found.lowest).steps <= 2  # is relaxed already


def test_conformers_far_above_change_little_and_those_at_two_kcal_the_most() -> None:
    assert rivalry_among(np.zeros(1)) == 0.0
    at = [rivalry_among(np.array([0.0, d])) for d in (0.1, 1.0, 2.0, 3.0, 5.8, 12.0)]
    assert max(at) == at[2]
    assert at[2] == pytest.approx(2 / np.e)
    assert at[-1] < 0.05
    assert rivalry_among(np.array([0.0, 2.0, 2.0])) == pytest.approx(2 * at[2])


def test_ethanol_has_its_two_conformers_near_each_other() -> None:
    found = conformers("CCO")
    assert len(found.molecules) == 2  # trans and gauche; its mirror image is the same
    assert found.relative[1] < 2.5


def test_the_same_seed_gives_the_same_geometries_and_seeds_explore() -> None:
    one, again = conformers("CCCO", seed=5), conformers("CCCO", seed=5)
    # with several threads the last digits of a sum differ from run to run
    assert np.allclose(one.energies, again.energies, rtol=0, atol=1e-4)
    assert torch.allclose(one.molecules.positions, again.molecules.positions, rtol=0, atol=1e-3)
    other = conformers("CCCO", seed=6)
    assert float((other.lowest.positions - one.lowest.positions).abs().max()) > 1e-2


SPELT = ["CC(N)C(=O)O", "C1CCOC1", "OCC=C", "C[C@H](O)C#N", "NCCO", "CC(=O)OC"]


def spellings(smiles: str, count: int) -> list[str]:
    """The SMILES with its atoms in random orders."""
    mol = Chem.MolFromSmiles(smiles)
    return Chem.MolToRandomSmilesVect(mol, count, randomSeed=7)


@pytest.mark.parametrize("smiles", ["CC(N)C(=O)O", "OCC=C"])
def test_every_spelling_of_a_smiles_gives_the_same_energies(smiles: str) -> None:
    found = [conformers(one, count=3).energies for one in spellings(smiles, 3)]
    for other in found[1:]:
        assert np.allclose(other, found[0], rtol=0, atol=1e-3)  # a hundredth of the 0.1 promised


def test_every_spelling_starts_from_the_same_ensemble_and_only_in_canonical_form() -> None:
    def ensembles(smiles: str, ordered: bool) -> list[np.ndarray]:
        out = []
        for one in spellings(smiles, 10):
            mol = parse(one)
            state = Species(one, canonical(mol)[0] if ordered else mol, 0, 0)
            out.append(ensemble(state, 3, 0)[0][0].positions.numpy())
        return out

    for smiles in SPELT:
        first, *others = ensembles(smiles, ordered=True)
        assert all(np.array_equal(first, other) for other in others)
    first, *others = ensembles(SPELT[0], ordered=False)  # the control: as spelled they differ
    assert any(np.abs(first - other).max() > 0.1 for other in others)


def test_the_atoms_of_a_conformer_stand_in_the_order_of_the_spelling() -> None:
    for one in ("OCC", "CCO", "[H]C([H])([H])CO", "C(O)[CH3:5]"):
        found, mol = conformers(one, count=1).lowest, parse(one)
        assert found.numbers.tolist() == [atom.GetAtomicNum() for atom in mol.GetAtoms()]
        bonds = {
            tuple(pair)
            for pair in np.argwhere(bonded(found.numbers.numpy(), found.positions.numpy())).tolist()
        }
        drawn = {(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in mol.GetBonds()}
        assert bonds == drawn | {(j, i) for i, j in drawn}


@pytest.mark.parametrize(
    "smiles",
    [
        "C[C@H](O)[C@@H](N)C", "F/C=C/Cl", "[2H]C([2H])O", "[NH3+]C", "C[CH2]", "[H][H]", "[H]",
        "[CH2]", "C#[O+]", "[O-]C=O", "[C-]#[O+]", "C[N+](=O)[O-]",
    ],
)  # fmt: skip
def test_the_canonical_form_keeps_stereo_isotopes_charges_and_radicals(smiles: str) -> None:
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    ordered, places = canonical(mol)
    assert Chem.MolToSmiles(Chem.RemoveHs(ordered)) == Chem.CanonSmiles(smiles)
    assert sorted(places) == list(range(mol.GetNumAtoms()))
    for atom, place in zip(mol.GetAtoms(), places):
        other = ordered.GetAtomWithIdx(place)
        for what in ("GetAtomicNum", "GetIsotope", "GetFormalCharge", "GetNumRadicalElectrons"):
            assert getattr(atom, what)() == getattr(other, what)()


def test_seed_nought_makes_different_conformers() -> None:
    assert len(conformers("CCCCC", seed=0).molecules) > 1


def test_a_copy_is_recognised_mirrored_and_renumbered_but_another_conformer_is_not() -> None:
    found = conformers("CCCC", count=4)
    lowest, next_one = found.molecules[0], found.molecules[1]
    seen = [sorted_distances(lowest)]
    assert among(seen, sorted_distances(lowest.moved(-lowest.positions)))
    renumbered = Molecules.one(lowest.numbers.flip(0).numpy(), lowest.positions.flip(0).numpy())
    assert among(seen, sorted_distances(renumbered))
    assert not among(seen, sorted_distances(next_one))
    assert not among([], sorted_distances(lowest))


@pytest.mark.parametrize("smiles", ["[H][H]", "C", "O", "C#N", "F"])
def test_molecules_without_freedom_have_one_conformer(smiles: str) -> None:
    assert len(conformers(smiles).molecules) == 1


@pytest.mark.parametrize(
    ("smiles", "says"),
    [
        ("CC(", "not a SMILES that can be read"),
        ("C(C)(C)(C)(C)C", "not a SMILES that can be read"),
        ("", "not a SMILES that can be read"),
        ("[Na+].[Cl-]", "2 disconnected molecules"),
        ("C[NH3+]", r"an ion \(charge \+1\)"),
        ("C[CH2]", "a radical"),
        ("*CC", "an open place"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(smiles: str, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        parse(smiles)
    assert "\n" not in str(caught.value)


def test_a_structure_that_will_not_embed_says_so() -> None:
    with pytest.raises(OnekcalError, match="no 3-D structure could be made"):
        conformers("C12=C3C4=C1C5=C2C3=C45")  # a cage of double bonds no geometry satisfies


def test_a_molecule_no_conformer_of_which_survives_says_how_it_broke() -> None:
    with pytest.raises(OnekcalError, match="falls apart on relaxation"):
        conformers("[NH3+]CC(=O)[O-]")


@pytest.mark.parametrize(
    ("smiles", "count"),
    [
        ("CC(O)C(N)C", 2),
        ("C[C@H](O)[C@@H](N)C", 0),
        ("CC(O)N", 0),
        ("C[C@H](O)C(N)C", 1),
        ("CC=CC", 1),
        ("C/C=C/C", 0),
    ],
)
def test_stereochemistry_left_open_is_counted_unless_it_is_a_mirror_image(
    smiles: str, count: int
) -> None:
    assert open_places(parse(smiles)) == count


@pytest.mark.parametrize(
    ("smiles", "forms"),
    [
        ("C1CCC2CCCCC2C1", ["C1CC[C@H]2CCCC[C@@H]2C1", "C1CC[C@H]2CCCC[C@H]2C1"]),  # trans, cis
        ("FC=CF", ["F/C=C\\F", "F/C=C/F"]),
        ("C1C2CC3CC1CC(C2)C3", ["C1C2CC3CC1CC(C2)C3"]),  # adamantane: RDKit counts four centres
        ("C1CC2CCC1C2", ["C1C[C@H]2CC[C@@H]1C2"]),
        ("CC(O)N", []),
        ("C[C@H](O)[C@@H](N)C", []),
    ],
)
def test_stereoisomers_are_those_that_geometries_have_the_lowest_first(
    smiles: str, forms: list[str]
) -> None:
    found = conformers(smiles)
    assert sorted(found.forms) == sorted(forms)
    if forms:
        assert form_at(parse(smiles), found.lowest.positions.numpy()) == found.forms[0]


@pytest.mark.parametrize("smiles", ["CC1=C(C)[C@H]2CN2C1=O", "O=C1C[C@H]2[C@@H]([C@H]3CN3)N12"])
def test_small_fused_rings_get_the_stereochemistry_that_is_specified(smiles: str) -> None:
    mol, _ = canonical(parse(smiles))
    assert not search._embed(mol, 6, 1)  # the control: compared strictly
    found = conformers(smiles)
    places = [one.positions.numpy() for one in found.molecules]
    assert {handedness(parse(smiles), place) for place in places} == {1}


def test_the_handedness_of_a_geometry() -> None:
    one, other, mirrored = ("C[C@H](F)[C@H](Cl)C", "C[C@H](F)[C@@H](Cl)C", "C[C@@H](F)[C@@H](Cl)C")
    place = conformers(one, count=1).lowest.positions.numpy()
    assert [handedness(parse(smiles), place) for smiles in (one, other, mirrored)] == [1, 0, -1]
    assert handedness(parse(mirrored), -place) == 1
    assert handedness(parse("C[C@H](F)C(Cl)C"), place) == 1  # what is left open is not compared


def test_mirror_images_are_one_form_and_diastereomers_are_two() -> None:
    mol = parse("CC(F)C(F)C")
    found = conformers("CC(F)C(F)C").molecules
    seen = {form_at(mol, one.positions.numpy()) for one in found}
    assert len(seen) == 2
    assert {form_at(mol, -one.positions.numpy()) for one in found} == seen


def test_the_trans_form_of_decalin_is_no_copy_of_the_cis_form() -> None:
    """They differ in hydrogens on carbon alone, which `thinned` does not compare."""
    smiles = "C1CCC2CCCCC2C1"
    trans = conformers("C1CC[C@H]2CCCC[C@@H]2C1").energies[0]
    assert conformers(smiles).energies[0] == pytest.approx(trans, abs=0.05)
    assert conformers("C1CC[C@H]2CCCC[C@H]2C1").energies[0] > trans + 1


def test_acids_turn_their_hydrogens_to_the_other_side(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lowest form of oxalic acid has two hydrogen bonds; ETKDG makes none of them."""
    found = conformers("OC(=O)C(=O)O")
    mol = parse("OC(=O)C(=O)O")
    shape = Chem.Conformer(mol.GetNumAtoms())
    for k, place in enumerate(found.lowest.positions.tolist()):
        shape.SetAtomPosition(k, place)
    for own in ((6, 0, 1, 2), (7, 5, 3, 4)):
        assert abs(rdMolTransforms.GetDihedralDeg(shape, *own)) > 170
    monkeypatch.setattr(search, "FLIPPED", 0)
    assert conformers("OC(=O)C(=O)O").energies[0] > found.energies[0] + 0.3


def test_a_long_chain_is_stretched(monkeypatch: pytest.MonkeyPatch) -> None:
    state = Species("C" * 14, canonical(parse("C" * 14))[0], 0, 0)

    def longest() -> float:
        found, _, _ = ensemble(state, 1, 0)
        return max(float(torch.cdist(one.positions, one.positions).max()) for one in found)

    stretched = longest()
    assert stretched > 13 * 1.27  # 1.27 Å a bond of the zigzag, and the hydrogens at the ends
    monkeypatch.setattr(search, "STRETCHED", 100)
    assert longest() < stretched - 1


# --- what the search looks at -----------------------------------------------------------------


def test_it_finds_what_a_long_search_finds_and_the_order_of_mmff_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """MMFF puts the hydrogen bond of this one far behind."""
    smiles = "OCC(CCC#N)C#N"
    long = conformers(smiles, count=30, seed=1).energies[0]
    assert conformers(smiles).energies[0] < long + 0.3  # kcal/mol
    monkeypatch.setattr(search, "CANDIDATES", 1)
    assert conformers(smiles).energies[0] > long + 0.5


def test_hydrogens_on_carbon_make_no_conformers_and_those_on_oxygen_do() -> None:
    for smiles, least, most in (("CCO", 2, 6), ("CC(C)C", 1, 1), ("C=C", 1, 1)):
        mol = parse(smiles)
        embedded = list(rdDistGeom.EmbedMultipleConfs(mol, 40, 7))
        kept = thinned(mol, embedded, polar_hydrogens(mol))
        assert least <= len(kept) <= most, smiles
        assert [one.GetId() for one in mol.GetConformers()] == kept
        assert kept[0] == embedded[0]
