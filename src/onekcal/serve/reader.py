"""Uploads are read in a process of their own, with limits on its memory and time.

A file comes from a stranger: what breaks a parser breaks only this process. It reads one file and
writes a line of JSON for each molecule, with every column of its row. A molecule that cannot be
read becomes a line with a `bad`, in its place.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from onekcal.serve.messages import plain

Row = dict[str, Any]
"""One molecule of a file, as a task of a worker, and the `columns` that came with it."""


def main(source: str, target: str, asked: str, memory: int, seconds: int, most: int) -> None:
    """Read a file, and print a JSON line that says how many rows it has or what is wrong.

    Parameters
    ----------
    source
        The file; its ending names the format.
    target
        Where the rows are written.
    asked
        JSON with `length` and `smiles_column`, as in `Options`.
    memory, seconds
        Bytes and processor seconds that this process may take.
    most
        Rows that are taken.
    """
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    from onekcal.errors import OnekcalError

    total = 0
    try:
        with Path(target).open("w", encoding="utf-8") as out:
            for row in rows(source, **json.loads(asked)):
                total += 1
                if total > most:
                    return _say(problem=f"{source} has more than {most:,} molecules; split it")
                out.write(json.dumps(row) + "\n")
    except OnekcalError as problem:
        return _say(problem=plain(" ".join(str(problem).split())))
    except MemoryError:
        return _say(problem=f"{source} needs more memory than a file may take here")
    _say(total=total)


def _say(**content: object) -> None:
    print(json.dumps(content))


def rows(source: str, length: str | None = None, smiles_column: str | None = None) -> Iterator[Row]:
    """Read the rows of a file.

    Parameters
    ----------
    source
        The file.
    length, smiles_column
        As in `Options`.
    """
    ending = Path(source).suffix.lower()
    if ending in (".csv", ".tsv"):
        yield from _table(source, smiles_column)
    else:
        yield from _questions(source, length)


def _table(source: str, smiles_column: str | None) -> Iterator[Row]:
    from onekcal.errors import InputError
    from onekcal.io.smiles_lines import csv_lines

    empty = True
    with open(source, encoding="utf-8-sig", errors="replace") as lines:
        for line in csv_lines(lines, source, smiles_column):
            empty = False
            row: Row = {"source": line.place, "name": line.name, "smiles": line.smiles}
            if not line.smiles:
                row["bad"] = f"{line.place}: no SMILES in this row"
            yield row | {"columns": dict(line.cells)}
    if empty:
        raise InputError(f"{source} is empty; expected at least one molecule")


def _questions(source: str, length: str | None) -> Iterator[Row]:
    from onekcal.prediction.questions import questions

    for question in questions([source], length):
        row: Row = {
            "source": question.source,
            "name": question.name,
            "columns": dict(question.columns),
        }
        if question.problem:
            row["bad"] = question.problem
        elif question.molecule is None:
            row["smiles"] = question.smiles
        else:
            one = question.molecule
            row |= {
                "numbers": one.numbers.tolist(),
                "positions": one.positions.tolist(),
                "charge": int(one.charges[0]),
                "spin": int(one.spins[0]),
            }
        yield row


if __name__ == "__main__":
    source, target, asked, *numbers = sys.argv[1:]
    main(source, target, asked, *map(int, numbers))
