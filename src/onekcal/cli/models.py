"""The verb `models`: the stages that an experiment may have, and their settings."""

from __future__ import annotations

from typing import Annotated

import typer

from onekcal.cli.console import Json, print_json


def models(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Only these stages; also module:Class for a model of your own."),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the stages of an experiment with their settings, defaults, types and meaning."""
    from onekcal.show import stages, study

    listed = stages.stages(names)
    if as_json:
        print_json([stage.to_dict() for stage in listed])
        return
    for stage in listed:
        study.stage(stage)
