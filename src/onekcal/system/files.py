"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from onekcal.errors import DataError, DiskFull, OnekcalError, in_short

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
MACHINE = (*NO_SPACE, errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE)
"""Errors of the system that say nothing about the content of a file."""


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

    Raises
    ------
    DiskFull
        When the disk is full.
    """
    ending = f".{os.getpid()}-{threading.get_ident()}.part" if shared else ".part"
    part = path.with_name(path.name + ending)
    try:
        yield part
        os.replace(part, path)
    except BaseException as problem:
        part.unlink(missing_ok=True)
        if disk_is_full(problem):
            raise DiskFull(
                f"the disk is full: {path} could not be written, and was left as it was; free "
                f"space in {path.parent} and run the same command again"
            ) from problem
        raise


def disk_is_full(problem: BaseException) -> bool:
    """Tell whether an error says that there is no space left.

    Parameters
    ----------
    problem
        An error of Python, or of a library that writes files itself and only quotes the system.

    Returns
    -------
    bool
        True for a full disk, a full quota, and a file that may not grow.
    """
    return (
        isinstance(problem, DiskFull)
        or getattr(problem, "errno", None) in NO_SPACE
        or any(f"(os error {number})" in str(problem) for number in NO_SPACE)
    )


@contextmanager
def damage_refused(
    path: Path | str, what: str, remedy: str, error: type[OnekcalError] = DataError
) -> Iterator[None]:
    """Turn whatever a parser raises on a damaged file into one line that names the file.

    Parsers of foreign bytes raise nearly everything: a cut zip archive ends in seven different
    errors. An AssertionError passes, because it is a mistake of ours; so do an absent file and
    errors of the machine.

    Parameters
    ----------
    path
        The file, as the message names it.
    what
        What the file should be: "an npz file".
    remedy
        What the user can do.
    error
        The class of the error that is raised instead.
    """
    try:
        yield
    except (OnekcalError, AssertionError, FileNotFoundError):
        raise
    except MemoryError as problem:
        raise error(
            f"{path} does not fit into the memory, or is not {what} but damaged; {remedy}"
        ) from problem
    except Exception as problem:
        if isinstance(problem, OSError) and problem.errno in MACHINE:
            raise
        raise error(f"{path} is not {what} or is damaged ({in_short(problem)}); {remedy}") from (
            problem
        )


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all, also when several processes write it at once.

    Parameters
    ----------
    path
        The file. It is replaced in one step.
    text
        Its new content, written as UTF-8.
    """
    with whole_file(path, shared=True) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path: Path, content: object) -> None:
    """Write JSON as `write_text` writes text.

    Parameters
    ----------
    path
        The file. It is replaced in one step.
    content
        Dicts, lists, strings, numbers, booleans and None, nested.
    """
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read JSON.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    Any
        The content, or None where there is no such file.

    Raises
    ------
    DataError
        When the file holds no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError) as problem:  # no JSON, no UTF-8, or nested without end
        raise DataError(
            f"{path} should hold JSON but is damaged ({in_short(problem)}); restore or remove it"
        ) from None
