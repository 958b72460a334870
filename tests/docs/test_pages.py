"""Pages look in the site as they look in an editor."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
FENCED = re.compile(r"^( *)```.*?^\1```", re.M | re.S)
NESTED = re.compile(r"^ {1,3}(?:[-*]|\d+\.) ", re.M)
GLUED = re.compile(r"^ {4}.*\n\d+\. ", re.M)


def _flattened(text: str) -> list[str]:
    """Items that the site would show at another depth of a list than they have.

    The site's Markdown takes four spaces for one step inwards. It takes an item that follows an
    indented paragraph without an empty line for a part of the paragraph.
    """
    prose = FENCED.sub("", text)
    return NESTED.findall(prose) + GLUED.findall(prose)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_inner_lists_stay_inner_lists(page: Path) -> None:
    assert _flattened(page.read_text(encoding="utf-8")) == []


def test_a_list_that_the_site_would_flatten_is_noticed() -> None:
    assert _flattened("- outer\n  - inner\n") == ["  - "]
    assert len(_flattened("1. one\n\n    more\n2. two\n")) == 1
    assert _flattened("- outer\n    - inner\n\n```yaml\nstages:\n  - hipnn\n```\n") == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_page_has_one_title(page: Path) -> None:
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    assert text.startswith("# ")
    assert len(re.findall(r"^# ", text, re.M)) == 1
