"""Load, get and import data sets. Everything is kept in one store (ONEKCAL_HOME)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from onekcal.datasets import fetch, store
from onekcal.datasets.card import Card, Stored
from onekcal.datasets.catalogue import names, source
from onekcal.errors import DataError, InputError, did_you_mean
from onekcal.system.home import home

MINI = ("mini", "mini-frames")
"""The sets that ship inside the package."""


def _place(name: str) -> Path:
    return home() / f"{name}.h5"


def is_here(name: str) -> bool:
    """Is the data set in the store (or inside the package)?"""
    return name in MINI or _place(name).is_file()


def imported() -> list[str]:
    """The sets in the store that are of the user's own files."""
    return sorted(path.stem for path in home().glob("*.h5") if path.stem not in names())


def card(name: str) -> Card:
    """What a data set is and who made it."""
    return source(name).card if name in names() else store.card(_place(name))


def load(name: str, strict: bool = False) -> Stored:
    """A data set of the store by name, or a file on disk.

    `strict` drops the molecules whose relaxation is known to have failed.
    """
    if name in names():
        entry = source(name)
        if name in MINI:
            assert entry.read_mirror is not None
            stored = entry.read_mirror(Path(__file__).parent / "sets")
        elif _place(name).is_file():
            stored = store.read(_place(name))
        else:
            raise DataError(
                f"{name} is not here yet; get it with: onekcal data get {name} "
                "(ONEKCAL_MIRROR=FOLDER takes it from a folder)"
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
    from onekcal.io import read

    return Stored(
        read(name), card=Card(path.stem, title=f"read from {path.name}"), digest=fetch.sha256(path)
    )


def get(name: str) -> Path:
    """Bring a data set into the store; done once.

    From ONEKCAL_MIRROR when set, else from its official source.
    """
    entry = source(name)
    path = _place(name)
    if is_here(name):
        return path if path.is_file() else Path(__file__).parent / "sets" / "mini.npz"
    cache = home() / "downloads"  # one for all: the ten trajectories of rMD17 share one archive
    origin = fetch.mirror()
    if origin is not None and entry.mirror and entry.read_mirror is not None:
        stored = entry.read_mirror(fetch.from_mirror(origin, entry.mirror, cache))
    elif entry.read_official is not None:
        stored = entry.read_official(fetch.from_official(entry.official, cache))
    else:
        raise DataError(
            f"{name} has no official download; set ONEKCAL_MIRROR to a folder or URL that holds "
            f"{', '.join(remote.file for remote in entry.mirror)}"
        )
    store.save(path, stored)
    return path


def import_file(path: Path, name: str, force: bool = False, **told: Any) -> Path:
    """Bring a file on disk into the store under `name`; with `force` in the place of another.

    Named like a data set and given that set's official file (or the folder that holds them), it is
    read in the official format; any other file through `onekcal.read`, with what is told of units,
    level and kind.
    """
    if not path.exists():
        raise InputError(f"no file {path}")
    if name != Path(name).name or name in ("", ".", ".."):
        raise InputError(f"{name!r} cannot name a data set: no / and not empty")
    if _place(name).is_file() and not force:
        raise InputError(
            f"there is a data set {name} already ({_place(name)}); --force replaces it"
        )
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
        stored = entry.read_official(folder)
    else:
        from onekcal.io import read

        dataset = read(str(path), **told)
        stored = Stored(
            dataset,
            card=Card(name, title=f"imported from {path.name}", level=told.get("level", "")),
        )
    store.save(_place(name), stored)
    return _place(name)
