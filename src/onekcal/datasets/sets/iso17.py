"""ISO17: molecular dynamics of 129 isomers of C7O2H10, PBE+TS energies and forces.

Official file iso17.tar.gz: ASE databases reference.db (with train_ids.txt and validation_ids.txt),
reference_eq.db, test_within.db, test_other.db and test_eq.db; `total_energy` in eV as a key,
`atomic_forces` in eV/Å as data.

The five partitions become four splits. `within` and `other` train on reference and test on unseen
steps of known isomers or on unknown isomers; `reference_eq` and `test_eq` test on the equilibrium
geometries of either.
"""

from __future__ import annotations

import shutil
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import torch

from onekcal.data.dataset import Column, Dataset
from onekcal.data.splits import TEST, UNUSED, label_split
from onekcal.datasets.card import Card, Stored
from onekcal.datasets.source import Remote, Source
from onekcal.errors import DataError, in_short
from onekcal.molecules import Molecules
from onekcal.units import EV

PARTITIONS = ("reference", "reference_eq", "test_within", "test_other", "test_eq")
SPLITS = {
    "within": "test_within",
    "other": "test_other",
    "reference_eq": "reference_eq",
    "test_eq": "test_eq",
}
IDS = ("train_ids.txt", "validation_ids.txt")
ARCHIVE = "iso17.tar.gz"
CARD = Card(
    "iso17",
    "ISO17: dynamics of isomers of C7O2H10",
    licence="none stated by its authors; cite the papers",
    citation="Schütt et al., NeurIPS 30 (2017), arXiv:1706.08566; "
    "Schütt et al., Nat. Commun. 8, 13890 (2017)",
    level="pbe+ts",
    kind="total, electronic",
    molecules=645000,
    elements="H C O",
    splits="within, other, reference_eq, test_eq (reference trains, with its own validation part)",
)


def source(name: str) -> Source:
    """Return the source of ISO17.

    Parameters
    ----------
    name
        "iso17".
    """
    return Source(
        CARD,
        official=(Remote(ARCHIVE, "http://quantum-machine.org/datasets/iso17.tar.gz"),),
        read_official=read_official,
    )


def read_official(folder: Path) -> Stored:
    """Read iso17.tar.gz. It is unpacked into a temporary folder, because a database must be a file.

    Parameters
    ----------
    folder
        The folder that holds it.
    """
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        try:
            files = _unpacked(folder / ARCHIVE, Path(scratch))
        except (tarfile.TarError, EOFError, OSError) as problem:
            raise DataError(
                f"{folder / ARCHIVE} is damaged ({in_short(problem)}); fetch it again"
            ) from None
        missing = [f"{part}.db" for part in PARTITIONS if f"{part}.db" not in files]
        if missing:
            raise DataError(f"{ARCHIVE} lacks {', '.join(missing)}")
        parts = {part: _database(files[f"{part}.db"]) for part in PARTITIONS}
        train, valid = (_ids(files.get(name)) for name in IDS)
    return _stored(parts, train, valid)


def _unpacked(archive: Path, folder: Path) -> dict[str, Path]:
    """Write only the files wanted, by their names, from any folder of the archive."""
    wanted, files = {*(f"{part}.db" for part in PARTITIONS), *IDS}, {}
    with tarfile.open(archive) as tar:
        for member in tar:
            name = Path(member.name).name
            content = tar.extractfile(member) if name in wanted and member.isfile() else None
            if content is not None:
                files[name] = folder / name
                with files[name].open("wb") as file:
                    shutil.copyfileobj(content, file)
    return files


Rows = list[tuple[np.ndarray, np.ndarray, float, np.ndarray]]


def _database(path: Path) -> Rows:
    """Charges, positions (Å), energy (eV) and forces (eV/Å) of each row."""
    from ase.db import connect

    out = []
    with connect(path) as database:
        for row in database.select():
            try:
                forces = np.asarray(row.data["atomic_forces"], dtype=np.float64)
                out.append((row.numbers, row.positions, float(row["total_energy"]), forces))
            except (KeyError, AttributeError):
                raise DataError(
                    f"{path.name}: row {row.id} has no total_energy or no atomic_forces"
                ) from None
    return out


def _ids(path: Path | None) -> set[int]:
    """Row ids of reference.db, counted from 1 as ASE does; empty where the file is absent."""
    return (
        set()
        if path is None
        else {int(word) for word in path.read_text(encoding="utf-8").replace(",", " ").split()}
    )


def _stored(parts: dict[str, Rows], train: set[int], valid: set[int]) -> Stored:
    frames = [frame for part in PARTITIONS for frame in parts[part]]
    sizes = torch.tensor([0, *(len(frame[0]) for frame in frames)])
    molecules = Molecules(
        torch.from_numpy(np.concatenate([frame[0] for frame in frames]).astype(np.int64)),
        torch.from_numpy(np.concatenate([frame[1] for frame in frames]).astype(np.float64)),
        sizes.cumsum(0),
        name=np.array(
            [f"{part} {k}" for part in PARTITIONS for k in range(1, len(parts[part]) + 1)]
        ),
    )
    columns = {
        "pbe_ts": Column(
            torch.tensor([f[2] for f in frames], dtype=torch.float64) * EV,
            level="pbe+ts",
            kind="total",
        ),
        "pbe_ts_forces": Column(
            torch.from_numpy(np.concatenate([f[3] for f in frames])) * EV,
            "forces",
            "pbe+ts",
            unit="kcal/mol/Å",
        ),
    }
    part = np.repeat(np.arange(len(PARTITIONS)), [len(parts[p]) for p in PARTITIONS])
    rows = [np.array(sorted(ids), np.int64) - 1 for ids in (train, valid)]
    first = label_split(len(parts["reference"]), [], rows[0] if train else None, rows[1]).numpy()
    splits = {}
    for name, tested in SPLITS.items():
        labels = np.full(len(frames), UNUSED, np.uint8)
        labels[: len(first)] = first
        labels[part == PARTITIONS.index(tested)] = TEST
        splits[name] = torch.from_numpy(labels)
    return Stored(Dataset(molecules, columns), splits, CARD)
