"""One family of errors.

Each says what is wrong, what was expected, what was got, and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import NoReturn, TypeVar

Word = TypeVar("Word", bound=str)


class OnekcalError(Exception):
    """Every error onekcal raises on purpose; the command line exits with its `exit_code`."""

    exit_code = 1


class InputError(OnekcalError, ValueError):
    """A molecule, file or argument that cannot be used."""

    exit_code = 2


class ConfigError(InputError):
    """An experiment or suite that does not say what it must."""


class DataError(OnekcalError):
    """Data that is not there, incomplete, or not what its catalogue entry says."""

    exit_code = 3


class DownloadError(DataError):
    """A source that could not be fetched whole and verified."""


class MissingExtra(OnekcalError, ImportError):
    """An optional part that is not installed."""

    exit_code = 4

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs {package}, which is not installed: pip install 'onekcal[{extra}]'"
        )


MOST = 12
"""Names listed when none is close."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint such as "; did you mean 'schnet'?", else the list of what there is."""
    known = list(known)
    if not known:
        return "; there is none"
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; there is: {', '.join(map(str, known[:MOST]))}{', …' if len(known) > MOST else ''}"


def unknown(
    what: str, word: str, known: Iterable[str], error: type[OnekcalError] = InputError
) -> NoReturn:
    """Raise "no model 'schnett'; did you mean 'schnet'?"."""
    raise error(f"no {what} {word!r}{did_you_mean(word, known)}")


def one_of(
    word: str, known: Iterable[Word], what: str, error: type[OnekcalError] = InputError
) -> Word:
    """Return the one of `known` that is `word`, or raise as `unknown` does."""
    known = list(known)
    for each in known:
        if each == word:
            return each
    unknown(what, word, known, error)
