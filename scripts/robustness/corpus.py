"""Write one small file of every format that onekcal reads: python scripts/robustness/corpus.py DIR.

tests/old holds such a folder for each edition. It is written once and never again: the files must
stay readable, and the campaigns begin from them. Three files of other programs (`FOREIGN`) are
copied from the newest folder.
"""

from __future__ import annotations

import gzip
import io
import json
import shutil
import sys
import tarfile
from pathlib import Path

import numpy as np
import torch

from onekcal.data.dataset import Column, Dataset
from onekcal.datasets import store
from onekcal.datasets.card import Card, Stored
from onekcal.fields.compute import request
from onekcal.fields.cube_file import write_cube
from onekcal.fields.fill import fill
from onekcal.io import write
from onekcal.models.artefact import Artefact
from onekcal.models.registry import build
from onekcal.models.stack import Stack
from onekcal.molecules import Molecules
from onekcal.networks.training import checkpoint
from onekcal.trust.conformal import Conformal

ROOT = Path(__file__).parents[2]
EDITIONS = ROOT / "tests" / "old"
WATER = [[0.0, 0.0, 0.117], [0.0, 0.757, -0.469], [0.0, -0.757, -0.469]]
METHANE = 0.6296 * np.array([[0, 0, 0], [1, 1, 1], [-1, -1, 1], [-1, 1, -1], [1, -1, -1]])
CHARGES = np.array([6, 1, 1, 1, 1], np.uint8)
FOREIGN = ("lih.fchk", "h2.molden", "hydroxyl.wfx")
"""Written by other programs, or by their rules."""


def newest() -> Path:
    """Return the newest folder of old files."""
    return sorted(EDITIONS.glob("edition-*"))[-1]


def small() -> Dataset:
    """Water and methane with energies and forces."""
    molecules = Molecules.concatenate(
        [
            Molecules.one(["O", "H", "H"], WATER, name="water"),
            Molecules.one(["C", *"HHHH"], METHANE.tolist(), name="methane"),
        ]
    )
    pull = torch.zeros(8, 3, dtype=torch.float64)
    columns = {
        "energy": Column(torch.tensor([-232.6, -420.4], dtype=torch.float64), level="g4mp2"),
        "energy_forces": Column(pull, "forces", "g4mp2", unit="kcal/mol/Å"),
    }
    return Dataset(molecules, columns, "energy")


def molecules(folder: Path) -> None:
    """Files of molecules, and the stores of data sets and fields."""
    data = small()
    for name in ("molecules.xyz", "labels.extxyz", "molecules.sdf", "own.npz"):
        write(folder / name, data)
    (folder / "molecules.smi").write_text("O water\nCC ethane\n")
    (folder / "table.csv").write_text("id,smiles,energy\n7,O,-232.6\n8,CC,-710.6\n")
    np.savez(folder / "theirs.npz", Z=CHARGES, R=METHANE[None], E=[-420.4], F=0 * METHANE[None])
    splits = {"first": torch.tensor([0, 2], dtype=torch.uint8)}
    store.save(folder / "store.h5", Stored(data, splits, Card("small", title="two molecules")))
    fill(folder / "fields.h5", data.molecules, request(["nep"], n=4, box=6.0))
    values = np.random.default_rng(0).random((4, 4, 4))
    write_cube(folder / "field.cube", data.molecules[[0]], values, 6.0, "lol: water")


def models(folder: Path) -> None:
    """A model, a checkpoint of a training, and the files of a run."""
    stages = [("dressed_atoms", {}), ("baseline", {"method": "gfn2"})]
    data = small()
    fitted = Stack([build(name, settings) for name, settings in stages[:1]]).fit(data, data)
    scores = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)
    Artefact(
        stages[:1], fitted, "g4mp2", elements=[1, 6, 8], largest=5,
        calibration={"gfn2": Conformal(scores)}, geometry="gfn2",
    ).save(folder / "model.safetensors")  # fmt: skip
    header = checkpoint.Header(
        config={"epochs": 3}, epochs_done=1, steps=2, halved=False, seconds=0.1, best_epoch=1,
        schedule={}, history=[],
    )  # fmt: skip
    checkpoint.save(folder / "checkpoint.safetensors", {"weight": torch.ones(3)}, header)
    (folder / "experiment.yaml").write_text(
        "data: {set: mini, target: gfn2, train: 60, valid: 20}\nstages:\n  - dressed_atoms\n"
        "  - hipnn: {features: 8}\nfit: {epochs: 2, rate: 1e-3}\n"
    )
    (folder / "suite.yaml").write_text(
        "name: own\ntitle: A suite of one row\nrows:\n  - name: atoms\n    paper: {mae: 10.0}\n"
        "    experiment:\n      data: {set: mini, target: gfn2, train: 60}\n"
        "      stages: [dressed_atoms]\n"
    )
    np.savez(folder / "split.npz", train=[0, 1, 2], valid=[3], test=[4, 5])
    (folder / "metrics.json").write_text(json.dumps({"mae": 0.5, "train": 60, "test": 2}))
    (folder / "predictions.csv").write_text(
        "name,formula,atoms,reference,predicted,error\nwater,H2O,3,-232.6,-232.1,0.5\n"
    )


def records(folder: Path) -> None:
    """A computed molecule, a job of a queue, reactions, and what the web page is asked."""
    from onekcal.labels.computed import shipped

    record = next(one for one in shipped().values() if one["smiles"] == "[H][H]")
    (folder / "computed.json").write_text(json.dumps({"format": 1} | record))
    job = {"format": 1, "key": "a1", "name": "row", "kind": "row", "content": {}, "order": 1}
    (folder / "job.json").write_text(json.dumps(job))
    (folder / "reactions.txt").write_text("C=C + [H][H] >> CC\nhydrogen: 2 [H][H] + O=O >> 2 O\n")
    for name, body in {
        "predict": {"smiles": "CCO", "conformers": 3, "unit": "kJ/mol", "name": "ethanol"},
        "react": {"reaction": "C=C + [H][H] >> CC", "temperature": 300.0},
        "bonds": {"smiles": "CCO"},
        "jobs": {"predict": {"geometry": "1\n\nHe 0 0 0\n", "format": "xyz"}},
    }.items():
        (folder / f"{name}.json").write_text(json.dumps(body))


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    """Put one file into an archive."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def official(folder: Path) -> None:
    """Data sets as their authors publish them, a few molecules each."""
    rows = "".join(
        f"{'CHHHH'[k]}\t{x}\t{y}\t{z}\t-1.2*^-6\n" for k, (x, y, z) in enumerate(METHANE)
    )
    numbers = (
        "157.7118 157.70997 157.70699 0. 13.21 -0.3877 0.1171 0.5048 35.3641 0.044749 -40.47893 "
        "-40.476062 -40.475117 -40.498597 6.469"
    )
    with tarfile.open(folder / "dsgdb9nsd.xyz.tar.bz2", "w:bz2") as tar:
        for k in (1, 3):
            text = f"5\ngdb {k}\t{numbers}\n{rows}1341.307\nC\tC\nInChI=1S/CH4/h1H4\n"
            add(tar, f"dsgdb9nsd_{k:06d}.xyz", text.encode())
    (folder / "uncharacterized.txt").write_text("  58  NC(=N)N  NC(N)=N  C1CC1  0.1\n")
    frames = np.stack([METHANE, METHANE * 1.01])
    trajectory = io.BytesIO()
    np.savez(trajectory, nuclear_charges=CHARGES, coords=frames, energies=[-25400.0, -25399.0],
             forces=0 * frames)  # fmt: skip
    with tarfile.open(folder / "rmd17.tar.bz2", "w:bz2") as tar:
        add(tar, "rmd17/npz_data/rmd17_ethanol.npz", trajectory.getvalue())
        for k in range(1, 6):
            add(tar, f"rmd17/splits/index_train_0{k}.csv", b"0\n")
            add(tar, f"rmd17/splits/index_test_0{k}.csv", b"1\n")
    np.savez(folder / "md17.npz", E=[[-25400.0], [-25399.0]], F=0 * frames, R=frames, z=CHARGES)
    xyz = "5\nmethane\n" + "".join(
        f"{'CHHHH'[k]} {x} {y} {z}\n" for k, (x, y, z) in enumerate(METHANE)
    )
    lines = [
        {"index": k, "xyz": xyz, "u0": -40.47893, "g4mp2_0k": -40.428, "in_holdout": k == 1}
        for k in range(1, 14)
    ]
    with gzip.open(folder / "g4mp2_data.json.gz", "wt") as file:
        file.write("\n".join(map(json.dumps, lines)) + "\n")
    _matlab(folder / "qm7.mat")
    _databases(folder / "iso17.tar.gz")


def _matlab(path: Path) -> None:
    from scipy.io import savemat

    savemat(path, {
        "Z": np.tile(CHARGES.astype(np.float32), (5, 1)),
        "R": np.tile(METHANE / 0.529177, (5, 1, 1)).astype(np.float32),
        "T": np.float32([[-417.96] * 5]), "P": np.arange(5).reshape(5, 1),
    }, do_compression=True)  # fmt: skip


def _databases(path: Path) -> None:
    from ase import Atoms
    from ase.db import connect

    with tarfile.open(path, "w:gz") as tar:
        for part in ("reference", "reference_eq", "test_within", "test_other", "test_eq"):
            base = path.with_name(f"{part}.db")
            with connect(base) as database:
                for k in range(2):
                    database.write(Atoms(CHARGES, METHANE), total_energy=-1100.0 - k,
                                   data={"atomic_forces": 0 * METHANE})  # fmt: skip
            tar.add(base, f"iso17/{part}.db")
            base.unlink()
        add(tar, "iso17/train_ids.txt", b"1\n")
        add(tar, "iso17/validation_ids.txt", b"2\n")


def main(folder: Path) -> None:
    """Write all files."""
    before = newest() if any(EDITIONS.glob("edition-*")) else None
    folder.mkdir(parents=True)
    for part in (molecules, models, records, official):
        part(folder)
    for name in FOREIGN if before else ():
        shutil.copy(before / name, folder / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
