"""Everything that was computed, as a data set.

One row a molecule at one geometry. Columns hold NaN where a level was not computed.

    g4mp2            atomization energy at 0 K, kcal/mol, at B3LYP's geometry
    g4mp2//gfn2      the same with geometry and zero-point energy from GFN2-xTB
    b3lyp            atomization energy, electronic, B3LYP/6-31G(2df,p)
    zero_point       kcal/mol, as it is in the G4(MP2) energy (scaled)
    t1               T1 diagnostic of coupled cluster
    contamination    ⟨S²⟩ minus that of the pure spin state
    source           0 computed on this machine, 1 came with the package

Charge and unpaired electrons belong to the molecules.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch

from onekcal.data.dataset import Column, Dataset
from onekcal.datasets import store as data_store
from onekcal.datasets.card import Card, Stored
from onekcal.errors import ConfigError, DataError, unknown
from onekcal.io import write
from onekcal.labels.b3lyp import LEVEL, Minima, Minimum, same_minimum
from onekcal.labels.g4mp2 import Computed
from onekcal.molecules import SYMBOLS, Molecules

Level = Literal["g4mp2", "g4mp2//gfn2", "b3lyp"]
LEVELS: tuple[Level, ...] = get_args(Level)
ENERGIES = {
    "g4mp2": Column(torch.zeros(0), level="g4mp2", at="0 K"),
    "g4mp2//gfn2": Column(torch.zeros(0), level="g4mp2//gfn2", at="0 K"),
    "b3lyp": Column(torch.zeros(0), level=LEVEL),
}
"""What the energies mean."""
PROPERTIES = {
    "zero_point": Column(torch.zeros(0), "property", "g4mp2", note="scaled"),
    "t1": Column(torch.zeros(0), "property", "g4mp2", unit="1"),
    "contamination": Column(torch.zeros(0), "property", "g4mp2", unit="1"),
    "source": Column(
        torch.zeros(0), "property", unit="1", note="0: computed here; 1: came with the package"
    ),
}
WHOLE = (".npz", ".h5")
"""Files that hold every column."""
Row = dict[str, float]


def exported(folder: Path | None = None, level: Level | None = None, ships: bool = True) -> Dataset:
    """Collect what was computed.

    Parameters
    ----------
    folder
        The store of computed molecules; None: `computed` in the data folder (ONEKCAL_HOME).
    level
        Only molecules with an energy of this level, which becomes the target. None takes all.
    ships
        Whether the species that come with the package are taken too.

    Returns
    -------
    Dataset
        Molecules (Å, charge, unpaired electrons) and the columns above.

    Raises
    ------
    DataError
        Nothing was computed, or a file of the store is damaged.
    """
    if level is not None and level not in LEVELS:
        unknown("level", level, LEVELS, ConfigError)
    rows = [
        (molecule, row)
        for molecule, row in _rows(Minima(folder), ships)
        if level is None or math.isfinite(row.get(level, math.nan))
    ]
    if not rows:
        what = f"nothing was computed with {level}" if level else "nothing was computed yet"
        raise DataError(
            f"{what} on this machine, so there is nothing to export; "
            f"`onekcal predict --rung {'b3lyp' if level == 'b3lyp' else 'g4mp2'} SMILES` computes "
            "a molecule"
        )
    columns = {}
    for name, meaning in {**ENERGIES, **PROPERTIES}.items():
        values = torch.tensor([row.get(name, math.nan) for _, row in rows], dtype=torch.float64)
        if values.isfinite().any():
            columns[name] = replace(meaning, values=values)
    molecules = Molecules.concatenate([molecule for molecule, _ in rows])
    return Dataset(molecules, columns, level or next(iter(columns)))


def export(
    out: Path, folder: Path | None = None, level: Level | None = None, ships: bool = True
) -> Dataset:
    """Write what was computed to a file that `train`, `evaluate` and `data import` read.

    Parameters
    ----------
    out
        The file. npz and h5 hold all columns; extxyz and sdf hold one energy, and need `level`.
    folder, level, ships
        As in `exported`.

    Returns
    -------
    Dataset
        What was written.

    Raises
    ------
    ConfigError
        No level was given for a format that holds one energy.
    """
    ending = out.suffix.lower()
    if ending in (".extxyz", ".sdf") and level is None:
        raise ConfigError(
            f"{out.name} holds one energy a molecule: give `level` ({', '.join(LEVELS)}), or write "
            "npz or h5, which hold all"
        )
    data = exported(folder, level, ships)
    if ending not in WHOLE:
        data = Dataset(data.molecules, {name: data.aim for name in [level] if name}, level)
    if ending == ".h5":
        data_store.save(out, Stored(data, card=_card(out.stem, data)))
    else:
        write(out, data)
    return data


def _card(name: str, data: Dataset) -> Card:
    levels = "; ".join(c.level for c in data.columns.values() if c.quantity == "energy")
    elements = " ".join(SYMBOLS[z] for z in data.molecules.elements)
    title = "molecules computed with onekcal"
    return Card(name, title, level=levels, molecules=len(data), elements=elements)


def _rows(minima: Minima, ships: bool) -> Iterator[tuple[Molecules, Row]]:
    """Each molecule at each geometry; one of B3LYP with G4(MP2) at its geometry is one row."""
    lower = {key: one for key, one, _ in minima.items()}
    for key, one, shipped in minima.above.items():
        if shipped and not ships:
            continue
        row = _row(one) | {"source": float(shipped)}
        same = lower.get(key)
        if same is not None and _one_place(one, same):
            row["b3lyp"] = lower.pop(key).energy
        yield _named(one), row
    for minimum in lower.values():
        yield _named(minimum), {"b3lyp": minimum.energy, "source": 0.0}


def _row(one: Computed) -> Row:
    return {
        one.method: one.energy,
        "zero_point": one.zero_point,
        "t1": one.terms.t1,
        "contamination": one.terms.contamination,
    }


def _one_place(one: Computed, other: Minimum) -> bool:
    """Whether both are at B3LYP's same geometry."""
    return one.method == "g4mp2" and same_minimum(one.molecule, other.molecule)


def _named(one: Computed | Minimum) -> Molecules:
    """The molecule under its SMILES, or its name where it has none."""
    return replace(one.molecule, name=np.array([one.smiles or one.name]))
