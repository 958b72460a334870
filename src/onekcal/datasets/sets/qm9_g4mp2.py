"""QM9-G4MP2: G4(MP2) energies of 130,258 QM9 molecules, and Ward's hold-out of 13,026.

Official file g4mp2_data.json.gz: one JSON record a line, with `xyz` (Å), `smiles_0`, `u0` and
`g4mp2_0k` (Hartree at 0 K, zero-point energy included), `in_holdout` and QM9's `index`. The
validation part of the split `ward` is a seeded draw of 10 % of what is not held out; it is drawn
here the same way.

`qm9-g4mp2-relaxed` holds the same labels at geometries a user can have: 25,000 molecules relaxed
with GFN2-xTB.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypedDict

import numpy as np
import torch

from onekcal.data.dataset import Column, Dataset
from onekcal.data.splits import label_split
from onekcal.datasets.card import Card, Stored
from onekcal.datasets.sets import qm9
from onekcal.datasets.source import Remote, Source
from onekcal.energies import FREE_ATOMS, FreeAtoms, atomization
from onekcal.errors import DataError, in_short
from onekcal.molecules import Molecules, charge_of
from onekcal.units import HARTREE

CITATION = (
    "Narayanan, Redfern, Assary, Curtiss, Chem. Sci. 10, 7449 (2019); Ward, Blaiszik, Foster, "
    "Assary, Narayanan, Curtiss, MRS Commun. 9, 891 (2019); and QM9's"
)
CARD = Card(
    "qm9-g4mp2",
    "G4(MP2) energies of 130 thousand QM9 molecules",
    licence="CC0 geometries; labels as published, cite both",
    citation=CITATION,
    level="g4mp2; b3lyp/6-31g(2df,p)",
    kind="atomization at 0 K, zero-point energy included",
    molecules=130258,
    elements="H C N O F",
    splits="ward: 105,508 train, 11,724 valid, 13,026 hold-out",
)
RELAXED = Card(
    "qm9-g4mp2-relaxed",
    "the same labels at GFN2-xTB geometries",
    licence=CARD.licence,
    citation=CITATION,
    level=CARD.level,
    kind=CARD.kind,
    molecules=24949,
    elements="H C N O F",
    splits="ward: random parts of its train, valid and hold-out",
    notes="gfn2 is the energy at the relaxed geometry; "
    "b3lyp and g4mp2 belong to the B3LYP geometry",
)
LABELS = Remote(
    "qm9_g4mp2_labels.npz",
    sha256="a3d0f5adb5ee223f2dca27f2f7f6049643324f252570977e56b094561f6d2b33",
)
ATOMS = replace(qm9.GFN2, optional=False)
"""The relaxed set takes its free atoms from this file, so it is not optional there."""
GEOMETRIES = Remote(
    "qm9_gfn2_relaxed.npz",
    sha256="81182d338f65afe0573e2b7da5f4f438d4c429701333ad5f2e15652535736b82",
)
OFFICIAL = Remote(
    "g4mp2_data.json.gz",
    "https://github.com/globus-labs/g4mp2-atomization-energy/raw/master/data/output/"
    "g4mp2_data.json.gz",
)


def source(name: str) -> Source:
    """Return the source of the labels at B3LYP geometries.

    Parameters
    ----------
    name
        "qm9-g4mp2".
    """
    return Source(
        CARD,
        (qm9.QM9, LABELS, qm9.GFN2),
        read_mirror,
        (OFFICIAL,),
        read_official,
        qm9.RELAXATION_FAILED,
    )


def relaxed(name: str) -> Source:
    """Return the source of the labels at GFN2-xTB geometries.

    Parameters
    ----------
    name
        "qm9-g4mp2-relaxed".
    """
    return Source(
        RELAXED,
        (qm9.QM9, LABELS, ATOMS, GEOMETRIES),
        read_relaxed,
        relaxation_failed=qm9.RELAXATION_FAILED,
    )


def read_mirror(folder: Path) -> Stored:
    """Read geometries, labels and, where their file is there, GFN2-xTB energies of a mirror.

    Parameters
    ----------
    folder
        The folder that holds qm9.npz, qm9_g4mp2_labels.npz and maybe qm9_gfn2.npz.
    """
    everything = qm9.read_mirror(folder)
    with np.load(folder / LABELS.file) as file:
        rows = file["qm9_row"]
        bound = {"g4mp2": file["AE_g4mp2"], "b3lyp": file["AE_b3lyp"]}
        split = torch.from_numpy(file["split"].astype(np.uint8))
    part = everything.kept(rows)
    columns = {
        name: Column(torch.from_numpy(values), level=level, at="0 K")
        for (name, values), level in zip(bound.items(), ("g4mp2", qm9.LEVEL))
    }
    if "gfn2" in part.dataset.columns:
        columns["gfn2"] = part.dataset.columns["gfn2"]
    return Stored(Dataset(part.dataset.molecules, columns), {"ward": split}, CARD)


def read_relaxed(folder: Path) -> Stored:
    """Read the molecules of qm9_gfn2_relaxed.npz whose relaxation converged.

    Parameters
    ----------
    folder
        The folder that holds it and the files of `read_mirror`.
    """
    everything = read_mirror(folder)
    with np.load(folder / GEOMETRIES.file) as file:
        converged = file["steps"] >= 0
        ids, offsets, places, totals = file["id"], file["offsets"], file["R"], file["E_Ha"]
    row = {name: m for m, name in enumerate(everything.dataset.molecules.names)}
    part = everything.kept(np.array([row[f"gdb {i}"] for i in ids]))
    molecules = part.dataset.molecules
    if not np.array_equal(molecules.offsets.numpy(), offsets):
        raise DataError(
            f"{GEOMETRIES.file} and {qm9.QM9.file} disagree on the number of atoms of a molecule"
        )
    molecules = molecules.moved(torch.from_numpy(places.astype(np.float64)))
    with np.load(folder / qm9.GFN2.file) as file:
        atoms = FreeAtoms(
            "gfn2-xtb", dict(zip(file["atom_Z"].tolist(), file["atom_E"].tolist())), qm9.GFN2.file
        )
    gfn2 = Column(
        atomization(torch.from_numpy(totals) * HARTREE, molecules, atoms),
        level="gfn2-xtb",
        note="at the GFN2-xTB geometry",
    )
    columns = {**part.dataset.columns, "gfn2": gfn2}
    return Stored(Dataset(molecules, columns), part.splits, RELAXED).kept(converged)


def read_official(folder: Path) -> Stored:
    """Read g4mp2_data.json.gz, one record after the other.

    Parameters
    ----------
    folder
        The folder that holds it.
    """
    names, parts, holdout = [], [], []
    totals: dict[str, list[float]] = {"g4mp2": [], "b3lyp": []}
    for number, record in _records(folder / OFFICIAL.file):
        try:
            parts.append(_molecule(record["xyz"]))
            totals["g4mp2"].append(float(record["g4mp2_0k"]))
            totals["b3lyp"].append(float(record["u0"]))
            holdout.append(bool(record["in_holdout"]))
            names.append(f"gdb {int(record['index'])}")
        except (KeyError, ValueError, IndexError, TypeError) as problem:
            raise DataError(
                f"{OFFICIAL.file}: record {number} is not in the format of QM9-G4MP2 "
                f"({in_short(repr(problem))})"
            ) from None
    if not parts:
        raise DataError(f"{OFFICIAL.file} holds no molecules")
    molecules = _joined(parts, names)
    columns = {
        name: Column(
            atomization(
                torch.tensor(values, dtype=torch.float64) * HARTREE, molecules, FREE_ATOMS[level]
            ),
            level=level,
            at="0 K",
        )
        for (name, values), level in zip(totals.items(), ("g4mp2", qm9.LEVEL))
    }
    return Stored(Dataset(molecules, columns), {"ward": ward(np.array(holdout))}, CARD)


def ward(holdout: np.ndarray, seed: int = 1) -> torch.Tensor:
    """Return the labels of Ward's split.

    Parameters
    ----------
    holdout
        (M,) bool, the test part.
    seed
        Seed of the draw of the validation part, a tenth of the rest.

    Returns
    -------
    Tensor
        (M,) labels.
    """
    from sklearn.model_selection import train_test_split

    rest = np.flatnonzero(~holdout)
    train, valid = (
        train_test_split(rest, test_size=0.1, random_state=seed)
        if len(rest) > 1
        else (rest, rest[:0])
    )
    return label_split(len(holdout), np.flatnonzero(holdout), train, valid)


class _Line(TypedDict):
    xyz: str
    g4mp2_0k: float
    u0: float
    in_holdout: bool
    index: int


def _records(path: Path) -> Iterator[tuple[int, _Line]]:
    """Give the number and the content of each line."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield number, json.loads(line)
    except (EOFError, gzip.BadGzipFile, json.JSONDecodeError, UnicodeDecodeError) as problem:
        raise DataError(f"{path} is damaged ({in_short(problem)}); fetch it again") from None


def _molecule(xyz: str) -> tuple[list[int], list[list[float]]]:
    """Charges and positions (Å) of an xyz text."""
    lines = xyz.splitlines()
    rows = [line.split() for line in lines[2 : 2 + int(lines[0])]]
    return [charge_of(row[0]) for row in rows], [[float(x) for x in row[1:4]] for row in rows]


def _joined(parts: list[tuple[list[int], list[list[float]]]], names: list[str]) -> Molecules:
    """Return one batch, without a `Molecules` for each of 130,000 first."""
    sizes = torch.tensor([0, *(len(charges) for charges, _ in parts)])
    return Molecules(
        torch.tensor([z for charges, _ in parts for z in charges]),
        torch.tensor([r for _, places in parts for r in places], dtype=torch.float64),
        sizes.cumsum(0),
        name=np.array(names),
    )
