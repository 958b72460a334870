"""Messages without what they say to readers of the command line alone."""

from __future__ import annotations

import re

FLAG = re.compile(r" \(--[^()]*\)|[;,] --[^();]*")
"""A hint at a flag: in brackets, or at the end of a sentence."""


def plain(message: str) -> str | None:
    """Leave out what a message says of flags; None where there is no message.

    Parameters
    ----------
    message
        For a reader of the command line.
    """
    return FLAG.sub("", message) or None
