"""Pages are looked at in a real browser; where there is none these tests are skipped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

browser = pytest.importorskip("browser", reason="needs websockets: pip install onekcal[test]")


@pytest.fixture
def open_page(tmp_path: Path) -> Iterator[Callable[..., browser.Browser]]:
    """Open a page in a tab of its own; afterwards nothing may have been asked of the network."""
    if browser.CHROMIUM is None:
        pytest.skip("no chromium")
    tabs: list[browser.Browser] = []

    def opened(page: Path, **window: object) -> browser.Browser:
        tab = browser.Browser(tmp_path / f"profile{len(tabs)}", **window)
        tabs.append(tab)
        tab.open(page)
        return tab

    yield opened
    for tab in tabs:
        tab.close()
        outside = [url for url in tab.requests if not url.startswith(("file:", "data:", "blob:"))]
        assert not outside, outside
        assert not tab.errors, tab.errors
