"""From a saddle point downhill: a relaxation that ends in a minimum.

A geometry with a mirror plane or an axis feels no force across it. So a relaxation may end on a
barrier: eclipsed ethane stays eclipsed, planar ammonia planar. Where a direction leads downhill
(`downhill`), the geometry is relaxed from both sides of the saddle point, and the lower result is
taken.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from onekcal.geometry.downhill import downhill
from onekcal.geometry.relax import FORCE, Relaxation, relax
from onekcal.geometry.turning import off_saddle
from onekcal.molecules import Molecules
from onekcal.quantum.method import LabelError, Method
from onekcal.quantum.named import method

ROUNDS = 4


def minimum(
    molecule: Molecules, how: Method | str = "gfn2", force: float = FORCE, keep_bonds: bool = True
) -> tuple[Relaxation, int]:
    """Relax one molecule to a minimum.

    Parameters
    ----------
    molecule
        One molecule.
    how
        The quantum method or its name.
    force
        eV/Å, the largest force on an atom at the end.
    keep_bonds
        Whether broken or formed bonds are an error.

    Returns
    -------
    tuple
        The relaxation, and how many saddle points were left behind on the way.

    Raises
    ------
    LabelError
        No minimum was reached. `FallsApart` says that bonds changed.
    """
    how = method(how) if isinstance(how, str) else how
    calculation = how.calculation(molecule)
    relaxed = relax(molecule, how, force, keep_bonds=keep_bonds, calculation=calculation)
    for left in range(ROUNDS):
        way = downhill(calculation, relaxed.molecule)
        if way is None:
            return relaxed, left
        place = relaxed.molecule.positions.numpy()
        ends = [
            relax(
                molecule.moved(torch.from_numpy(start)),
                how,
                force,
                keep_bonds=keep_bonds,
                calculation=calculation,
            )
            for start in off_saddle(calculation, molecule.numbers.numpy(), place, way)
        ]
        lower = min(ends, key=lambda end: end.point.energy)
        relaxed = replace(lower, steps=relaxed.steps + sum(end.steps for end in ends))
    raise LabelError(
        f"no minimum was found with {how.name}: {ROUNDS} saddle points one after another; start "
        "from another geometry"
    )
