"""The arrays of an npz file of onekcal.

They are numbers, positions, offsets, and the columns with their meaning.
"""

from __future__ import annotations

import numpy as np
import torch

from onekcal.data.dataset import QUANTITIES, Column, Dataset
from onekcal.energies import KINDS, TEMPERATURES
from onekcal.errors import one_of
from onekcal.molecules import Molecules

ELSEWHERE = "computed at other geometries"
"""The last word of the meaning of such columns."""


def dataset_of_arrays(arrays: dict[str, np.ndarray]) -> Dataset:
    """Return the data set that `arrays_of` made into arrays.

    Parameters
    ----------
    arrays
        By name.
    """
    charge, spin = (
        torch.from_numpy(arrays[key].astype(np.int64)) if key in arrays else None
        for key in ("charge", "spin")
    )
    molecules = Molecules(
        torch.from_numpy(arrays["numbers"].astype(np.int64)),
        torch.from_numpy(arrays["positions"].astype(np.float64)),
        torch.from_numpy(arrays["offsets"].astype(np.int64)),
        charge,
        spin,
        arrays.get("name"),
    )
    columns = {}
    for key in arrays:
        if key.startswith("column:"):
            name = key.removeprefix("column:")
            quantity, level, kind, at, unit, note, *elsewhere = (
                str(word) for word in arrays[f"meaning:{name}"]
            )
            columns[name] = Column(
                torch.from_numpy(arrays[key]),
                one_of(quantity, QUANTITIES, f"quantity of column {name!r}"),
                level,
                one_of(kind, KINDS, f"kind of column {name!r}"),
                one_of(at, TEMPERATURES, f"temperature of column {name!r}"),
                unit,
                note,
                not elsewhere,
            )
    target = str(arrays["target"]) if "target" in arrays else ""
    return Dataset(molecules, columns, target or None)


def arrays_of(dataset: Dataset) -> dict[str, np.ndarray]:
    """Return the arrays of an npz file that keeps everything of a data set.

    Parameters
    ----------
    dataset
        The data. Each column becomes two arrays, its values and its meaning.
    """
    molecules = dataset.molecules
    arrays = {
        "numbers": molecules.numbers.numpy().astype(np.uint8),
        "positions": molecules.positions.numpy(),
        "offsets": molecules.offsets.numpy(),
        "name": molecules.names.astype(str),
        "charge": molecules.charges.numpy(),
        "spin": molecules.spins.numpy(),
        "target": np.array(dataset.target or ""),
    }
    for name, c in dataset.columns.items():
        arrays[f"column:{name}"] = c.values.numpy()
        words = [c.quantity, c.level, c.kind, c.at, c.unit, c.note]
        arrays[f"meaning:{name}"] = np.array(words if c.own_geometry else [*words, ELSEWHERE])
    return arrays
