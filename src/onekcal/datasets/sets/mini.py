"""`mini`: small molecules that ship with the package; `mini-frames`: displaced, with forces.

Made by `scripts/make_mini.py`: molecules of up to six heavy atoms (and a few well-known larger
ones), one conformer each relaxed with GFN2-xTB, energies with GFN2-xTB and B3LYP/6-31G (density
fitting), both electronic, relative to free atoms.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from onekcal.data.dataset import Column, Dataset
from onekcal.data.splits import TEST, TRAIN, VALID
from onekcal.datasets.card import Card, Stored
from onekcal.datasets.fetch import sha256
from onekcal.datasets.source import Source
from onekcal.energies import FreeAtoms, atomization
from onekcal.errors import DataError
from onekcal.molecules import Molecules
from onekcal.units import BOHR, HARTREE

LEVELS = {"gfn2": "gfn2-xtb", "b3lyp": "b3lyp/6-31g df"}


def molecules(name: str) -> Source:
    """Return the source of 1,042 relaxed molecules.

    Parameters
    ----------
    name
        "mini".
    """
    card = _card(name, "small molecules, GFN2-xTB relaxed", "random (80 / 10 / 10)")
    return Source(card, read_mirror=lambda folder: _read(folder / "mini.npz", card, frames=False))


def frames(name: str) -> Source:
    """Return the source of 24 molecules with fifteen displaced frames each, with forces.

    Parameters
    ----------
    name
        "mini-frames".
    """
    card = _card(
        name,
        "displaced frames of small molecules, with forces",
        "random; parents (whole molecules are held out)",
    )
    return Source(card, read_mirror=lambda folder: _read(folder / "mini.npz", card, frames=True))


def _card(name: str, title: str, splits: str) -> Card:
    return Card(
        name,
        title,
        licence="MIT (made for onekcal)",
        citation="scripts/make_mini.py",
        level="b3lyp/6-31g df; gfn2-xtb",
        kind="atomization, electronic",
        molecules=360 if "frames" in name else COUNT,
        elements="H C N O F S",
        splits=splits,
        notes="B3LYP/6-31G has no polarisation functions: a teaching level, "
        "not a reference for chemistry.",
    )


COUNT = 1042
"""Molecules in mini.npz. A test compares it with the file."""


def _read(path: Path, card: Card, frames: bool) -> Stored:
    if not path.is_file():
        raise DataError(
            f"there is no {path}; reinstall onekcal, or rebuild it with scripts/make_mini.py"
        )
    with np.load(path, allow_pickle=False) as file:
        data = {key: file[key] for key in file.files}
    everything = Molecules(
        torch.from_numpy(data["Z"].astype(np.int64)),
        torch.from_numpy(data["R"].astype(np.float64)),
        torch.from_numpy(data["offsets"].astype(np.int64)),
        name=data["smiles"],
    )
    moved = data["frame_of"] >= 0
    rows = np.flatnonzero(moved == frames)
    chosen = everything[rows]
    columns = {}
    for name, level in LEVELS.items():
        atoms = FreeAtoms(
            level, dict(zip(data["atom_Z"].tolist(), data[f"atom_{name}"].tolist())), "mini.npz"
        )
        totals = torch.from_numpy(data[f"E_{name}"][rows]) * HARTREE
        columns[name] = Column(atomization(totals, chosen, atoms), level=level)
        if frames:
            forces = torch.from_numpy(data[f"F_{name}"].astype(np.float64)) * (HARTREE / BOHR)
            columns[f"{name}_forces"] = Column(forces, "forces", level, unit="kcal/mol/Å")
    splits = {"random": _shuffled(len(rows))}
    if frames:
        _, parent = np.unique(data["frame_of"][rows], return_inverse=True)
        splits["parents"] = _shuffled(int(parent.max()) + 1)[torch.from_numpy(parent)]
    return Stored(Dataset(chosen, columns), splits, card, digest=sha256(path))


def _shuffled(count: int) -> torch.Tensor:
    """(count,) labels: 80 / 10 / 10, the same on every machine."""
    order = np.random.default_rng(7).permutation(count)
    labels = np.full(count, TRAIN, np.uint8)
    labels[order[: count // 10]] = TEST
    labels[order[count // 10 : count // 5]] = VALID
    return torch.from_numpy(labels)
