"""GFN2-xTB energies beside a data set's file: totals in Hartree with their own free atoms."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from onekcal.data.dataset import Column
from onekcal.datasets.card import Stored
from onekcal.energies import FreeAtoms, atomization
from onekcal.units import HARTREE


def gfn2_column(stored: Stored, path: Path, rows: np.ndarray | None = None) -> Stored:
    """Add a column `gfn2`, kcal/mol relative to free atoms. An absent file adds nothing.

    Parameters
    ----------
    stored
        M molecules.
    path
        The npz file: E_Ha, totals in Hartree, and atom_Z and atom_E, the free atoms.
    rows
        (M,) the row of the file for each molecule. None: they have the same order.
    """
    if not path.is_file():
        return stored
    with np.load(path) as file:
        atoms = FreeAtoms(
            "gfn2-xtb", dict(zip(file["atom_Z"].tolist(), file["atom_E"].tolist())), path.name
        )
        totals = file["E_Ha"] if rows is None else file["E_Ha"][rows]
    bound = atomization(torch.from_numpy(totals) * HARTREE, stored.dataset.molecules, atoms)
    return replace(
        stored, dataset=stored.dataset.with_column("gfn2", Column(bound, level="gfn2-xtb"))
    )
