"""The answers of a job as files: CSV and SDF with the ids and columns that came, and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

from onekcal.system.queue import Job

Row = dict[str, Any]
DANGEROUS = ("=", "+", "@", "\t", "\r")
"""A text that begins so would be a formula in a spreadsheet."""


def joined(job: Job) -> list[tuple[Row, Row]]:
    """Return question and answer of each row that is answered, in the order of the file.

    Parameters
    ----------
    job
        A batch.
    """
    answers = sorted(_lines(job, "answers.jsonl"), key=lambda answer: answer["row"])
    questions = dict(enumerate(_lines(job, "questions.jsonl")))
    return [(questions.get(answer["row"], {}), answer) for answer in answers]


def as_csv(job: Job) -> Iterator[str]:
    """Write CSV, a piece for each row: the columns that came, then those of the answer.

    Parameters
    ----------
    job
        A batch, or a job with the bonds of a molecule.
    """
    pairs = joined(job)
    came = list(dict.fromkeys(key for question, _ in pairs for key in question.get("columns", {})))
    ours = list(dict.fromkeys(key for _, answer in _longest_first(pairs) for key in _cells(answer)))
    heads = [*came, *(f"onekcal_{key}" if key in came else key for key in ours)]
    yield _line(heads)
    for question, answer in pairs:
        columns, cells = question.get("columns", {}), _cells(answer)
        told = [_safe(cells.get(key, "")) for key in ours]
        yield _line([*(columns.get(key, "") for key in came), *told])


def as_sdf(job: Job) -> Iterator[str]:
    """Write the geometries that were used as SDF, with columns and answers as tags.

    Parameters
    ----------
    job
        A batch; rows without a geometry are left out.
    """
    for question, answer in joined(job):
        if not answer.get("block"):
            continue
        cells = {f"onekcal_{key}": value for key, value in _cells(answer).items()}
        tags = question.get("columns", {}) | cells
        yield answer["block"] + "".join(_tag(key, value) for key, value in tags.items()) + "$$$$\n"


def as_json(job: Job) -> str:
    """Write JSON: an array with an object for each row.

    Parameters
    ----------
    job
        Any job.
    """
    rows = [
        {
            "columns": question.get("columns", {}),
            **{k: v for k, v in answer.items() if k != "block"},
        }
        for question, answer in joined(job)
    ]
    return json.dumps(rows, ensure_ascii=False)


def _lines(job: Job, name: str) -> Iterator[Row]:
    path = job.folder / name
    if path.is_file():
        with path.open(encoding="utf-8") as lines:
            yield from (json.loads(line) for line in lines if line.endswith("\n"))


def _cells(answer: Row) -> Row:
    if "cells" in answer:
        return answer["cells"]
    return {key: value for key, value in answer.items() if not isinstance(value, (list, dict))}


def _longest_first(pairs: Iterable[tuple[Row, Row]]) -> list[tuple[Row, Row]]:
    return sorted(pairs, key=lambda pair: -len(_cells(pair[1])))[:1] + list(pairs)


def _line(cells: Iterable[object]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(cells)
    return out.getvalue()


def _safe(cell: object) -> object:
    """A text from outside that no spreadsheet takes for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(DANGEROUS) else cell


def _tag(key: str, value: object) -> str:
    """A tag of an SDF; line breaks and brackets in it would end it."""
    text = " ".join(str(value).split())
    name = "".join(c for c in key if c not in "<>\n\r") or "column"
    return f">  <{name}>\n{text}\n\n"
