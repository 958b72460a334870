"""What all verbs share: the options for machines, JSON output, and examples in the help."""

from __future__ import annotations

import json
import math
import shlex
import sys
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print CSV for machines.")]


def print_json(content: object) -> None:
    """Print JSON on standard output; NaN and infinities become null, as JSON has neither.

    Parameters
    ----------
    content
        Dicts, lists, tuples, strings, numbers, booleans and None, nested as you like.
    """
    print(json.dumps(_finite(content), indent=1, allow_nan=False))


def command_line() -> str:
    """Return what the user typed, for the provenance; without the folder of the program."""
    return shlex.join(["onekcal", *sys.argv[1:]])


def _finite(content: object) -> object:
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def print_step(molecule: str, step: str) -> None:
    """Say on a terminal what is being computed.

    Parameters
    ----------
    molecule
        Its name.
    step
        What begins.
    """
    if sys.stderr.isatty():
        print(f"onekcal: {molecule}: {step} …", file=sys.stderr)


def examples(*lines: str) -> str:
    """The end of a verb's help.

    Parameters
    ----------
    *lines
        Commands without the leading `onekcal`.

    Returns
    -------
    str
        A paragraph that the help does not wrap.
    """
    return "\b\nExamples:\n" + "\n".join(f"  onekcal {line}" for line in lines)
