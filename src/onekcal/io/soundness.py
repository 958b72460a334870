"""Whether what was read can be molecules: elements, positions, and the unit of length."""

from __future__ import annotations

import torch
from ase.data import covalent_radii

from onekcal.errors import InputError
from onekcal.io.options import ReadOptions
from onekcal.molecules import SYMBOLS, Molecules
from onekcal.units import LENGTH

BONDED = (0.7, 1.5)
"""Where the median distance to the nearest neighbour lies, in sums of two covalent radii."""


def unsound(molecules: Molecules, budget: int = 4_000_000) -> dict[int, str]:
    """Find molecules that cannot be: no such element, a position not finite, nuclei too near.

    Parameters
    ----------
    molecules
        The molecules.
    budget
        How many distances are computed at once.

    Returns
    -------
    dict
        What is wrong, by the molecule's row.
    """
    out: dict[int, str] = {}
    strange = (molecules.numbers < 1) | (molecules.numbers >= len(SYMBOLS))
    for atom in strange.nonzero().flatten().tolist():
        out.setdefault(
            int(molecules.owner[atom]),
            f"no element has nuclear charge {int(molecules.numbers[atom])}",
        )
    sizes = molecules.sizes
    for size in (
        sizes.unique().tolist()
    ):  # like sizes together, so that one large molecule does not pad all others
        for rows in (sizes == size).nonzero().flatten().split(max(1, budget // size**2)):
            part = molecules[rows]
            for line in part.check():
                k = int(line.split(maxsplit=2)[1])
                out.setdefault(
                    int(rows[k]), line.removeprefix(f"molecule {k} ({str(part.names[k])!r}): ")
                )
    return dict(sorted(out.items()))


def check_lengths(
    molecules: Molecules,
    options: ReadOptions,
    where: str,
    sample: int = 300,
    explained: bool = False,
) -> None:
    """Refuse a file whose atoms are too near or too far for its unit. Diatomics do not count.

    Parameters
    ----------
    molecules
        The molecules, in Å.
    options
        What the caller says. With `trust_lengths` nothing is refused.
    where
        The file, as messages name it.
    sample
        How many molecules are looked at.
    explained
        Refuse only where another unit would explain the distances.
    """
    rows = (molecules.sizes > 2).nonzero().flatten()[:sample]
    if options.trust_lengths or not len(rows):
        return
    nearest = []
    for molecule in molecules[rows]:
        radii = torch.from_numpy(covalent_radii[molecule.numbers.numpy()])
        apart = torch.cdist(molecule.positions, molecule.positions).fill_diagonal_(torch.inf)
        nearest.append((apart / (radii[:, None] + radii)).min(1).values)
    typical = float(torch.cat(nearest).median())
    if BONDED[0] < typical < BONDED[1]:
        return
    fitting = [
        unit
        for unit, factor in LENGTH.items()
        if BONDED[0] < typical / options.scale * factor < BONDED[1]
    ]
    if explained and not fitting:
        return
    hint = (
        f"the lengths are probably in {fitting[0]} (length={fitting[0]!r}, --length {fitting[0]})"
        if fitting
        else ("no unit explains it")
    )
    raise InputError(
        f"{where}: atoms are typically {typical:.2f} bond lengths from their nearest neighbour "
        f"when lengths are read as {options.length_unit}, expected about 1; {hint}; "
        "trust_lengths=True reads it as it is"
    )
