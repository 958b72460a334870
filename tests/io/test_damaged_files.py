"""Files that are not sound: one line that names file and place, and the others are delivered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from onekcal.errors import InputError
from onekcal.io import read, read_all, write
from onekcal.molecules import Molecules
from onekcal.units import BOHR, EV, HARTREE
from support.files import WATER, put
from support.molecules import wobbly


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.xyz", "", "is empty"),
        (
            "a.xyz",
            WATER.replace("0.1173", "nan"),
            r"a\.xyz, molecule 1 \(line 1\): a coordinate is not a finite number",
        ),
        ("a.xyz", WATER.replace("-0.7572", "0.7572"), r"atoms 2 and 3 are 0\.000 Å"),
        ("a.xyz", WATER.replace("O 0", "Xx 0"), r"molecule 1 .*no element 'Xx'"),
        ("a.xyz", "5\nshort\nH 0 0 0\n", r"expected 5 lines of `symbol x y z`, line 4"),
        ("a.xyz", WATER + "H 5 0 0\n", r"line 1 says 3 atoms but line 6 is one more"),
        ("a.xyz", WATER.replace("0.1173", "1_2x"), r"line 3: expected 3 numbers"),
        ("a.xyz", " \n\n", r"a\.xyz holds no molecule"),
        ("a.xyz", "three\n", r"expected the number of atoms, got 'three'"),
        (
            "a.xyz",
            WATER.replace("0.1173", "O.1173"),
            r"line 3: expected 3 numbers, got '0.0 0.0 O.1173'",
        ),
        ("a.extxyz", "1\nenergy=abc\nH 0 0 0\n", r"'energy' must be a number, got 'abc'"),
        (
            "a.extxyz",
            "1\ncharge=+half energy=1\nH 0 0 0\n",
            r"`charge` must be a whole number, got '\+half'",
        ),
        (
            "a.extxyz",
            "1\nProperties=species:S:1:pos:R:3:forces:R:3\nH 0 0 0\n",
            r"line 3: expected 7 columns, got 4",
        ),
        (
            "a.extxyz",
            "1\nProperties=species:S:1:pos:R:3:forces:R:3\nH 0 0 0 0 0 nan\n",
            r"a force under 'forces' is not",
        ),
        ("a.extxyz", "1\nProperties=name:S:1:pos:R:3\nH 0 0 0\n", r"Properties must name species"),
        ("a.extxyz", "1\nenergy=nan\nH 0 0 0\n", r"not a finite number"),
        ("a.extxyz", '1\nenergy="-1\nH 0 0 0\n', r"open quote"),
        (
            "a.extxyz",
            "1\nenergy=-1\nH 0 0 0\n1\nnone\nH 0 0 0\n",
            r"molecule 2 \(line 4\): has no 'energy' while",
        ),
        ("a.csv", "name,formula\na,b\n", r"expected a column named SMILES, got name, formula"),
        ("a.sdf", "nonsense\n", r"a\.sdf, molecule 1: it is not a mol block"),
        ("a.pdb", "ATOM", r"no format for '\.pdb'"),
        ("a.smi", "C*\n", r"line 1: .* has an open place"),
        ("a.smi", "C\n[U]\n", r"line 2: .*atom 1 is 'U'"),
        ("a.csv", "SMILES,energy\nC,-1\nO,x\n", r"line 3: 'energy' must be a number, got 'x'"),
    ],
)
def test_a_broken_file_is_one_clear_line(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
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
    assert "molecule 2 (line 6)" in str(problems[0])
    assert len(read(tmp_path / "a.xyz", on_error="skip")) == 2
    data, problems = read_all(put(tmp_path, "a.smi", "CCO\nC1CC\nC.C\nC\n"))
    assert data is not None
    assert data.molecules.formulas == ["C2H6O", "CH4"]
    assert "line 2" in str(problems[0])
    assert "2 disconnected molecules" in str(problems[1])


def test_reading_goes_on_after_a_frame_whose_count_is_wrong(tmp_path: Path) -> None:
    for count in ("2", "4", "three", "0"):
        for comment in ("water", "3"):  # a lone number as comment is not taken for a count
            frame = WATER.replace("water", comment)
            data, problems = read_all(
                put(tmp_path, "a.xyz", frame + count + frame[1:] + frame + frame)
            )
            assert data is not None
            assert data.molecules.formulas == ["H2O"] * 3
            assert "molecule 2 (line 6)" in str(problems[0])


FORCED = (
    "2\nProperties=species:S:1:pos:R:3:{forces}:R:3 {energy}=-1 {more}\n"
    "H 0 0 0 0 0 1\nH 0 0 0.74 0 0 -1\n"
)


@pytest.mark.parametrize(
    ("energy", "forces", "told", "message"),
    [
        (
            "REF_energy",
            "forces",
            {},
            r"no 'energy', but it has REF_energy; .*energy_key='REF_energy'",
        ),
        (
            "energy",
            "REF_forces",
            {},
            r"no 'forces', but it has REF_forces; .*forces_key='REF_forces'",
        ),
        ("energy", "forces", {"energy_key": "e_dft"}, r"no 'e_dft', but it has energy"),
        (
            "u",
            "forces",
            {"energy_key": "e_dft"},
            r"no 'e_dft' \(energy_key\) and no label with a similar name",
        ),
    ],
)
def test_a_label_under_another_key_is_never_lost_silently(
    tmp_path: Path, energy: str, forces: str, told: dict[str, str], message: str
) -> None:
    path = put(tmp_path, "a.extxyz", FORCED.format(energy=energy, forces=forces, more="charge=0"))
    with pytest.raises(InputError, match=message):
        read(path, **told)
    assert read(path, energy_key=None, forces_key=None).columns == {}


def test_what_a_file_says_of_its_energies_is_believed_and_not_overruled(tmp_path: Path) -> None:
    more = (
        'energy_unit=eV kind=atomization at="0 K" level="pbe/def2-svp" charge=1.0 multiplicity=2 '
        'pbc="F F F" '
        'Lattice="9 0 0 0 9 0 0 0 9"'
    )
    path = put(tmp_path, "a.extxyz", FORCED.format(energy="energy", forces="forces", more=more))
    data = read(path)
    assert data.columns["energy"].meaning == "atomization energy, pbe/def2-svp, 0 K, kcal/mol"
    assert float(data.columns["energy"].values[0]) == pytest.approx(-EV)
    assert float(data.columns["energy_forces"].values[0, 2]) == pytest.approx(EV)
    assert (int(data.molecules.charges[0]), int(data.molecules.spins[0])) == (1, 1)
    assert data.columns["energy"].note == "in eV: stated by the file"
    with pytest.raises(InputError, match="says its energies are in eV, not in hartree"):
        read(path, energy="hartree")
    with pytest.raises(InputError, match="of kind 'atomization', not 'total'"):
        read(path, kind="total")


def test_charge_and_multiplicity_may_begin_with_a_capital(tmp_path: Path) -> None:
    path = put(tmp_path, "a.xyz", "1\nCharge=-2 Multiplicity=3 Name=oxide\nO 0 0 0\n")
    molecules = read(path).molecules
    assert (int(molecules.charges[0]), int(molecules.spins[0]), molecules.names[0]) == (
        -2,
        2,
        "oxide",
    )


def test_an_energy_that_means_something_else_is_left_out_by_name(tmp_path: Path) -> None:
    frame = "1\nenergy=-1 kind={kind} energy_unit=eV\nHe 0 0 0\n"
    text = "".join(frame.format(kind=kind) for kind in ("total", "formation", "total"))
    data, problems = read_all(put(tmp_path, "a.extxyz", text))
    assert data is not None
    assert data.columns["energy"].kind == "total"
    assert len(data) == 2
    assert (
        "molecule 2 (line 4): its energy is 'eV, formation', and most others are 'eV, total'"
        in str(problems[0])
    )
    path = put(tmp_path, "b.extxyz", frame.format(kind="total").replace("eV", "Eh"))
    assert float(read(path).columns["energy"].values[0]) == pytest.approx(-HARTREE)
    with pytest.raises(
        InputError, match=r"no unit of energy in .*a\.extxyz: 'evil'; did you mean 'ev'"
    ):
        read(put(tmp_path, "a.extxyz", frame.format(kind="total").replace("eV", "evil")))


def test_whatever_is_damaged_is_refused_in_one_line_that_names_the_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for ending in ("extxyz", "sdf", "npz"):
        path = tmp_path / f"a.{ending}"
        write(path, wobbly(4))
        whole, lost = path.read_bytes(), 0
        for _ in range(150):
            broken = bytearray(whole)
            for k in rng.integers(len(whole), size=3):
                broken[k] = rng.integers(256)
            path.write_bytes(bytes(broken[: rng.integers(1, 2 * len(whole))]))
            try:
                data, problems = read_all(path)
                said = [str(problem) for problem in problems]
                lost += not said and (data is None or len(data) < 4)
            except InputError as problem:
                said = [str(problem)]
            assert all(str(path) in line and len(line.splitlines()) == 1 for line in said)
        assert lost <= 9, (
            f"{ending}: molecules are lost without a word"
        )  # cut off between two of them, nothing is broken


def test_a_lattice_is_ignored_aloud(tmp_path: Path) -> None:
    path = put(tmp_path, "a.extxyz", '1\nLattice="9 0 0 0 9 0 0 0 9"\nHe 0 0 0\n')
    with pytest.warns(UserWarning, match="Lattice of 1 of 1 frames is ignored"):
        assert len(read(path)) == 1


def test_the_text_of_a_file_and_a_stated_format_are_read(tmp_path: Path) -> None:
    assert read(WATER + WATER).molecules.formulas == ["H2O"] * 2
    assert read("CCO\nC").molecules.formulas == ["C2H6O", "CH4"]
    assert read(put(tmp_path, "water.dat", WATER), format="xyz").molecules.formulas == ["H2O"]
    write(tmp_path / "copy.dat", read(WATER), format="extxyz")
    assert list(read(tmp_path / "copy.dat", format="extxyz").molecules.names) == ["water"]
    with pytest.raises(InputError, match="no format 'xzy'; did you mean 'xyz'"):
        read(WATER, format="xzy")
    with pytest.raises(InputError, match="no SMILES|neither a file that exists nor a SMILES"):
        read("Q" * 300)  # longer than any file name


def test_energies_of_a_table_are_read(tmp_path: Path) -> None:
    data = read(
        put(tmp_path, "a.csv", "SMILES;energy;name\nC;-1;methane\nO;-2;water\n"),
        energy="eV",
        kind="formation",
    )
    assert data.columns["energy"].values.tolist() == pytest.approx([-EV, -2 * EV])
    assert list(data.molecules.names) == ["methane", "water"]


def test_bad_rows_of_arrays_are_named_and_the_others_delivered(tmp_path: Path) -> None:
    z, r = (part.numpy() for part in wobbly(6).molecules.pad())
    r[2, 1], r[4, 0] = r[2, 0], np.nan
    z[5, 0] = 120
    np.savez(tmp_path / "a.npz", nuclear_charges=z, coords=r, energies=np.arange(6.0), forces=0 * r)
    data, problems = read_all(tmp_path / "a.npz")
    assert data is not None
    assert data.columns["energy"].values.tolist() == [0.0, 1.0, 3.0]
    assert [str(p).partition("a.npz, ")[2][:10] for p in problems] == [
        "molecule 3",
        "molecule 5",
        "molecule 6",
    ]
    np.savez(tmp_path / "a.npz", Z=z, R=r, E_dft=np.arange(6.0), energy_dft=np.arange(6.0))
    with pytest.raises(InputError, match="but it has energy_dft"):
        read(tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", Z=z[:5], R=r, E=np.arange(6.0))
    with pytest.raises(InputError, match=r"a\.npz: expected positions \(M, n, 3\) and charges"):
        read(tmp_path / "a.npz")


def test_a_stretched_diatomic_is_no_wrong_unit(tmp_path: Path) -> None:
    scan = "".join(f"2\n{d}\nH 0 0 0\nH 0 0 {d}\n" for d in (1.5, 2.5, 4.0))
    assert len(read(put(tmp_path, "scan.xyz", scan))) == 3


def test_lengths_in_the_wrong_unit_are_noticed(tmp_path: Path) -> None:
    data = wobbly(8)
    write(tmp_path / "bohr.xyz", data.molecules.moved(data.molecules.positions / BOHR))
    with pytest.raises(InputError, match="probably in bohr"):
        read(tmp_path / "bohr.xyz")
    assert len(read(tmp_path / "bohr.xyz", length="bohr")) == 8
    write(tmp_path / "right.xyz", data.molecules)
    with pytest.raises(InputError, match="probably in angstrom"):
        read(tmp_path / "right.xyz", length="bohr")
    write(
        tmp_path / "nm.xyz", data.molecules.moved(data.molecules.positions / 10)
    )  # each with "two atoms on one point"
    with pytest.raises(InputError, match="probably in nm .*--length nm"):
        read(tmp_path / "nm.xyz")


def test_a_wrong_unit_or_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no unit 'hartre'; did you mean 'hartree'"):
        read(put(tmp_path, "a.xyz", WATER), energy="hartre")
    with pytest.raises(InputError, match="no file nowhere.xyz"):
        read("nowhere.xyz")
    with pytest.raises(InputError, match="neither a file that exists nor a SMILES"):
        read("C1CC")


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    strange = Molecules.one(["H", "H", "H"], [[0, 0, 0], [0, 0, 9], [0, 9, 0]])
    with pytest.raises(InputError, match="its bonds cannot be found"):
        write(tmp_path / "a.sdf", strange)
    with pytest.raises(InputError, match="no folder"):
        write(tmp_path / "nowhere" / "a.xyz", strange)
    with pytest.raises(InputError, match="format to write"):
        write(tmp_path / "a.pdb", strange)
    assert list(tmp_path.iterdir()) == []
