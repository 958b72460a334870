"""What published archives are made of in tests."""

from __future__ import annotations

import io
import tarfile

import numpy as np

METHANE = np.array(
    [
        [0, 0, 0],
        [0.63, 0.63, 0.63],
        [-0.63, -0.63, 0.63],
        [-0.63, 0.63, -0.63],
        [0.63, -0.63, -0.63],
    ]
)
ATOMS = {"H": -0.500273, "C": -37.846772}  # Hartree, B3LYP/6-31G(2df,p), QM9's atomref
G4 = {"H": -0.502094, "C": -37.794203}


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))
