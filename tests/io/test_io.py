"""Files in and out: what is sound is read, and what is written is read back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rdkit import Chem
from rdkit.Chem import rdDepictor, rdDistGeom

import onekcal
from onekcal.data.dataset import Column, Dataset
from onekcal.energies import At, Kind
from onekcal.errors import InputError
from onekcal.io import read, write
from onekcal.molecules import Molecules
from onekcal.units import BOHR, EV, HARTREE
from support.files import WATER, put
from support.molecules import wobbly

# --- what is sound ----------------------------------------------------------------------------


def test_many_molecules_and_mixed_line_endings_are_read(tmp_path: Path) -> None:
    mixed = WATER + WATER.replace("\n", "\r\n") + "\n" + WATER.replace("\n", "\r")
    data = read(put(tmp_path, "a.xyz", mixed))
    assert data.molecules.formulas == ["H2O"] * 3
    assert list(data.molecules.names) == ["water"] * 3


def test_qm9_s_exponents_are_numbers(tmp_path: Path) -> None:
    data = read(put(tmp_path, "a.xyz", "2\n\nH 0 0 1.2*^-6\nH 0 0 0.74 -0.5\n"))
    assert float(data.molecules.positions[0, 2]) == 1.2e-6


def test_extxyz_labels_are_converted_and_keys_can_be_chosen(tmp_path: Path) -> None:
    text = (
        '2\nProperties=species:S:1:pos:R:3:dft_forces:R:3 dft_energy=-31.7 pbc="F F F"\n'
        "H 0 0 0 0 0 0.5\nH 0 0 0.74 0 0 -0.5\n"
    )
    data = read(
        put(tmp_path, "a.extxyz", text),
        energy="eV",
        energy_key="dft_energy",
        forces_key="dft_forces",
    )
    assert float(data.columns["energy"].values[0]) == pytest.approx(-31.7 * EV)
    assert float(data.columns["energy_forces"].values[0, 2]) == pytest.approx(0.5 * EV)
    assert data.columns["energy"].kind == "total"


def test_bohr_and_hartree_are_converted(tmp_path: Path) -> None:
    text = (
        "2\nenergy=-1.17 Properties=species:S:1:pos:R:3:forces:R:3\nH 0 0 0 0 0 .1\n"
        f"H 0 0 {0.74 / BOHR} 0 0 -.1\n"
    )
    data = read(put(tmp_path, "a.extxyz", text), energy="hartree", length="bohr")
    assert float(data.molecules.positions[1, 2]) == pytest.approx(0.74)
    assert float(data.columns["energy_forces"].values[0, 2]) == pytest.approx(0.1 * HARTREE / BOHR)


def test_a_400_atom_molecule_is_read(tmp_path: Path) -> None:
    rows = "\n".join(
        f"C {1.5 * (k % 8)} {1.5 * (k // 8 % 8)} {1.5 * (k // 64)}" for k in range(400)
    )
    assert int(read(put(tmp_path, "big.xyz", f"400\nlattice\n{rows}\n")).molecules.sizes[0]) == 400


def test_smiles_become_geometries_and_keep_charge_and_spin() -> None:
    ethanol, methyl, ammonium = (read(s).molecules for s in ("CCO", "[CH3]", "[NH4+]"))
    assert ethanol.formulas == ["C2H6O"]
    assert int(methyl.spins[0]) == 1
    assert int(ammonium.charges[0]) == 1
    assert float(torch.pdist(ethanol.positions).min()) > 0.9


def test_a_table_of_smiles_is_read(tmp_path: Path) -> None:
    assert read(put(tmp_path, "a.csv", "id,SMILES\n1,CCO\n2,C\n")).molecules.formulas == [
        "C2H6O",
        "CH4",
    ]
    assert list(read(put(tmp_path, "a.smi", "CCO ethanol\nC methane\n")).molecules.names) == [
        "ethanol",
        "methane",
    ]


# --- round trips ------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["xyz", "extxyz", "npz"])
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    numbers=st.lists(st.sampled_from([1, 6, 7, 8, 9, 16]), min_size=1, max_size=6),
    seed=st.integers(0, 2**31),
    name=st.text(
        st.characters(codec="utf-8", exclude_categories=["C", "Z"]) | st.just(" "), max_size=12
    ),
)
@example(numbers=[1], seed=0, name="C=C")
@example(numbers=[1], seed=0, name='a="b')
@example(numbers=[1], seed=0, name="back\\slash \\")
def test_what_is_written_is_read_back(
    tmp_path: Path, ending: str, numbers: list[int], seed: int, name: str
) -> None:
    if ending == "xyz" and "=" in name and name != "C=C":
        name = ""  # a plain comment can be taken for an extended one
    rng = np.random.default_rng(seed)
    places = np.arange(len(numbers))[:, None] * [1.1, 0, 0] + rng.uniform(
        -0.2, 0.2, (len(numbers), 3)
    )
    first = Molecules.one(numbers, places, name=name)
    molecules = Molecules.concatenate(
        [first, Molecules.one([8], [[0, 0, 0]], charge=-1, spin=1, name="x")]
    )
    meaning = {
        "level": 'b3lyp/6-31g(2df,p) "d"',
        "kind": rng.choice(get_args(Kind)),
        "at": rng.choice(get_args(At)),
    }
    columns = {
        "energy": Column(torch.tensor(rng.normal(-500, 100, 2)), **meaning),
        "energy_forces": Column(
            torch.tensor(rng.normal(0, 10, (len(molecules.numbers), 3))), "forces"
        ),
    }
    path = tmp_path / f"a.{ending}"
    write(path, Dataset(molecules, columns))
    back = read(path, trust_lengths=True)  # the atoms of the test stand closer than bonds
    assert torch.equal(back.molecules.numbers, molecules.numbers)
    assert torch.allclose(back.molecules.positions, molecules.positions, atol=1e-9)
    assert [str(n) for n in back.molecules.names] == [
        " ".join(name.split()) if ending != "npz" else name,
        "x",
    ]
    if ending != "xyz":
        assert torch.allclose(back.columns["energy"].values, columns["energy"].values, atol=1e-9)
        assert torch.allclose(
            back.columns["energy_forces"].values, columns["energy_forces"].values, atol=1e-9
        )
        assert back.columns["energy"].meaning == columns["energy"].meaning
        assert back.molecules.charges.tolist() == [0, -1]
        assert back.molecules.spins.tolist() == [0, 1]
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_sdf_round_trip_finds_the_bonds(tmp_path: Path) -> None:
    write(tmp_path / "a.sdf", read("CC(=O)O"))
    back = read(tmp_path / "a.sdf").molecules
    assert back.formulas == ["C2H4O2"]
    assert torch.allclose(back.positions, read("CC(=O)O").molecules.positions, atol=1e-4)


def test_sdf_keeps_unnamed_molecules_energies_and_charges(tmp_path: Path) -> None:
    molecules = Molecules.concatenate(
        [read(smiles).molecules for smiles in ("O", "[NH4+]", "[CH3]")]
    )
    unnamed = replace(molecules, name=np.array(["", "", ""]))
    energies = Column(
        torch.tensor([-219.0, -300.0, -289.0]), level="g4mp2", kind="formation", at="298 K"
    )
    write(tmp_path / "a.sdf", Dataset(unnamed, {"h": energies}))
    back = read(tmp_path / "a.sdf")
    assert back.molecules.formulas == ["H2O", "H4N", "CH3"]
    assert back.molecules.charges.tolist() == [0, 1, 0]
    assert back.molecules.spins.tolist() == [0, 0, 1]
    assert back.columns["energy"].values.tolist() == [-219.0, -300.0, -289.0]
    assert back.columns["energy"].meaning == energies.meaning


def test_drawings_and_blocks_without_their_hydrogens_are_refused() -> None:
    propane = Chem.MolFromSmiles("CCC")
    rdDepictor.Compute2DCoords(propane)
    with pytest.raises(InputError, match="molecule 1: it is a flat drawing, not a geometry"):
        read(Chem.MolToMolBlock(propane))
    full = Chem.AddHs(propane)
    rdDistGeom.EmbedMolecule(full, randomSeed=0)
    assert read(Chem.MolToMolBlock(full)).molecules.formulas == ["C3H8"]
    with pytest.raises(InputError, match="its bonds need 8 more hydrogens"):
        read(Chem.MolToMolBlock(Chem.RemoveHs(full)))


def test_npz_keeps_the_meaning_of_every_column(tmp_path: Path) -> None:
    data = wobbly(5)
    write(tmp_path / "a.npz", data)
    back = onekcal.read(tmp_path / "a.npz")
    assert {k: c.meaning for k, c in back.columns.items()} == {
        k: c.meaning for k, c in data.columns.items()
    }


def test_padded_arrays_are_read_and_damaged_ones_refused(tmp_path: Path) -> None:
    z, r = wobbly(5).molecules.pad()
    np.savez(tmp_path / "a.npz", Z=z.numpy(), R=r.numpy(), E=np.arange(5.0))
    data = read(tmp_path / "a.npz", energy="eV")
    assert data.columns["energy"].values[2] == pytest.approx(2 * EV)
    (tmp_path / "b.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:200])
    with pytest.raises(InputError, match=r"b\.npz is not an npz file or is damaged"):
        read(tmp_path / "b.npz")
