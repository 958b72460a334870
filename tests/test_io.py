"""Files in and out: what is sound is read, what is not is one line that names file and place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import onekcal
from conftest import wobbly
from onekcal.data.dataset import Column, Dataset
from onekcal.errors import InputError
from onekcal.io import read, read_all, write
from onekcal.molecules import Molecules
from onekcal.units import BOHR, EV, HARTREE

WATER = "3\nwater\nO 0.0 0.0 0.1173\nH 0.0 0.7572 -0.4692\nH 0.0 -0.7572 -0.4692\n"


def put(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


# --- what is sound ---------------------------------------------------------------------------------------------------


def test_many_molecules_and_mixed_line_endings_are_read(tmp_path: Path) -> None:
    mixed = WATER + WATER.replace("\n", "\r\n") + "\n" + WATER.replace("\n", "\r")
    data = read(put(tmp_path, "a.xyz", mixed))
    assert data.molecules.formulas == ["H2O"] * 3
    assert list(data.molecules.names) == ["water"] * 3


def test_qm9_s_exponents_are_numbers(tmp_path: Path) -> None:
    data = read(put(tmp_path, "a.xyz", "2\n\nH 0 0 1.2*^-6\nH 0 0 0.74 -0.5\n"))
    assert float(data.molecules.positions[0, 2]) == 1.2e-6


def test_extxyz_labels_are_converted_and_keys_can_be_chosen(tmp_path: Path) -> None:
    text = ('2\nProperties=species:S:1:pos:R:3:dft_forces:R:3 dft_energy=-31.7 pbc="F F F"\n'
            "H 0 0 0 0 0 0.5\nH 0 0 0.74 0 0 -0.5\n")
    data = read(put(tmp_path, "a.extxyz", text), energy="eV", energy_key="dft_energy", forces_key="dft_forces")
    assert float(data.columns["energy"].values[0]) == pytest.approx(-31.7 * EV)
    assert float(data.columns["energy_forces"].values[0, 2]) == pytest.approx(0.5 * EV)
    assert data.columns["energy"].kind == "total"


def test_bohr_and_hartree_are_converted(tmp_path: Path) -> None:
    text = f"2\nenergy=-1.17 Properties=species:S:1:pos:R:3:forces:R:3\nH 0 0 0 0 0 .1\nH 0 0 {0.74 / BOHR} 0 0 -.1\n"
    data = read(put(tmp_path, "a.extxyz", text), energy="hartree", length="bohr")
    assert float(data.molecules.positions[1, 2]) == pytest.approx(0.74)
    assert float(data.columns["energy_forces"].values[0, 2]) == pytest.approx(0.1 * HARTREE / BOHR)


def test_a_400_atom_molecule_is_read(tmp_path: Path) -> None:
    rows = "\n".join(f"C {1.5 * (k % 8)} {1.5 * (k // 8 % 8)} {1.5 * (k // 64)}" for k in range(400))
    assert int(read(put(tmp_path, "big.xyz", f"400\nlattice\n{rows}\n")).molecules.sizes[0]) == 400


def test_smiles_become_geometries_and_keep_charge_and_spin() -> None:
    ethanol, methyl, ammonium = (read(s).molecules for s in ("CCO", "[CH3]", "[NH4+]"))
    assert ethanol.formulas == ["C2H6O"]
    assert int(methyl.spins[0]) == 1
    assert int(ammonium.charges[0]) == 1
    assert float(torch.pdist(ethanol.positions).min()) > 0.9


def test_a_table_of_smiles_is_read(tmp_path: Path) -> None:
    assert read(put(tmp_path, "a.csv", "id,SMILES\n1,CCO\n2,C\n")).molecules.formulas == ["C2H6O", "CH4"]
    assert list(read(put(tmp_path, "a.smi", "CCO ethanol\nC methane\n")).molecules.names) == ["ethanol", "methane"]


# --- round trips -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["xyz", "extxyz", "npz"])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(numbers=st.lists(st.sampled_from([1, 6, 7, 8, 9, 16]), min_size=1, max_size=6), seed=st.integers(0, 2**31))
def test_what_is_written_is_read_back(tmp_path: Path, ending: str, numbers: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    places = np.arange(len(numbers))[:, None] * [1.1, 0, 0] + rng.uniform(-0.2, 0.2, (len(numbers), 3))
    first = Molecules.one(numbers, places, name="a b")
    molecules = Molecules.concatenate([first, Molecules.one([8], [[0, 0, 0]], charge=-1, spin=1, name="x")])
    columns = {
        "energy": Column(torch.tensor(rng.normal(-500, 100, 2)), level="b3lyp/6-31g", kind="total"),
        "energy_forces": Column(torch.tensor(rng.normal(0, 10, (len(molecules.numbers), 3))), "forces"),
    }
    path = tmp_path / f"a.{ending}"
    write(path, Dataset(molecules, columns))
    back = read(path)
    assert torch.equal(back.molecules.numbers, molecules.numbers)
    assert torch.allclose(back.molecules.positions, molecules.positions, atol=1e-9)
    assert list(back.molecules.names) == ["a b", "x"]
    if ending != "xyz":
        assert torch.allclose(back.columns["energy"].values, columns["energy"].values, atol=1e-9)
        assert torch.allclose(back.columns["energy_forces"].values, columns["energy_forces"].values, atol=1e-9)
        assert back.molecules.charges.tolist() == [0, -1]
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_sdf_round_trip_finds_the_bonds(tmp_path: Path) -> None:
    write(tmp_path / "a.sdf", read("CC(=O)O"))
    back = read(tmp_path / "a.sdf").molecules
    assert back.formulas == ["C2H4O2"]
    assert torch.allclose(back.positions, read("CC(=O)O").molecules.positions, atol=1e-4)


def test_npz_keeps_the_meaning_of_every_column(tmp_path: Path) -> None:
    data = wobbly(5)
    write(tmp_path / "a.npz", data)
    back = onekcal.read(tmp_path / "a.npz")
    assert {k: c.meaning for k, c in back.columns.items()} == {k: c.meaning for k, c in data.columns.items()}


def test_padded_arrays_are_read_and_damaged_ones_refused(tmp_path: Path) -> None:
    z, r = wobbly(5).molecules.pad()
    np.savez(tmp_path / "a.npz", Z=z.numpy(), R=r.numpy(), E=np.arange(5.0))
    data = read(tmp_path / "a.npz", energy="eV")
    assert data.columns["energy"].values[2] == pytest.approx(2 * EV)
    (tmp_path / "b.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:200])
    with pytest.raises(InputError, match=r"b\.npz is not an npz file or is damaged"):
        read(tmp_path / "b.npz")


# --- what is not ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.xyz", "", "is empty"),
        ("a.xyz", WATER.replace("0.1173", "nan"), r"a\.xyz, molecule 1 \(line 1\): a coordinate is not a finite number"),
        ("a.xyz", WATER.replace("-0.7572", "0.7572"), r"atoms 2 and 3 are 0\.000 Å"),
        ("a.xyz", WATER.replace("O 0", "Xx 0"), r"molecule 1 .*no element 'Xx'"),
        ("a.xyz", "5\nshort\nH 0 0 0\n", r"expected 5 lines of `symbol x y z`, line 4"),
        ("a.xyz", "three\n", r"expected the number of atoms, got 'three'"),
        ("a.xyz", WATER.replace("0.1173", "O.1173"), r"line 3: expected 3 numbers, got '0.0 0.0 O.1173'"),
        ("a.extxyz", "1\nenergy=abc\nH 0 0 0\n", r"expected 1 numbers, got 'abc'"),
        ("a.extxyz", "1\nenergy=nan\nH 0 0 0\n", r"not a finite number"),
        ("a.extxyz", '1\nenergy="-1\nH 0 0 0\n', r"open quote"),
        ("a.extxyz", "1\nenergy=-1\nH 0 0 0\n1\nnone\nH 0 0 0\n", r"molecule 2 has no 'energy' while others do"),
        ("a.csv", "name,formula\na,b\n", r"expected a column named SMILES, got name, formula"),
        ("a.sdf", "nonsense\n", r"a\.sdf, molecule 1: not a mol block"),
        ("a.pdb", "ATOM", r"no format for '\.pdb'"),
    ],
)
def test_a_broken_file_is_one_clear_line(tmp_path: Path, name: str, text: str, message: str) -> None:
    path = put(tmp_path, name, text)
    with pytest.raises(InputError, match=message) as caught:
        read(path)
    assert len(str(caught.value).splitlines()) == 1


def test_the_others_in_a_broken_batch_are_delivered(tmp_path: Path) -> None:
    text = WATER + WATER.replace("0.1173", "nan") + WATER
    data, problems = read_all(put(tmp_path, "a.xyz", text))
    assert data is not None
    assert len(data) == 2
    assert len(problems) == 1
    assert "molecule 2 (line 6)" in problems[0]
    data, problems = read_all(put(tmp_path, "a.smi", "CCO\nC1CC\nC.C\nC\n"))
    assert data is not None
    assert data.molecules.formulas == ["C2H6O", "CH4"]
    assert "line 2" in problems[0]
    assert "2 disconnected fragments" in problems[1]


def test_lengths_in_the_wrong_unit_are_noticed(tmp_path: Path) -> None:
    data = wobbly(8)
    write(tmp_path / "bohr.xyz", data.molecules.moved(data.molecules.positions / BOHR))
    with pytest.raises(InputError, match="probably in bohr"):
        read(tmp_path / "bohr.xyz")
    assert len(read(tmp_path / "bohr.xyz", length="bohr")) == 8
    write(tmp_path / "right.xyz", data.molecules)
    with pytest.raises(InputError, match="another unit"):
        read(tmp_path / "right.xyz", length="bohr")


def test_a_wrong_unit_or_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no unit 'hartre'; did you mean 'hartree'"):
        read(put(tmp_path, "a.xyz", WATER), energy="hartre")
    with pytest.raises(InputError, match="no file nowhere.xyz"):
        read("nowhere.xyz")
    with pytest.raises(InputError, match="neither a file that exists nor a SMILES"):
        read("C1CC")


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    strange = Molecules.one(["H", "H", "H"], [[0, 0, 0], [0, 0, 9], [0, 9, 0]])
    with pytest.raises(InputError, match="bonds cannot be told"):
        write(tmp_path / "a.sdf", strange)
    with pytest.raises(InputError, match="format to write"):
        write(tmp_path / "a.pdb", strange)
    assert list(tmp_path.iterdir()) == []
