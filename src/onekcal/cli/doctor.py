"""The verb `doctor`: what is installed."""

from __future__ import annotations

import typer

from onekcal.cli.console import Json, print_json


def doctor(as_json: Json = False) -> None:
    """Say what is installed, what is missing and how to get it."""
    from onekcal.show import study
    from onekcal.system.surroundings import surroundings

    rows = surroundings()
    print_json(rows) if as_json else study.rows_table("onekcal doctor", rows)
    if any(row["state"] == "broken" for row in rows):
        raise typer.Exit(4)
