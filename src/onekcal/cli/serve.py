"""The verb `serve`: the web page and its API."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from onekcal.errors import MissingExtra


def serve(
    host: Annotated[
        str, typer.Option(help="Where to listen; beyond this machine a token is needed.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port.")] = 8000,
    model: Annotated[
        str, typer.Option(help="A model that ships, a run folder or a model file.")
    ] = "g4mp2",
    workers: Annotated[
        int | None, typer.Option(help="Processes that compute; default: one a core, at least 2.")
    ] = None,
    runs: Annotated[
        list[Path] | None,
        typer.Option(help="A folder with runs, whose reports are shown (repeatable)."),
    ] = None,
    token: Annotated[
        str,
        typer.Option(
            envvar="ONEKCAL_TOKEN",
            help="What a reader must know; beyond this machine one is made up.",
        ),
    ] = "",
    browser: Annotated[bool, typer.Option("--browser", help="Open the page in a browser.")] = False,
) -> None:
    """Serve a page to draw molecules and read their energies, and a JSON API.

    Nothing leaves this machine. The page works without a network.
    """
    check_packages()
    from onekcal.serve.app import Settings
    from onekcal.serve.server import run

    settings = Settings(
        model=model,
        workers=workers or max(2, os.cpu_count() or 2),
        runs=tuple(runs or [Path("runs")]),
        token=token,
    )
    run(settings, host, port, browser)


def check_packages() -> None:
    """Say how to get what the page needs, where it is not installed."""
    for package in ("fastapi", "uvicorn"):
        if find_spec(package) is None:
            raise MissingExtra(package, "serve", "the web page")
