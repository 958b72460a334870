"""Fields of a molecule on the voxels of a cube: what a convolutional network sees of it.

`fields` computes them, `stored_fields` keeps them under ONEKCAL_HOME and reads them memory-mapped.
What there is, is in `kinds`; each field's formula and conventions are in the file that computes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from onekcal.fields.grid import BOX

if TYPE_CHECKING:
    from torch import Tensor

    from onekcal.fields.store import StoredFields
    from onekcal.molecules import Molecules


def fields(
    molecules: Molecules,
    kinds: Sequence[str],
    density: str = "gfn2",
    n: int = 14,
    box: float = BOX,
    turn: int = 0,
) -> Tensor:
    """(M, C, n, n, n) float32: a channel for each of `kinds` ("lol", "nep", "atom:C", …) on n³
    voxels of `box` Å.

    Molecules are oriented by their principal axes; `turn` k > 0 is the k-th of a fixed series of
    random rotations on top of that. Fields of electrons come from `density` ("gfn2", "b3lyp/6-31g",
    …) and are in atomic units.
    """
    from onekcal.fields.compute import request, sampled
    from onekcal.fields.cost import check_room

    what = request(kinds, density, n, box, turn)
    check_room(len(molecules), what, None)
    return sampled(molecules, what)


def stored_fields(
    molecules: Molecules,
    kinds: Sequence[str],
    density: str = "gfn2",
    n: int = 14,
    box: float = BOX,
    turn: int = 0,
    scheduler: str | None = None,
    workers: int | None = None,
    quiet: bool = True,
) -> StoredFields:
    """The same, computed once: array-like (shape, dtype, len), indexed by integer, slice, mask or
    rows → numpy.

    They are kept under ONEKCAL_HOME/fields and memory-mapped. What is missing is computed in
    `workers` processes or on the Dask cluster at `scheduler`. A molecule whose density cannot be
    computed is an error that names it.
    """
    from onekcal.fields.compute import request
    from onekcal.fields.store import refused, stored

    found, filling = stored(
        molecules, request(kinds, density, n, box, turn), scheduler, workers, quiet
    )
    if filling.failed:
        raise refused(filling)
    return found
