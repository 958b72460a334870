"""`qm9-small`: 1,499 molecules of QM9 that ship with the package, at GFN2-xTB geometries.

Made by `scripts/make_qm9_small.py`: a random sample of the molecules with up to seven heavy atoms.
The energies are QM9's, B3LYP/6-31G(2df,p) at 0 K. The geometries are minima of GFN2-xTB, like those
that onekcal makes from a SMILES.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from onekcal.data.dataset import Column, Dataset
from onekcal.datasets.card import Card, Stored
from onekcal.datasets.fetch import sha256
from onekcal.datasets.sets import qm9
from onekcal.datasets.source import Source
from onekcal.molecules import Molecules

FILE = "qm9_small.npz"
CARD = Card(
    "qm9-small",
    "1,499 molecules of QM9 with up to seven heavy atoms, GFN2-xTB relaxed",
    licence=qm9.CARD.licence,
    citation=qm9.CARD.citation,
    level=f"{qm9.LEVEL}; gfn2-xtb",
    kind=qm9.CARD.kind,
    molecules=1499,
    elements="H C N O F",
    splits="none; random with a seed",
    notes="b3lyp belongs to the B3LYP geometry; gfn2 is the electronic energy at the geometry here",
)


def source(name: str) -> Source:
    """Return the source of the set.

    Parameters
    ----------
    name
        "qm9-small".
    """
    return Source(CARD, read_mirror=read)


def read(folder: Path) -> Stored:
    """Read the file of the package.

    Parameters
    ----------
    folder
        The folder that holds qm9_small.npz.
    """
    with np.load(folder / FILE, allow_pickle=False) as file:
        molecules = Molecules(
            torch.from_numpy(file["Z"].astype(np.int64)),
            torch.from_numpy(file["R"].astype(np.float64)),
            torch.from_numpy(file["offsets"].astype(np.int64)),
            name=np.array([f"gdb {n}" for n in file["gdb"]]),
        )
        gfn2, b3lyp = (torch.from_numpy(file[f"E_{name}"]) for name in ("gfn2", "b3lyp"))
    columns = {
        "gfn2": Column(gfn2, level="gfn2-xtb"),
        "b3lyp": Column(b3lyp, level=qm9.LEVEL, at="0 K", own_geometry=False),
    }
    return Stored(Dataset(molecules, columns), card=CARD, digest=sha256(folder / FILE))
