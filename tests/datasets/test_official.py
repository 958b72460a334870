"""Importers of the official formats, on small files written here in exactly those formats."""

from __future__ import annotations

import gzip
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat

from onekcal import datasets as data
from onekcal.datasets.sets import qm7, qm9, qm9_g4mp2
from onekcal.errors import DataError, InputError, OnekcalError
from onekcal.units import BOHR, HARTREE
from support.archives import ATOMS, G4, METHANE, add

# --- QM7 --------------------------------------------------------------------------------------


def qm7_file(folder: Path, **changes: object) -> Path:
    charges = np.zeros((10, 23), np.float32)
    charges[:, :5] = [6, 1, 1, 1, 1]
    positions = np.zeros((10, 23, 3), np.float32)
    positions[:, :5] = METHANE / BOHR
    content = {
        "X": np.zeros((10, 23, 23), np.float32),
        "R": positions,
        "Z": charges,
        "T": np.float32([[-417.96 + k for k in range(10)]]),
        "P": np.arange(10)[::-1].reshape(5, 2),
    }
    content = {key: value for key, value in {**content, **changes}.items() if value is not None}
    savemat(folder / "qm7.mat", content)
    return folder / "qm7.mat"


def test_qm7_is_read_from_bohr_with_its_folds(tmp_path: Path) -> None:
    qm7_file(tmp_path)
    stored = qm7.read_official(tmp_path)
    column = stored.dataset.columns["pbe0"]
    assert (column.level, column.kind, column.at, column.unit) == (
        "pbe0",
        "atomization",
        "electronic",
        "kcal/mol",
    )
    # published to 0.01 and stored in single precision (3e-5 at 418): the published number comes
    # back
    assert float(column.values[0]) == -417.96
    assert stored.dataset.molecules.formulas == ["CH4"] * 10
    # single precision of the file: 1e-7 of 1 Å
    np.testing.assert_allclose(stored.dataset.molecules.positions[:5].numpy(), METHANE, atol=3e-7)
    assert list(stored.splits) == [f"fold{k}" for k in range(5)]
    assert torch.nonzero(stored.splits["fold0"] == 2).flatten().tolist() == [8, 9]
    tested = torch.stack([labels == 2 for labels in stored.splits.values()]).sum(0)
    assert (tested == 1).all()


@pytest.mark.parametrize(
    "change",
    [
        {"P": None},
        {"T": np.float32([[-417.0]])},
        {"P": np.arange(10, 20).reshape(5, 2)},
        {"P": np.zeros((5, 2), int)},
    ],
    ids=["no folds", "one energy", "rows of other data", "a row twice"],
)
def test_a_qm7_file_that_does_not_fit_together_is_refused(tmp_path: Path, change: dict) -> None:
    qm7_file(tmp_path, **change)
    with pytest.raises(DataError) as caught:
        qm7.read_official(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_matlab_file_is_a_data_error(tmp_path: Path) -> None:
    for content in (b"", b"<html>not found</html>" * 20, qm7_file(tmp_path).read_bytes()[:3000]):
        (tmp_path / "qm7.mat").write_bytes(content)
        with pytest.raises(DataError, match=r"qm7\.mat"):
            qm7.read_official(tmp_path)


# --- QM9 --------------------------------------------------------------------------------------

PROPERTIES = (
    "157.7118 157.70997 157.70699 0. 13.21 -0.3877 0.1171 0.5048 35.3641 0.044749 {u0} -40.476062 "
    "-40.475117 -40.498597 6.469"
)


def gdb(index: int, u0: float = -40.47893) -> bytes:
    """One molecule as the archive has it: tabs, a number with *^, frequencies, SMILES, InChI."""
    lines = ["5", f"gdb {index}\t" + "\t".join(PROPERTIES.format(u0=u0).split()) + "\t"]
    for k, (x, y, z) in enumerate(METHANE):
        lines.append(
            f"{'C' if k == 0 else 'H'}\t{x} \t{y}\t {z if k != 2 else '6.3*^-1'}\t-1.2*^-6"
        )
    lines += ["1341.307\t1341.3284", "C\tC\t", "InChI=1S/CH4/h1H4\tInChI=1S/CH4/h1H4", ""]
    return "\n".join(lines).encode()


UNCHARACTERIZED = (
    "There are 3 molecules\n\n  that failed the 1st check\n" + "=" * 40 + "\n"
    " Index  GDB17  SMILES  relaxed  distance\n" + "-" * 40 + "\n"
    "    58  NC(=N)N   NC(N)=N  C1CC1  0.1\n   230  C#CC  CC#C   C#CC  0.2\n   241  CCO  CCO  "
    "C(C)O  0.3\n" + "-" * 40 + "\n  3 compounds\n"
)


def qm9_files(folder: Path, entries: dict[str, bytes] | None = None) -> None:
    entries = entries or {f"dsgdb9nsd_{i:06d}.xyz": gdb(i) for i in (1, 3, 58, 6620)}
    with tarfile.open(folder / "dsgdb9nsd.xyz.tar.bz2", "w:bz2") as tar:
        for name, content in entries.items():
            add(tar, name, content)
    (folder / "uncharacterized.txt").write_text(UNCHARACTERIZED)


def test_qm9_is_read_with_its_properties_and_without_the_uncharacterized(tmp_path: Path) -> None:
    qm9_files(tmp_path)
    stored = qm9.read_official(tmp_path)
    # 58 is uncharacterized; 3 is not, although the list ends with the line "3 compounds"
    assert list(stored.dataset.molecules.names) == ["gdb 1", "gdb 3", "gdb 6620"]
    np.testing.assert_allclose(stored.dataset.molecules.positions[:5].numpy(), METHANE, atol=1e-12)
    columns = stored.dataset.columns
    expected = (-40.47893 - ATOMS["C"] - 4 * ATOMS["H"]) * HARTREE  # −395.9999 kcal/mol
    # 40 Hartree to 1e-16 relative, times 627: 1e-11 kcal/mol
    assert float(columns["b3lyp"].values[0]) == pytest.approx(expected, abs=1e-9)
    assert (columns["b3lyp"].kind, columns["b3lyp"].at, columns["b3lyp"].level) == (
        "atomization",
        "0 K",
        "b3lyp/6-31g(2df,p)",
    )
    names = [
        "A",
        "B",
        "C",
        "mu",
        "alpha",
        "homo",
        "lumo",
        "gap",
        "r2",
        "zpve",
        "U0",
        "U",
        "H",
        "G",
        "Cv",
    ]
    published = [float(word) for word in PROPERTIES.format(u0=-40.47893).split()]
    for name, value in zip(names, published):
        column = columns[name]
        factor = HARTREE if column.unit == "kcal/mol" else 1.0
        assert float(column.values[0]) == pytest.approx(value * factor, rel=1e-12), name
        assert column.unit, name


def test_strict_drops_the_relaxations_that_failed(tmp_path: Path) -> None:
    qm9_files(tmp_path)
    stored = qm9.read_official(tmp_path)
    kept = data.source("qm9").strict(stored)
    assert list(kept.dataset.molecules.names) == ["gdb 1", "gdb 3"]


def test_an_energy_of_another_unit_is_refused(tmp_path: Path) -> None:
    qm9_files(tmp_path, {"dsgdb9nsd_000001.xyz": gdb(1, u0=-40.47893 * 27.2114)})
    with pytest.raises(DataError, match="check the unit"):
        qm9.read_official(tmp_path)


@pytest.mark.parametrize(
    "content",
    [b"", b"5\ngdb 1\t1.0\n", gdb(1)[:200], gdb(1).replace(b"C\t0", b"Q\t0")],
    ids=["empty", "few properties", "cut off", "no element"],
)
def test_a_broken_member_of_the_qm9_archive_is_named(tmp_path: Path, content: bytes) -> None:
    qm9_files(tmp_path, {"dsgdb9nsd_000007.xyz": content})
    with pytest.raises(DataError, match="dsgdb9nsd_000007"):
        qm9.read_official(tmp_path)


def test_a_cut_archive_is_a_data_error(tmp_path: Path) -> None:
    qm9_files(tmp_path)
    path = tmp_path / "dsgdb9nsd.xyz.tar.bz2"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"tar\.bz2 is damaged"):
        qm9.read_official(tmp_path)


# --- QM9-G4MP2 --------------------------------------------------------------------------------


def record(index: int, holdout: bool) -> dict:
    xyz = '5\nProperties=species:S:1:pos:R:3 pbc="F F F"\n' + "\n".join(
        f"{'C' if k == 0 else 'H'} {x:.8f} {y:.8f} {z:.8f}" for k, (x, y, z) in enumerate(METHANE)
    )
    return {
        "index": index,
        "xyz": xyz + "\n",
        "smiles_0": "C",
        "u0": -40.47893,
        "g4mp2_0k": -40.428,
        "n_atom": 5,
        "g4mp2_hf298": -17.9,
        "in_holdout": holdout,
        "filename": f"dsgdb9nsd_{index:06d}.xyz",
    }


def g4mp2_file(folder: Path, records: list[dict]) -> Path:
    with gzip.open(folder / "g4mp2_data.json.gz", "wt") as file:
        file.write("\n".join(json.dumps(r) for r in records) + "\n")
    return folder / "g4mp2_data.json.gz"


def test_g4mp2_records_become_atomization_energies_of_both_levels(tmp_path: Path) -> None:
    g4mp2_file(
        tmp_path,
        [record(1, False), record(6620, True), *(record(k, False) for k in range(7000, 7020))],
    )
    stored = qm9_g4mp2.read_official(tmp_path)
    columns = stored.dataset.columns
    assert float(columns["g4mp2"].values[0]) == pytest.approx(
        (-40.428 - G4["C"] - 4 * G4["H"]) * HARTREE, abs=1e-9
    )
    assert float(columns["b3lyp"].values[0]) == pytest.approx(
        (-40.47893 - ATOMS["C"] - 4 * ATOMS["H"]) * HARTREE, abs=1e-9
    )
    assert (columns["g4mp2"].level, columns["g4mp2"].at) == ("g4mp2", "0 K")
    assert stored.splits["ward"][1] == 2
    assert int((stored.splits["ward"] == 2).sum()) == 1
    names = list(stored.dataset.molecules.names)
    assert names[0].split()[:2] == ["gdb", "1"]
    strict = data.source("qm9-g4mp2").strict(
        stored
    )  # the official file must be as strict as the mirror's
    assert len(strict.dataset) == len(stored.dataset) - 1


def test_a_g4mp2_record_without_a_field_is_named_by_its_line(tmp_path: Path) -> None:
    g4mp2_file(
        tmp_path, [record(1, False), {k: v for k, v in record(2, False).items() if k != "g4mp2_0k"}]
    )
    with pytest.raises(DataError, match="record 2.*g4mp2_0k"):
        qm9_g4mp2.read_official(tmp_path)


# --- into the store ---------------------------------------------------------------------------


def test_an_official_file_on_disk_is_imported_and_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONEKCAL_HOME", str(tmp_path / "home"))
    assert not data.is_here("qm7")
    path = data.import_file(qm7_file(tmp_path), "qm7")
    assert path.is_file()
    assert data.is_here("qm7")
    assert len(data.load("qm7").dataset) == 10
    assert {p.name for p in (tmp_path / "home").rglob("*") if p.is_file()} == {"qm7.h5"}


def test_an_import_under_a_taken_name_asks_for_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONEKCAL_HOME", str(tmp_path / "home"))
    qm7_file(tmp_path)
    (tmp_path / "mine.xyz").write_text("1\n\nHe 0 0 0\n")
    with pytest.raises(OnekcalError, match="qm7.mat"):
        data.import_file(tmp_path / "mine.xyz", "qm7")
    assert not data.is_here("qm7")
    data.import_file(tmp_path / "mine.xyz", "water-scan")
    (tmp_path / "other.xyz").write_text("1\n\nNe 0 0 0\n")
    with pytest.raises(
        InputError, match="the store has a data set water-scan already .*--force replaces it"
    ):
        data.import_file(tmp_path / "other.xyz", "water-scan")
    assert data.load("water-scan").dataset.molecules.formulas == ["He"]
    data.import_file(tmp_path / "other.xyz", "water-scan", force=True)
    assert data.load("water-scan").dataset.molecules.formulas == ["Ne"]
    assert data.imported() == ["water-scan"]
    assert data.card("water-scan").title == "imported from other.xyz"
    with pytest.raises(DataError, match="did you mean 'water-scan'"):
        data.load("water-scn")
