"""Geometries: coordinates that are no numbers, atoms too near or too far, the unit of length."""

from __future__ import annotations

import torch
from ase.data import covalent_radii
from torch import Tensor

from onekcal.datasets.doctor.diagnosis import Diagnosis, Severity, first_names
from onekcal.datasets.doctor.twins import blocks
from onekcal.molecules import CLOSEST, Molecules
from onekcal.units import BOHR

FAR = 3.0
"""Å; an atom farther than this from every other belongs to no molecule."""
SQUEEZED = 0.6
"""In sums of covalent radii. Even hot trajectories have no atoms nearer than this."""
IN_BOHR = (1.55, 2.3)
"""The median distance to the nearest neighbour, in bond lengths, when lengths are in bohr.

A bond length is the sum of two covalent radii. 1/0.529 is 1.9.
"""


def finite(diagnosis: Diagnosis, molecules: Molecules) -> Tensor:
    """Report molecules with coordinates that are not finite.

    Parameters
    ----------
    diagnosis
        The findings are added to it.
    molecules
        The M molecules.

    Returns
    -------
    Tensor
        (M,) whether all coordinates of a molecule are finite.
    """
    bad = molecules.sum_atoms((~torch.isfinite(molecules.positions)).any(1).to(torch.int64)) > 0
    if bad.any():
        diagnosis.add(
            "error",
            "geometry",
            f"{int(bad.sum()):,} molecules have coordinates that are not finite, first: row "
            f"{int(bad.nonzero()[0])}",
            "remove or repair them",
        )
    return ~bad


def distances(diagnosis: Diagnosis, molecules: Molecules) -> None:
    """Report atoms on one point, squeezed or lonely atoms, and lengths in another unit.

    Parameters
    ----------
    diagnosis
        The findings are added to it.
    molecules
        The molecules. All coordinates are finite.
    """
    nearest, loneliest, squeezed, typical = _neighbours(molecules)
    if nearest.isnan().all():
        return
    close = nearest < CLOSEST
    tight, far = (squeezed < SQUEEZED) & ~close, loneliest > FAR
    seen: list[tuple[Severity, Tensor, str, str]] = [
        (
            "error",
            close,
            f"atoms nearer than {CLOSEST} Å",
            "two atoms on one point: remove or repair them",
        ),
        (
            "warning",
            tight,
            f"atoms nearer than {SQUEEZED} bond lengths",
            "look at them; of many, the unit of length is wrong",
        ),
        (
            "warning",
            far,
            f"an atom more than {FAR} Å from all others",
            "dissociated, or several molecules in one",
        ),
    ]
    for level, which, how, remedy in seen:
        if which.any():
            detail = (
                f"{int(which.sum()):,} molecules have {how}, first: {first_names(molecules, which)}"
            )
            diagnosis.add(level, "geometry", detail, remedy)
    middle, bond = float(nearest.nanmedian()), float(typical.nanmedian())
    if IN_BOHR[0] < bond < IN_BOHR[1]:
        diagnosis.add(
            "error",
            "geometry",
            f"the nearest neighbour is typically {middle:.2f} Å or {bond:.2f} bond lengths away",
            f"are lengths in bohr? import again with --length bohr ({middle * BOHR:.2f} Å then)",
        )
    elif not close.any():
        diagnosis.add(
            "ok",
            "geometry",
            f"nearest neighbours typically {middle:.2f} Å ({bond:.2f} bond lengths) away, never "
            f"below {float(nearest[~nearest.isnan()].min()):.2f} Å",
        )


def _neighbours(molecules: Molecules) -> tuple[Tensor, ...]:
    """Four numbers (M,) of each molecule, NaN for a single atom.

    The shortest distance (Å), the distance of the loneliest atom to its neighbour (Å), and the
    shortest and the median distance to a nearest neighbour in bond lengths.
    """
    radii = torch.from_numpy(covalent_radii)
    nearest, loneliest, squeezed, typical = (
        torch.full((len(molecules),), torch.nan, dtype=torch.float64) for _ in range(4)
    )
    for rows, charges, apart in blocks(molecules):
        if apart.shape[1] > 1:
            apart.diagonal(dim1=1, dim2=2).fill_(torch.inf)
            near = apart.min(-1).values
            nearest[rows], loneliest[rows] = near.min(-1).values, near.max(-1).values
            reach = radii[charges]
            bonds = (apart / (reach[:, :, None] + reach[:, None, :])).min(-1).values
            squeezed[rows], typical[rows] = bonds.min(-1).values, bonds.median(-1).values
    return nearest, loneliest, squeezed, typical
