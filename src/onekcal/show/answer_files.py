"""Predictions for other programs: JSON and CSV as the answers come, and files of geometries."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Protocol, cast

import numpy as np
import torch

from onekcal.data.dataset import Column, Dataset
from onekcal.energies import At, Kind
from onekcal.errors import InputError, unknown
from onekcal.io.writing import WRITERS
from onekcal.prediction.answer_table import headings, writer
from onekcal.prediction.answers import Answer

NOTHING = Answer("")
"""An answer to nothing; it has every column."""


class Outcome(Protocol):
    """An answer or a reaction."""

    def to_dict(self) -> dict[str, object]:
        """Everything, for JSON."""

    def to_row(self) -> dict[str, object]:
        """One flat row, for CSV."""


def write_json(answers: Iterable[Outcome]) -> None:
    """Print one JSON array, an element for each answer as it comes.

    Parameters
    ----------
    answers
        Those with a problem stand in the array too.
    """
    before = "[\n"
    try:
        for answer in answers:
            told = json.dumps(answer.to_dict(), ensure_ascii=False, allow_nan=False)
            print(before + told, end="", flush=True)
            before = ",\n"
    finally:  # after Ctrl-C, too, the array ends
        print("\n]" if before == ",\n" else "[]")


def write_csv(
    answers: Iterable[Outcome],
    like: Outcome = NOTHING,
    further: Iterable[str] = (),
    begun: bool = False,
) -> None:
    """Print CSV, a row for each answer as it comes.

    Parameters
    ----------
    answers
        Those with a problem have a row too.
    like
        One that has the columns, where there is no answer.
    further
        Headings of columns that came with the questions and that later answers may have.
    begun
        Whether the rows follow those of an earlier call, which have a heading.
    """
    rows = (answer.to_row() for answer in answers)
    first = next(rows, None)
    own = list(like.to_row() if first is None else first)
    given = (f"given_{key}" if key in like.to_row() else key for key in further)
    out = writer(sys.stdout, headings([own, given]))
    if not begun:
        out.writeheader()
    lost: dict[str, None] = {}
    for row in rows if first is None else chain([first], rows):
        out.writerow(row)
        sys.stdout.flush()
        lost |= dict.fromkeys(key for key in row if key not in out.fieldnames)
    if lost:
        print(
            f"onekcal: left out, as the first row had no such column: {', '.join(lost)} "
            "(--json keeps them)",
            file=sys.stderr,
        )


def with_geometries(answers: Iterable[Answer], path: Path) -> Iterator[Answer]:
    """Write the geometry of each answer to a file as the answer passes.

    Parameters
    ----------
    answers
        Answers; those without a molecule write nothing.
    path
        The file; its ending (xyz, extxyz, sdf) names the format. An extxyz also holds the energy
        (kcal/mol) and, where there are any, the forces (kcal/mol/Å).

    Yields
    ------
    Answer
        The same answer, with a remark where its geometry could not be written.

    Raises
    ------
    InputError
        When the format is unknown, or the folder of the file does not exist.
    """
    ending = path.suffix.lower().removeprefix(".")
    if ending not in WRITERS:
        unknown("format to write geometries in:", ending or path.name, WRITERS)
    if not path.parent.is_dir():
        raise InputError(f"no folder {path.parent} to write {path.name} in")
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for answer in answers:
            try:
                file.writelines(
                    () if answer.molecule is None else WRITERS[ending](_dataset(answer))
                )
            except InputError as problem:  # an sdf needs bonds, which not every geometry shows
                answer = replace(
                    answer, remarks=(*answer.remarks, f"geometry not written: {problem}")
                )
            yield answer


def _dataset(answer: Answer) -> Dataset:
    """The molecule of an answer with its energy and forces, as writers take it."""
    assert answer.molecule is not None
    energy = torch.tensor([answer.energy], dtype=torch.float64)
    columns = {
        "energy": Column(
            energy,
            level=answer.level,
            kind=cast(Kind, answer.kind),
            at=cast(At, answer.at),
        )
    }
    if answer.forces is not None:
        columns["energy_forces"] = Column(
            torch.from_numpy(answer.forces), "forces", answer.level, unit="kcal/mol/Å"
        )
    return Dataset(replace(answer.molecule, name=np.array([answer.label])), columns, "energy")
