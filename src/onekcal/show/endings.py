"""Check the name of a file that is to be written."""

from __future__ import annotations

import os
from pathlib import Path

from onekcal.errors import InputError

HTML = (".html", ".htm")


def writable(path: str | os.PathLike[str], what: str, endings: tuple[str, ...]) -> Path:
    """Check that the ending of a path fits and that its folder exists.

    Parameters
    ----------
    path
        The file to write.
    what
        What is written, for the message: "a figure".
    endings
        The endings it may have, in lower case.

    Returns
    -------
    Path
        The path.

    Raises
    ------
    InputError
        The ending is another one, or there is no such folder.
    """
    path = Path(path)
    if path.suffix.lower() not in endings:
        shown = [ending for ending in endings if ending != ".htm"]
        *most, last = shown
        names = f"{', '.join(most)} or {last}" if most else last
        raise InputError(f"{what} is saved as {names}, got {path.name!r}")
    if not path.parent.is_dir():
        raise InputError(f"no folder {path.parent} to write {path.name} in")
    return path
