"""The code in the pages, and what of it runs.

Blocks of Python run unless a comment `<!-- does not run: … -->` before them says why not. Of
console blocks the lines behind `$` run. Shell blocks run behind a comment `<!-- runs -->`.
"""

from __future__ import annotations

import re

BLOCK = re.compile(
    r"(?:^<!-- (?P<remark>runs|does not run: .+?) -->\n)?^```(?P<language>\w+)\n(?P<code>.*?)^```$",
    re.M | re.S,
)


def blocks(text: str, language: str) -> list[tuple[str, str]]:
    """The code of each block of a page, and the remark before it."""
    return [
        (match["code"], match["remark"] or "")
        for match in BLOCK.finditer(text)
        if match["language"] == language
    ]


def python(text: str) -> str:
    """What runs of a page's Python."""
    return "\n".join(
        code for code, remark in blocks(text, "python") if not remark.startswith("does not run")
    )


def shell(text: str) -> list[str]:
    """The shell lines of a page that run."""
    typed = [line for code, _ in blocks(text, "console") for line in code.splitlines()]
    marked = [
        line
        for code, remark in blocks(text, "sh")
        for line in code.splitlines()
        if remark == "runs"
    ]
    return [line.removeprefix("$ ") for line in typed if line.startswith("$ ")] + marked
