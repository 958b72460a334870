"""Load, get and import data sets. Everything is kept in one store (ONEKCAL_HOME)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from onekcal.datasets import fetch, store
from onekcal.datasets.card import Card, Stored
from onekcal.datasets.catalogue import names, source
from onekcal.datasets.source import read_files
from onekcal.errors import DataError, InputError, did_you_mean
from onekcal.io import read
from onekcal.system.home import home, refuse_unwritable

if TYPE_CHECKING:
    from onekcal.io.options import ReadKeywords

EMBEDDED = {"mini": "mini.npz", "mini-frames": "mini.npz", "qm9-small": "qm9_small.npz"}
"""Data sets that are inside the package, and their files."""
INSIDE = Path(__file__).parent / "sets"


def _place(name: str) -> Path:
    return home() / f"{name}.h5"


def is_here(name: str) -> bool:
    """Say whether a data set is in the store or inside the package.

    Parameters
    ----------
    name
        Its name.
    """
    return name in EMBEDDED or _place(name).is_file()


def imported() -> list[str]:
    """Return the names of the sets in the store that the user made from own files."""
    return sorted(path.stem for path in home().glob("*.h5") if path.stem not in names())


def card(name: str) -> Card:
    """Return the card of a data set: what it is and who made it.

    Parameters
    ----------
    name
        Its name.
    """
    return source(name).card if name in names() else store.card(_place(name))


def load(name: str, strict: bool = False, **options: Unpack[ReadKeywords]) -> Stored:
    """Load a data set of the store, or a file.

    Parameters
    ----------
    name
        The name of a data set, or the path of a file that `read` understands or that holds a
        stored set (.h5).
    strict
        Whether molecules whose relaxation is known to have failed are left out.
    **options
        As in `read`, for a file that is not one of the store: units, level and kind of the labels.

    Returns
    -------
    Stored
        The data, the splits and the card.

    Raises
    ------
    DataError
        The data set has not been downloaded yet, or there is neither a set nor a file of this name.
    """
    if name in names():
        entry = source(name)
        if name in EMBEDDED:
            assert entry.read_mirror is not None
            stored = read_files(entry.read_mirror, INSIDE, name)
        elif _place(name).is_file():
            stored = store.read(_place(name))
        else:
            raise DataError(
                f"{name} is not here yet; get it with: onekcal data get {name} "
                "(set ONEKCAL_MIRROR=FOLDER to take it from a folder)"
            )
        return entry.strict(stored) if strict else stored
    if _place(name).is_file():
        return store.read(_place(name))
    path = Path(name)
    if not path.is_file():
        raise DataError(
            f"no data set and no file {name!r}{did_you_mean(name, [*names(), *imported()])}"
        )
    if path.suffix == ".h5":
        return store.read(path)
    return Stored(
        read(name, **options),
        card=Card(path.stem, title=f"read from {path.name}"),
        digest=fetch.sha256(path),
    )


def get(name: str) -> Path:
    """Bring a data set into the store. This is done once.

    The files come from ONEKCAL_MIRROR where that is set, and from the official source otherwise.

    Parameters
    ----------
    name
        The name of a data set.

    Returns
    -------
    Path
        The file of the store.
    """
    entry = source(name)
    path = _place(name)
    if is_here(name):
        return path if path.is_file() else INSIDE / EMBEDDED[name]
    refuse_unwritable(home(), "data sets")
    cache = home() / "downloads"  # all sets share it: ten trajectories of rMD17 are in one archive
    origin = fetch.mirror()
    if origin is not None and entry.mirror and entry.read_mirror is not None:
        stored = read_files(entry.read_mirror, fetch.from_mirror(origin, entry.mirror, cache), name)
    elif entry.read_official is not None:
        stored = read_files(entry.read_official, fetch.from_official(entry.official, cache), name)
    else:
        raise DataError(
            f"{name} has no official download; set ONEKCAL_MIRROR to a folder or URL that holds "
            f"{', '.join(remote.file for remote in entry.mirror)}"
        )
    store.save(path, stored)
    return path


def import_file(
    path: Path, name: str, force: bool = False, **options: Unpack[ReadKeywords]
) -> Path:
    """Bring a file into the store.

    A file that has the name and place of a data set's official files is read in the official
    format. `read` reads every other file.

    Parameters
    ----------
    path
        The file, or the folder that holds a data set's official files.
    name
        The data set's name in the store.
    force
        Whether a data set of this name is replaced.
    **options
        As in `read`: units, level and kind of the labels.

    Returns
    -------
    Path
        The file of the store.
    """
    if not path.exists():
        raise InputError(f"no file {path}")
    if name != Path(name).name or name in ("", ".", ".."):
        raise InputError(f"{name!r} cannot name a data set: give a name without /")
    if _place(name).is_file() and not force:
        raise InputError(
            f"the store has a data set {name} already ({_place(name)}); --force replaces it"
        )
    refuse_unwritable(home(), "data sets")
    if name in names():
        entry = source(name)
        folder = path if path.is_dir() else path.parent
        ours = path.is_dir() or path.name in {r.file for r in entry.official}
        if (
            entry.read_official is None
            or not ours
            or not all((folder / r.file).is_file() for r in entry.official)
        ):
            raise InputError(
                f"{name} is read from {', '.join(r.file for r in entry.official) or 'a mirror'}; "
                f"{path} is not that. Choose another name for data of your own"
            )
        stored = read_files(entry.read_official, folder, name)
    else:
        title, level = f"imported from {path.name}", options.get("level", "")
        stored = Stored(read(path, **options), card=Card(name, title=title, level=level))
    store.save(_place(name), stored)
    return _place(name)
