"""What an HTML page holds: JSON inside a <script>, and the files of `page/`."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

import numpy as np


def as_json(value: object) -> str:
    """Write JSON that may stand inside a <script>.

    Parameters
    ----------
    value
        Dicts, lists, strings, numbers, booleans and None, nested.

    Returns
    -------
    str
        Numbers that are not finite are null.
    """
    return json.dumps(_finite(value), ensure_ascii=False, separators=(",", ":")).replace(
        "<", "\\u003c"
    )


@cache
def part(name: str) -> str:
    """Read a file of `page/`.

    Parameters
    ----------
    name
        The name of the file.

    Returns
    -------
    str
        Its text; in a script nothing looks like the end of a <script>.
    """
    text = files("onekcal.show").joinpath("page", name).read_text(encoding="utf-8")
    return text.replace("</script", "<\\/script") if name.endswith(".js") else text


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else None
    return value
