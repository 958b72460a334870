"""Fields of a molecule on the voxels of a cube: the input of convolutional networks.

`fields` computes them. `stored_fields` keeps them under ONEKCAL_HOME and reads them memory-mapped.
`kinds` names the fields; each field's formula and conventions are in the file that computes it.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from onekcal.fields.compute import request, sampled
from onekcal.fields.cost import check_room
from onekcal.fields.grid import BOX
from onekcal.fields.store import StoredFields, refused, stored
from onekcal.molecules import Molecules


def fields(
    molecules: Molecules,
    kinds: Sequence[str],
    density: str = "gfn2",
    n: int = 14,
    box: float = BOX,
    turn: int = 0,
) -> Tensor:
    """Compute fields of molecules on the voxels of cubes.

    Parameters
    ----------
    molecules
        The M molecules. Their principal axes orient them in the cube.
    kinds
        The C channels: "lol", "nep", "atom:C", … "atoms" is one for each element of QM9.
    density
        Where fields of electrons come from: "gfn2", "b3lyp/6-31g", …
    n
        Voxels along an edge of the cube.
    box
        Å, the length of an edge.
    turn
        0, or the number of a random rotation of a fixed series, applied after the orientation.

    Returns
    -------
    Tensor
        (M, C, n, n, n) float32. Fields of electrons are in atomic units.

    Raises
    ------
    InputError
        A kind or a density is unknown, a molecule does not fit, or the memory is too small.
    """
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
    """Return the same fields from the store, and compute those that it lacks.

    The store is ONEKCAL_HOME/fields. A molecule whose density cannot be computed is an error that
    names it.

    Parameters
    ----------
    molecules, kinds, density, n, box, turn
        As in `fields`.
    scheduler
        Address of a Dask cluster that computes. None: local processes.
    workers
        Local processes. None: as many as the work is worth.
    quiet
        Whether nothing is printed.

    Returns
    -------
    StoredFields
        (M, C, n, n, n) float32, memory-mapped. A number, a slice, a mask or row numbers as index
        give numpy arrays.
    """
    what = request(kinds, density, n, box, turn)
    kept, filling = stored(molecules, what, scheduler, workers, quiet)
    if filling.failed:
        raise refused(filling)
    return kept
