"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: Path, shared: bool = False) -> Iterator[Path]:
    """Give a path to write to. It becomes `path` when the block ends without an error.

    After an error, what was written is removed, and a file that stood at `path` before stays as it
    was. A program that is killed can leave `path`.part behind, but never half of `path`.

    Parameters
    ----------
    path
        The file to make or to replace.
    shared
        Several processes may write `path` at the same time. Each then writes to a name of its own,
        and the last one to finish wins.

    Yields
    ------
    Path
        The file to write to, in the same folder as `path`.
    """
    ending = f".{os.getpid()}.part" if shared else ".part"
    part = path.with_name(path.name + ending)
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
