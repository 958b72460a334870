"""Archives of trajectories and isomers as published, on small files written here."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from onekcal import datasets as data
from onekcal.datasets.sets import iso17, md17
from onekcal.errors import DataError
from onekcal.units import EV
from support.archives import METHANE, add

# --- MD17, rMD17 ------------------------------------------------------------------------------

rng = np.random.default_rng(0)
FRAMES, PULL = METHANE + rng.normal(0, 0.05, (6, 5, 3)), rng.normal(0, 20, (6, 5, 3))
TOTALS = -25400 + rng.normal(0, 3, 6)
CHARGES = np.array([6, 1, 1, 1, 1], np.uint8)


def test_an_md17_trajectory_keeps_its_totals(tmp_path: Path) -> None:
    file = data.source("md17-ethanol").official[0].file
    np.savez(
        tmp_path / file,
        E=TOTALS[:, None],
        F=PULL,
        R=FRAMES,
        z=CHARGES,
        name="ethanol",
        theory="PBE+vdW-TS",
        type="d",
        md5="x",
    )
    read = data.source("md17-ethanol").read_official
    assert read is not None
    stored = read(tmp_path)
    columns = stored.dataset.columns
    assert set(columns) == {"pbe_ts", "pbe_ts_forces"}
    assert (columns["pbe_ts"].kind, columns["pbe_ts"].level) == ("total", "pbe+ts")
    np.testing.assert_array_equal(columns["pbe_ts"].values.numpy(), TOTALS)
    np.testing.assert_array_equal(columns["pbe_ts_forces"].values.numpy(), PULL.reshape(-1, 3))
    np.testing.assert_array_equal(stored.dataset.molecules.positions.numpy(), FRAMES.reshape(-1, 3))


def test_md17_files_are_named_as_their_authors_named_them() -> None:
    # two of the ten came later under another scheme, and benzene carries its year
    named = {
        name: data.source(f"md17-{name}").official[0].url.rsplit("/", 1)[-1]
        for name in md17.FORMULAS
    }
    assert named["aspirin"] == "md17_aspirin.npz"
    assert named["benzene"] == "md17_benzene2017.npz"
    assert named["azobenzene"] == "azobenzene_dft.npz"
    assert named["paracetamol"] == "paracetamol_dft.npz"


def rmd17_file(folder: Path, worst: int = 5) -> None:
    array = io.BytesIO()
    np.savez(
        array,
        nuclear_charges=CHARGES,
        coords=FRAMES,
        energies=TOTALS,
        forces=PULL,
        old_indices=np.arange(6),
        old_energies=TOTALS,
        old_forces=PULL,
    )
    with tarfile.open(folder / "rmd17.tar.bz2", "w:bz2") as tar:
        add(tar, "rmd17/readme.txt", b"five splits")
        add(tar, "rmd17/npz_data/rmd17_aspirin.npz", b"another molecule")
        add(tar, "rmd17/npz_data/rmd17_ethanol.npz", array.getvalue())
        for k in range(1, 6):
            add(tar, f"rmd17/splits/index_train_0{k}.csv", b"0\n2\n")
            add(
                tar,
                f"rmd17/splits/index_test_0{k}.csv",
                f"{k - 1 if k not in (1, 3) else 4}\n{worst}\n".encode(),
            )


def test_rmd17_is_read_out_of_its_archive_with_the_official_splits(tmp_path: Path) -> None:
    rmd17_file(tmp_path)
    read = data.source("rmd17-ethanol").read_official
    assert read is not None
    stored = read(tmp_path)
    assert stored.dataset.columns["pbe"].level == "pbe/def2-svp"
    np.testing.assert_array_equal(stored.dataset.columns["pbe"].values.numpy(), TOTALS)
    np.testing.assert_array_equal(
        stored.dataset.columns["pbe_forces"].values.numpy(), PULL.reshape(-1, 3)
    )
    assert list(stored.splits) == [f"split{k}" for k in range(1, 6)]
    assert stored.splits["split2"].tolist() == [0, 2, 0, 255, 255, 2]


def test_an_rmd17_split_of_other_data_is_refused(tmp_path: Path) -> None:
    rmd17_file(tmp_path, worst=6)
    read = data.source("rmd17-ethanol").read_official
    assert read is not None
    with pytest.raises(DataError, match="frame 6|row 6"):
        read(tmp_path)


# --- ISO17 ------------------------------------------------------------------------------------


def iso17_file(folder: Path, counts: dict[str, int], valid: str = "2\n") -> None:
    from ase import Atoms
    from ase.db import connect

    with tarfile.open(folder / "iso17.tar.gz", "w:gz") as tar:
        for part, count in counts.items():
            path = folder / f"{part}.db"
            with connect(path) as database:
                for k in range(count):
                    database.write(
                        Atoms(CHARGES, FRAMES[k]),
                        total_energy=-1100.0 - k,
                        data={"atomic_forces": PULL[k]},
                    )
            tar.add(path, f"iso17/{part}.db")
            path.unlink()
        add(tar, "iso17/train_ids.txt", b"1\n3\n")
        add(tar, "iso17/validation_ids.txt", valid.encode())


ISO = {"reference": 4, "reference_eq": 1, "test_within": 2, "test_other": 3, "test_eq": 1}


def test_iso17_partitions_become_splits_and_ev_becomes_kcal(tmp_path: Path) -> None:
    iso17_file(tmp_path, ISO)
    stored = iso17.read_official(tmp_path)
    assert len(stored.dataset) == sum(ISO.values())
    columns = stored.dataset.columns
    assert (columns["pbe_ts"].kind, columns["pbe_ts"].level) == ("total", "pbe+ts")
    assert float(columns["pbe_ts"].values[1]) == pytest.approx(-1101 * EV, rel=1e-14)
    np.testing.assert_allclose(
        columns["pbe_ts_forces"].values[:5].numpy(), PULL[0] * EV, rtol=1e-14
    )
    first = 0
    for part, count in ISO.items():
        rows = torch.arange(first, first + count)
        tested = [name for name, labels in stored.splits.items() if (labels[rows] == 2).all()]
        assert len(tested) == (0 if part == "reference" else 1), (part, tested)
        first += count
    for labels in stored.splits.values():
        assert labels[:4].tolist() == [0, 1, 0, 255]  # ids count from 1; row 4 is in neither list
        assert not (labels[4:] < 2).any()  # nothing outside `reference` is trained on


def test_iso17_ids_of_other_data_are_refused(tmp_path: Path) -> None:
    for ids in ("5\n", "0\n", "1\n"):  # beyond the last row; before the first; in train as well
        iso17_file(tmp_path, ISO, valid=ids)
        with pytest.raises(DataError):
            iso17.read_official(tmp_path)


def test_an_iso17_archive_without_a_partition_is_refused(tmp_path: Path) -> None:
    iso17_file(tmp_path, {k: v for k, v in ISO.items() if k != "test_other"})
    with pytest.raises(DataError, match=r"test_other\.db"):
        iso17.read_official(tmp_path)
