"""Locks that end with the process that holds them, however it dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
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


@contextmanager
def alone(out: Path, waits: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Let one process at a time work on a file. Others wait and then find what it has done.

    The lock, a file beside it, ends with the process, also when that is killed.

    Parameters
    ----------
    out
        The file that is made.
    waits
        Called once if another process works on it already.
    """
    path = out.with_name(f"{out.name}.lock")
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waits()
            fcntl.flock(handle, fcntl.LOCK_EX)
        try:
            current = path.stat().st_ino
        except FileNotFoundError:
            current = -1
        if current == os.fstat(handle).st_ino:
            break
        os.close(handle)  # the process that held it has removed the file
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)
