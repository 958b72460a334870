"""Plain lines on the console: text as it is, and names with folded text beside them."""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import wrap

from rich.text import Text

from onekcal.show.study import console

WIDTH = 100
"""Columns of the console at which text is folded."""


def plain(text: str, style: str = "") -> None:
    """Print text as it is: no colouring of numbers, no markup, no folding.

    Parameters
    ----------
    text
        What to print.
    style
        A style of rich, such as "bold"; empty: none.
    """
    console.print(Text(text, style=style), highlight=False, soft_wrap=True)


def grid(rows: Iterable[tuple[str, str]]) -> None:
    """Print names and texts side by side; a text is folded at `WIDTH`.

    Parameters
    ----------
    rows
        Name and text of each row.
    """
    rows = list(rows)
    margin = max((len(name) for name, _ in rows), default=0) + 2
    width = min(WIDTH, console.width) - margin
    for name, text in rows:
        for k, piece in enumerate(wrap(text, width, break_long_words=False) or [""]):
            head = Text(f"{name if k == 0 else '':{margin}s}", style="dim")
            console.print(head + Text(piece, style="not dim"), highlight=False, soft_wrap=True)


def cut(text: str, width: int) -> str:
    """Shorten a text with an ellipsis.

    Parameters
    ----------
    text
        What to shorten.
    width
        The most characters that are kept, the ellipsis among them.

    Returns
    -------
    str
        The text itself where it is short enough.
    """
    return text if len(text) <= width else text[: width - 1] + "…"


def level_name(level: str) -> str:
    """Write a level of theory as readers know it.

    Parameters
    ----------
    level
        As a data set names it, such as "g4mp2"; empty where it is not known.

    Returns
    -------
    str
        Such as "G4(MP2)"; "its reference" for an empty one.
    """
    return "G4(MP2)" if level.lower() in ("g4mp2", "g4(mp2)") else level or "its reference"
