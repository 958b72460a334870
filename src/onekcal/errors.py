"""One family of errors.

Each message says what is wrong, what was expected, what was given, and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import NoReturn, TypeVar

Word = TypeVar("Word", bound=str)


class OnekcalError(Exception):
    """Every error that onekcal raises on purpose. The command line ends with its `exit_code`."""

    exit_code = 1
    page = ""
    """The page below docs/ that helps; the command line names its verb's page where this is empty.
    """


class InputError(OnekcalError, ValueError):
    """A molecule, a file or an argument cannot be used."""

    exit_code = 2


class ConfigError(InputError):
    """An experiment or a suite lacks something, or says something wrong."""


class DataError(OnekcalError):
    """Data are absent, incomplete, or not what their catalogue entry says."""

    exit_code = 3


class DownloadError(DataError):
    """A file could not be downloaded whole, or its checksum is wrong."""


class DiskFull(DataError, OSError):
    """A file could not be written, because the disk or the quota is full."""


class MissingExtra(OnekcalError, ImportError):
    """An optional package is not installed.

    Parameters
    ----------
    package
        The package.
    extra
        The extra of onekcal that installs it.
    purpose
        What needs it. The message begins with these words.
    """

    exit_code = 4

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs {package}, which is not installed: pip install 'onekcal[{extra}]'"
        )


MOST = 12
"""How many names are listed where none is similar."""


LONGEST = 200
"""Characters of what a library says that stand in a message."""


def in_short(problem: BaseException | str, most: int = LONGEST) -> str:
    """Return what a library says, in one line of a bearable length.

    Parameters
    ----------
    problem
        Its error, or a text of a file.
    most
        Characters.
    """
    if isinstance(problem, BaseException) and not str(problem).strip():
        return type(problem).__name__
    line = " ".join(str(problem).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint such as "; did you mean 'schnet'?", or a list of the known words.

    Parameters
    ----------
    word
        The word that is not known.
    known
        The words that are.
    """
    known = list(known)
    if not known:
        return "; none is available"
    word = in_short(str(word))  # difflib takes minutes for what a damaged file may hold
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    shown = ", ".join(in_short(str(each), 60) for each in known[:MOST])
    return f"; available: {shown}{', …' if len(known) > MOST else ''}"


def unknown(
    what: str, word: str, known: Iterable[str], error: type[OnekcalError] = InputError
) -> NoReturn:
    """Raise an error such as "no model 'schnett'; did you mean 'schnet'?".

    Parameters
    ----------
    what
        What the word should name: "model".
    word
        The word that is not known.
    known
        The words that are.
    error
        The class of the error.
    """
    raise error(f"no {what} {in_short(word)!r}{did_you_mean(word, known)}")


def one_of(
    word: str, known: Iterable[Word], what: str, error: type[OnekcalError] = InputError
) -> Word:
    """Return a word that must be one of several, with the type of those.

    Parameters
    ----------
    word
        The word.
    known
        The words that are allowed.
    what
        What the word should name. It stands in the message.
    error
        The class of the error that another word raises.
    """
    known = list(known)
    for each in known:
        if each == word:
            return each
    unknown(what, word, known, error)
