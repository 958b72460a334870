"""The data doctor: what is in a data set, what is doubtful, why, and what to do about it.

Every check works on the whole set at once; QM9's 130,831 molecules take seconds. Molecules with
coordinates that are not finite are reported and left out of the other checks.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from torch import Tensor

from onekcal.data.dataset import Dataset
from onekcal.datasets.card import Stored
from onekcal.datasets.doctor.contents import column_values, counts
from onekcal.datasets.doctor.copies import NEAR, check_split, copies, fits
from onekcal.datasets.doctor.diagnosis import Diagnosis
from onekcal.datasets.doctor.energies import check_free_atoms, outliers
from onekcal.datasets.doctor.forces import forces_against_energies
from onekcal.datasets.doctor.geometry import distances, finite
from onekcal.datasets.doctor.twins import twins


def check(data: Dataset | Stored, splits: dict[str, Tensor] | None = None) -> Diagnosis:
    """Look at contents, units, geometries, copies, splits, outliers, and forces beside energies.

    Parameters
    ----------
    data
        The data set.
    splits
        (M,) labels of each split by its name. A `Stored` set brings its own.
    """
    dataset = data.dataset if isinstance(data, Stored) else data
    splits = data.splits if isinstance(data, Stored) and splits is None else splits or {}
    diagnosis = Diagnosis()
    counts(diagnosis, dataset.molecules)
    for name, column in dataset.columns.items():
        column_values(diagnosis, dataset, name, column)
    check_free_atoms(diagnosis, dataset)
    splits = {
        name: labels
        for name, labels in splits.items()
        if fits(diagnosis, name, labels, len(dataset))
    }
    keep = finite(diagnosis, dataset.molecules)
    names = np.array(
        [
            f"{name} (row {m})" if name else f"row {m}"
            for m, name in enumerate(dataset.molecules.names)
        ]
    )
    # the names hold the rows of the whole set, also when some molecules are left out below
    dataset = replace(dataset, molecules=replace(dataset.molecules, name=names))
    if not keep.all():
        dataset, splits = dataset[keep], {name: labels[keep] for name, labels in splits.items()}
    if len(dataset):
        distances(diagnosis, dataset.molecules)
        pairs = twins(dataset.molecules, NEAR)
        copies(diagnosis, dataset, pairs)
        for name, labels in splits.items():
            check_split(diagnosis, name, labels, pairs)
        for name in dataset.columns:
            outliers(diagnosis, dataset, name)
            forces_against_energies(diagnosis, dataset, name)
    return diagnosis
