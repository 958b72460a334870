"""Many answers as one table: a list that pandas and CSV take."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    ClassVar,
    Protocol,
    Self,
    SupportsIndex,
    TextIO,
    TypeVar,
    overload,
)

from onekcal.errors import OnekcalError
from onekcal.prediction.answers import Answer
from onekcal.prediction.reaction import Reaction

if TYPE_CHECKING:
    from pandas import DataFrame

SHOWN = 10
"""Results that the short form of a list shows."""


class Row(Protocol):
    """What has a row in a table: an answer, a reaction or a bond."""

    @property
    def problem(self) -> str:
        """Why there is no number; empty where there is one."""

    def cells(self) -> dict[str, str | float | None]:
        """Return one flat row with its headings; what is unknown is None or empty."""

    def to_row(self) -> dict[str, object]:
        """Return the same as texts, for CSV."""


Some = TypeVar("Some", bound=Row)


class Results(list[Some]):
    """Results in the order of the questions: a list that is also a table."""

    plural: ClassVar[str] = "results"
    """What they are called."""

    def __repr__(self) -> str:
        refused = sum(bool(one.problem) for one in self)
        head = f"{len(self)} {self.plural}" + (f", {refused} refused" if refused else "")
        lines = [f"  {one!r}" for one in self[:SHOWN]]
        more = [f"  … {len(self) - SHOWN} more"] if len(self) > SHOWN else []
        return "\n".join([head, *lines, *more])

    @overload
    def __getitem__(self, place: SupportsIndex) -> Some: ...
    @overload
    def __getitem__(self, place: slice) -> Self: ...
    def __getitem__(self, place: SupportsIndex | slice) -> Some | Self:
        """Return one result, or several as a table."""
        found = super().__getitem__(place)
        return type(self)(found) if isinstance(place, slice) else found  # type: ignore[arg-type,return-value]

    def to_frame(self) -> DataFrame:
        """Return a pandas table: a row for each result, the unit in the name of each column.

        What is unknown is NaN. A row without a number gives the reason under `problem`. The
        columns that came with the molecules stand last.

        Raises
        ------
        OnekcalError
            pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise OnekcalError(
                "`to_frame` needs pandas, which is not installed: pip install pandas"
            ) from None
        rows = [one.cells() for one in self]
        return pandas.DataFrame(rows, columns=headings(rows or [self.blank().cells()]))

    def to_csv(self, path: str | Path | None = None) -> str | None:
        """Write CSV, as the command does with `--csv`.

        Parameters
        ----------
        path
            The file. None: the text is returned.
        """
        rows = [one.to_row() for one in self]
        text = io.StringIO(newline="")
        table = writer(text, headings(rows or [self.blank().to_row()]))
        table.writeheader()
        table.writerows(rows)
        if path is None:
            return text.getvalue()
        Path(path).write_text(text.getvalue(), encoding="utf-8", newline="")
        return None

    def blank(self) -> Row:
        """Return a result of nothing, which has every heading."""
        raise NotImplementedError


class Answers(Results[Answer]):
    """Answers in the order of the questions: a list that is also a table."""

    plural = "answers"

    def blank(self) -> Answer:
        """Return an answer to nothing, which has every heading."""
        return Answer("")


class Reactions(Results[Reaction]):
    """Reactions in the order they were asked for: a list that is also a table."""

    plural = "reactions"

    def blank(self) -> Reaction:
        """Return a reaction of nothing, which has every heading."""
        return Reaction("")


def headings(rows: Iterable[Iterable[str]]) -> list[str]:
    """List the headings of all rows, each once.

    Parameters
    ----------
    rows
        Rows by their headings.
    """
    return list(dict.fromkeys(key for row in rows for key in row))


def writer(file: TextIO, heads: list[str]) -> csv.DictWriter[str]:
    """Return what writes rows of answers as CSV.

    Parameters
    ----------
    file
        Where to.
    heads
        The headings; what a row lacks is left empty, and what it has besides is left out.
    """
    return csv.DictWriter(file, heads, restval="", extrasaction="ignore", lineterminator="\n")
