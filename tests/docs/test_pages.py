"""Pages look in the site as they look in an editor."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
FENCED = re.compile(r"^( *)```.*?^\1```", re.M | re.S)
NESTED = re.compile(r"^ {1,3}(?:[-*]|\d+\.) ", re.M)


def _flattened(text: str) -> list[str]:
    """Items of inner lists that the site would show as items of the outer list.

    The site's Markdown takes four spaces for one step inwards.
    """
    return NESTED.findall(FENCED.sub("", text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_inner_lists_stay_inner_lists(page: Path) -> None:
    assert _flattened(page.read_text(encoding="utf-8")) == []


def test_an_inner_list_with_two_spaces_is_noticed() -> None:
    assert _flattened("- outer\n  - inner\n") == ["  - "]
    assert _flattened("- outer\n    - inner\n\n```yaml\nstages:\n  - hipnn\n```\n") == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_page_has_one_title(page: Path) -> None:
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    assert text.startswith("# ")
    assert len(re.findall(r"^# ", text, re.M)) == 1
