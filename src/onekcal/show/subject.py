"""What is to be shown: finished runs, fields of a molecule, or molecules.

Both `onekcal show` and `onekcal.show.notebook.show` use it, and so recognise the same sources.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from onekcal.errors import InputError
from onekcal.show.sources import dataset_of, is_field, is_run, portraits_of, portrayed

if TYPE_CHECKING:
    from onekcal.data.dataset import Dataset
    from onekcal.fields.portrait import Portrait
    from onekcal.molecules import Molecules

FRAMES = 100
"""The most molecules that are shown."""


@dataclass(frozen=True)
class Wish:
    """What the user asks for besides the source.

    Parameters
    ----------
    molecule
        Only this row, from 0; None: all of them, or the first where a field is shown.
    frames
        The most molecules that are shown, evenly spaced.
    energy
        The energy column that is shown, with its forces.
    field
        Kinds of fields with commas between them.
    density
        Where the electrons of the fields come from; None: gfn2.
    grid
        Voxels along an edge of the cube.
    """

    molecule: int | None = None
    frames: int = FRAMES
    energy: str | None = None
    field: str | None = None
    density: str | None = None
    grid: int = 14


@dataclass(frozen=True)
class Runs:
    """Finished runs on the same molecules.

    Parameters
    ----------
    folders
        Their folders.
    """

    folders: list[Path]


@dataclass(frozen=True)
class Fields:
    """Fields in a cube around one molecule.

    Parameters
    ----------
    portraits
        One for each field.
    title
        What to call the molecule.
    """

    portraits: list[Portrait]
    title: str


@dataclass(frozen=True)
class View:
    """Molecules in space.

    Parameters
    ----------
    dataset
        The molecules with their columns.
    rows
        Those that are shown.
    title
        What to call them.
    """

    dataset: Dataset
    rows: list[int]
    title: str


def subject(
    source: str | Path | Molecules | Dataset | Sequence[str | Path], wish: Wish
) -> Runs | Fields | View:
    """Recognise a source and read it.

    Parameters
    ----------
    source
        Run folders; or one SMILES, file, name of a data set, `Molecules` or `Dataset`.
    wish
        What is asked for besides the source.

    Returns
    -------
    Runs, Fields or View
        What to show.

    Raises
    ------
    InputError
        The source is unknown, or the wish does not fit it.
    """
    if isinstance(source, (list, tuple)):
        if len(source) > 1 and not is_run(str(source[0])):
            raise InputError(
                f"molecules are shown one source at a time, got {len(source)}: "
                f"{', '.join(map(str, source))}"
            )
        if len(source) != 1:
            return _runs([Path(one) for one in source], wish)
        source = source[0]
    if isinstance(source, (str, Path)):
        return _named(str(source), wish)
    dataset = _in_memory(source, wish)
    if wish.field is not None:
        row = wish.molecule or 0
        _check_row(row, dataset, "the molecules")
        molecule = dataset.molecules[row]
        return Fields(*portrayed(molecule, wish.field, wish.density, wish.grid))
    title = " · ".join(sorted(set(dataset.molecules.formulas))[:3])
    return _view(dataset, title, wish, "the molecules")


def _named(source: str, wish: Wish) -> Runs | Fields | View:
    if is_run(source):
        return _runs([Path(source)], wish)
    if wish.field is not None or is_field(source):
        row = wish.molecule or 0
        return Fields(*portraits_of(source, row, wish.field, wish.density, wish.grid))
    return _view(*dataset_of(source, wish.energy), wish, source)


def _runs(folders: list[Path], wish: Wish) -> Runs:
    if not folders:
        raise InputError("nothing to show; give run folders, a SMILES, a file or a data set")
    if wish.field is not None:
        raise InputError(
            f"--field shows a field around a molecule, and {folders[0]} is a run; leave --field out"
        )
    if wish.molecule is not None:
        raise InputError(
            f"--molecule shows one molecule of a file, and {folders[0]} is a run, whose page shows "
            "all; leave --molecule out"
        )
    return Runs(folders)


def _view(dataset: Dataset, title: str, wish: Wish, source: str) -> View:
    from onekcal.show.pages.view import frames_of

    if wish.molecule is None:
        return View(dataset, frames_of(dataset, wish.frames), title)
    _check_row(wish.molecule, dataset, source)
    return View(dataset, [wish.molecule], title)


def _check_row(row: int, dataset: Dataset, source: str) -> None:
    if not 0 <= row < len(dataset):
        raise InputError(f"--molecule must be from 0 to {len(dataset) - 1} in {source}, got {row}")


def _in_memory(source: object, wish: Wish) -> Dataset:
    from onekcal.data.dataset import Dataset
    from onekcal.molecules import Molecules
    from onekcal.show.pages.view import with_energy

    if isinstance(source, Molecules):
        source = Dataset(source)
    if not isinstance(source, Dataset):
        raise InputError(
            "a run, a SMILES, a file, molecules or a data set can be shown, "
            f"got {type(source).__name__}"
        )
    return with_energy(source, wish.energy)
