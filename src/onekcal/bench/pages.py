"""Tables of results in the pages, and the check that they agree with the results."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from onekcal.bench import orders, papers, peers, suite, tables
from onekcal.bench.tables import markdown
from onekcal.errors import DataError

BLOCK = re.compile(
    r"(<!-- results: (?P<suite>[\w-]+)(?: (?P<only>[^>]*?))? -->\n)(?P<table>.*?)(<!-- end -->)",
    re.S,
)
ALONE = ("speed", "thermochemistry", "serve", "scaling")
"""Measured by a verb of `onekcal bench` and not by the rows of a suite."""
BLOCKS = {"peers": peers.block, orders.NAME: orders.block}
"""Tables of their own: name → their caption and lines."""


def renewed(text: str, results: Path, page: Path | None = None) -> str:
    """Make every table in the text of a page anew.

    Parameters
    ----------
    text
        The page.
    results
        The folder of results.
    page
        Where the page lies; its links to pictures are seen from there. None: no pictures.

    Returns
    -------
    str
        The new text.
    """

    def table(match: re.Match[str]) -> str:
        return (
            match[1]
            + _block(match["suite"], (match["only"] or "").split(), results, page)
            + match[5]
        )

    return BLOCK.sub(table, text)


def _block(name: str, words: list[str], results: Path, page: Path | None) -> str:
    """Caption and table of a suite; of one that has not run yet, how to run it."""
    if name == "papers":
        return markdown(papers.rows(results))
    if name in BLOCKS:
        caption, rows = BLOCKS[name](results)
        return f"{caption}\n\n{markdown(rows)}"
    path = results / f"{name}.json"
    if not path.is_file():
        if name in suite.names() or name in ALONE:
            return f"Not measured yet: `onekcal bench {name}`.\n"
        raise DataError(f"a page asks for {name}, but there is no {path} and no suite of that name")
    found = json.loads(path.read_text(encoding="utf-8"))
    found["rows"] = [row for row in found["rows"] if all(word in row["name"] for word in words)]
    picture = path.with_suffix(".png")
    seen = (
        f"\n![{found['title']}]({os.path.relpath(picture, page.parent)})\n"
        if page and picture.is_file()
        else ""
    )
    return f"{found['title']}; {found['unit']}.\n\n" + markdown(tables.rows(found)) + seen


def check(root: Path, write: bool = False) -> list[str]:
    """Find the pages whose tables disagree with the results.

    Parameters
    ----------
    root
        The folder of the project, with README.md, docs/ and results/.
    write
        Renew the tables.

    Returns
    -------
    list of str
        One sentence for each page.

    Raises
    ------
    DataError
        When a page or results are absent.
    """
    pages = [root / "README.md", *sorted((root / "docs").rglob("*.md"))]
    stale = []
    for page in pages:
        if not page.is_file():
            raise DataError(f"no {page}; run this in the project's folder or pass --root")
        text = page.read_text(encoding="utf-8")
        fresh = renewed(text, root / "results", page)
        if fresh != text:
            stale.append(f"{page}: a table is out of date")
            if write:
                page.write_text(fresh, encoding="utf-8")
    return stale
