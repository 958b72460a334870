"""Errors of the test molecules by size and by functional group; of atoms, by element.

The groups are told from the geometry alone: not every data set names its molecules, and two that
do may draw one molecule differently. A molecule counts in every group it has.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from onekcal.data.dataset import Dataset
from onekcal.geometry.bonds import perceived
from onekcal.geometry.functional_groups import HAS, LACKS, functional_groups
from onekcal.models.model_card import ErrorsBy, GroupErrors
from onekcal.molecules import SYMBOLS, Molecules
from onekcal.trust.conformal import coverage
from onekcal.trust.metrics import KCAL, metrics

MOST = 20_000
"""Molecules whose groups are looked at."""
LARGEST = 20
"""Heavy atoms from which on molecules are counted together."""


def errors_by(data: Dataset, predicted: Tensor, half: Tensor | float) -> ErrorsBy:
    """Sort the errors of predictions by heavy atoms and by functional group.

    Where the data are of atoms, errors are sorted by element instead.

    Parameters
    ----------
    data
        Molecules with their reference values (M,), or values of atoms (A,).
    predicted
        Predictions, of the same shape and unit as the reference values.
    half
        Half widths of the intervals in the same unit, of the same shape or one for all; not finite
        where there are none.

    Returns
    -------
    ErrorsBy
        A few kB for JSON; figures that are not finite are None. `not_perceived` counts the
        molecules whose bonds could not be told from their geometry.
    """
    molecules = data.molecules
    half = torch.as_tensor(half, dtype=torch.float64).expand(len(predicted))
    if data.aim.atomic:
        return {
            "elements": {
                SYMBOLS[z]: _row(data, predicted, half, molecules.numbers == z)
                for z in molecules.elements
            }
        }
    sizes = molecules.sum_atoms((molecules.numbers > 1).to(torch.int64)).clamp_max(LARGEST)
    by_size = {
        f"{size}{' or more' if size == LARGEST else ''}": _row(data, predicted, half, sizes == size)
        for size in sizes.unique().tolist()
    }
    members, unclear = _members(molecules[:MOST])
    return {
        "heavy_atoms": by_size,
        "groups": {
            name: _row(data, predicted, half, torch.tensor(rows))
            for name, rows in members.items()
            if rows
        },
        "perceived": min(len(data), MOST) - unclear,
        "not_perceived": unclear,
    }


def _members(molecules: Molecules) -> tuple[dict[str, list[int]], int]:
    """Group → numbers of the molecules that have it, and how many show no clear bonds."""
    members: dict[str, list[int]] = {name: [] for name in (*LACKS, *HAS)}
    unclear = 0
    for m, molecule in enumerate(molecules):
        mol = perceived(
            molecule.numbers.numpy(),
            molecule.positions.numpy(),
            int(molecule.charges[0]),
            int(molecule.spins[0]),
        )
        unclear += mol is None
        for name in () if mol is None else functional_groups(mol):
            members[name].append(m)
    return members, unclear


def _row(data: Dataset, predicted: Tensor, half: Tensor, which: Tensor) -> GroupErrors:
    """Errors of the molecules that a mask or row numbers choose."""
    reference, predicted, half = data.energies[which], predicted[which], half[which]
    errors = metrics(reference, predicted, data.aim.unit)
    inside = (
        coverage(reference, predicted - half, predicted + half)
        if half.isfinite().all()
        else math.nan
    )
    digits = 3 if data.aim.unit == KCAL else 6

    def rounded(value: float) -> float | None:
        return round(value, digits) if math.isfinite(value) else None

    return {
        "count": len(reference),
        "mae": rounded(errors["mae"]),
        "median": rounded(errors["median"]),
        "above_1": rounded(errors.get("above_1", math.nan)),
        "coverage": rounded(inside),
    }
