"""QM7: 7,165 molecules of up to 7 heavy atoms (C N O S), PBE0 atomization energies, five folds.

Official file qm7.mat: X Coulomb matrices, R positions in Bohr, Z charges, T energies in kcal/mol
(negative = bound), P (5, 1433) the test rows of each fold.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from onekcal.data.dataset import Column, Dataset
from onekcal.data.splits import label_split
from onekcal.datasets.card import Card, Stored
from onekcal.datasets.mat_file import numeric_arrays
from onekcal.datasets.sets.gfn2_column import gfn2_column
from onekcal.datasets.source import Remote, Source
from onekcal.errors import DataError
from onekcal.molecules import Molecules
from onekcal.system.files import damage_refused
from onekcal.units import BOHR

CARD = Card(
    "qm7",
    "QM7: small organic molecules of GDB-13",
    licence="none stated by its authors; cite both papers",
    citation="Blum & Reymond, J. Am. Chem. Soc. 131, 8732 (2009); "
    "Rupp et al., Phys. Rev. Lett. 108, 058301 (2012)",
    level="pbe0",
    kind="atomization, electronic",
    molecules=7165,
    elements="H C N O S",
    splits="fold0 … fold4 (stratified, predefined)",
)


def source(name: str) -> Source:
    """Return the source of QM7.

    Parameters
    ----------
    name
        "qm7".
    """
    return Source(
        CARD,
        mirror=(
            Remote(
                "qm7.npz", sha256="eb7a76b210d6de371b036f691c0282dce6046e81a08e65fa96231dfdefb4611a"
            ),
            Remote(
                "qm7_gfn2.npz",
                sha256="d5b947350d0ded6834f3953c9ddd6af5fefb4ea3d491891d4ef0b1eadee7d77a",
                optional=True,
            ),
        ),
        read_mirror=read_mirror,
        official=(Remote("qm7.mat", "http://quantum-machine.org/data/qm7.mat"),),
        read_official=read_official,
    )


def read_mirror(folder: Path) -> Stored:
    """Read qm7.npz of a mirror, and GFN2-xTB energies where their file is there.

    Parameters
    ----------
    folder
        The folder that holds them.
    """
    with np.load(folder / "qm7.npz") as file:
        stored = _stored(file["Z"], file["R"], file["T"], file["P"])
    return gfn2_column(stored, folder / "qm7_gfn2.npz")


def read_official(folder: Path) -> Stored:
    """Read qm7.mat, whose positions are in Bohr.

    Parameters
    ----------
    folder
        The folder that holds it.
    """
    path = folder / "qm7.mat"
    with damage_refused(path, "a whole MATLAB file", "fetch it again"):
        file = numeric_arrays(path)
    if missing := [key for key in "ZRTP" if key not in file]:
        raise DataError(f"{path} must hold Z, R, T and P; {', '.join(missing)} missing")
    # T was published to 0.01 kcal/mol and is stored in single precision; rounding restores it
    energies = np.round(file["T"].ravel().astype(np.float64), 2)
    return _stored(file["Z"], file["R"].astype(np.float64) * BOHR, energies, file["P"])


def _stored(
    charges: np.ndarray, positions: np.ndarray, energies: np.ndarray, folds: np.ndarray
) -> Stored:
    count = len(charges)
    if not count == len(positions) == len(energies):
        raise DataError(
            f"qm7: {count} rows of charges, {len(positions)} of positions, {len(energies)} energies"
        )
    if sorted(folds.ravel().tolist()) != list(range(count)):
        raise DataError(
            f"qm7: the folds P must hold each row from 0 to {count - 1} once; these belong to "
            "other data"
        )
    molecules = Molecules.padded(
        charges.astype(np.int64), positions, [f"qm7 {m}" for m in range(count)]
    )
    columns = {"pbe0": Column(torch.from_numpy(energies.astype(np.float64)), level="pbe0")}
    splits = {
        f"fold{f}": label_split(count, test=rows.astype(np.int64)) for f, rows in enumerate(folds)
    }
    return Stored(Dataset(molecules, columns), splits, CARD)
