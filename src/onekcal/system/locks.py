"""Locks that end with the process that holds them, however it dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def try_lock(path: Path) -> int | None:
    """Lock a file, if nobody else has locked it.

    The lock belongs to the open file: it ends when every process that has this file open has
    closed it or has died, however it died.

    Parameters
    ----------
    path
        The file; it is made where it is absent.

    Returns
    -------
    int or None
        The open file, which `os.close` unlocks; None where another process holds the lock.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        return None
    return file


def is_locked(path: Path) -> bool:
    """Tell whether a process holds the lock of a file.

    Parameters
    ----------
    path
        The file; an absent one is not locked.

    Returns
    -------
    bool
        True while the lock is held.
    """
    if not path.exists():
        return False
    file = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(file)
    return False


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Let one process at a time change the files of a folder; others wait here.

    Parameters
    ----------
    folder
        The folder; it is made where it is absent.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)
