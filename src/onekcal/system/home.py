"""Where onekcal keeps what it downloads, imports and computes."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from onekcal.errors import DataError


def home() -> Path:
    """The folder of the store: ONEKCAL_HOME, else the user's cache folder."""
    from platformdirs import user_cache_dir

    return Path(os.environ.get("ONEKCAL_HOME") or user_cache_dir("onekcal"))


def cannot_be_written(folder: Path) -> str:
    """Say why nothing can be kept in a folder, which is made where it is absent.

    Parameters
    ----------
    folder
        The folder.

    Returns
    -------
    str
        The reason in the words of the system; empty where it can be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as problem:
        return problem.strerror or str(problem)


def refuse_unwritable(folder: Path, purpose: str) -> None:
    """Refuse to begin something that keeps what it does in a folder that cannot be written.

    Parameters
    ----------
    folder
        The folder, inside of `home`.
    purpose
        What is kept there.

    Raises
    ------
    DataError
        It cannot be written.
    """
    if reason := cannot_be_written(folder):
        raise DataError(
            f"{folder} keeps {purpose} and cannot be written ({reason}); set ONEKCAL_HOME to a "
            "folder of your own"
        )
