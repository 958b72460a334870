"""Many answers as one table: a list that pandas and CSV take."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, SupportsIndex, TextIO, overload

from onekcal.errors import OnekcalError
from onekcal.prediction.answers import Answer

if TYPE_CHECKING:
    from pandas import DataFrame

SHOWN = 10
"""Answers that the short form of a list shows."""


class Answers(list[Answer]):
    """Answers in the order of the questions: a list that is also a table."""

    def __repr__(self) -> str:
        refused = sum(bool(one.problem) for one in self)
        head = f"{len(self)} answers" + (f", {refused} refused" if refused else "")
        lines = [f"  {one!r}" for one in self[:SHOWN]]
        more = [f"  … {len(self) - SHOWN} more"] if len(self) > SHOWN else []
        return "\n".join([head, *lines, *more])

    @overload
    def __getitem__(self, place: SupportsIndex) -> Answer: ...
    @overload
    def __getitem__(self, place: slice) -> Answers: ...
    def __getitem__(self, place: SupportsIndex | slice) -> Answer | Answers:
        """Return one answer, or several as a table."""
        if isinstance(place, slice):
            return Answers(super().__getitem__(place))
        return super().__getitem__(place)

    def to_frame(self) -> DataFrame:
        """Return a pandas table: a row for each answer, the unit in the name of each column.

        What is unknown is NaN. A row without an answer gives the reason under `problem`. The
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
        return pandas.DataFrame(rows, columns=headings(rows or [Answer("").cells()]))

    def to_csv(self, path: str | Path | None = None) -> str | None:
        """Write CSV, as `onekcal predict --csv` does.

        Parameters
        ----------
        path
            The file. None: the text is returned.
        """
        rows = [one.to_row() for one in self]
        text = io.StringIO(newline="")
        table = writer(text, headings(rows or [Answer("").to_row()]))
        table.writeheader()
        table.writerows(rows)
        if path is None:
            return text.getvalue()
        Path(path).write_text(text.getvalue(), encoding="utf-8", newline="")
        return None


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
