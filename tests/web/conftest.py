"""Pages are looked at in a real browser; where there is none these tests are skipped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

browser = pytest.importorskip(
    "support.browser", reason="needs websockets: pip install onekcal[test]"
)


@pytest.fixture
def open_page(chromium: browser.Chromium) -> Iterator[Callable[..., browser.Browser]]:
    """Open a page in a tab of its own; afterwards nothing may have been asked of the network."""
    tabs: list[browser.Browser] = []

    def opened(page: Path, **window: object) -> browser.Browser:
        tab = browser.Browser(chromium, **window)
        tabs.append(tab)
        tab.open(page)
        return tab

    yield opened
    for tab in tabs:
        tab.close()
        outside = [url for url in tab.requests if not url.startswith(("file:", "data:", "blob:"))]
        assert not outside, outside
        assert not tab.errors, tab.errors


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """HIP-NN on frames with forces, and dressed atoms on the same."""
    from onekcal.runs.experiment import Experiment
    from onekcal.runs.run import run

    folder = tmp_path_factory.mktemp("runs")
    data = {"set": "mini-frames", "target": "b3lyp", "train": 100, "valid": 20, "test": 30}
    for name, stages, fit in (
        ("hipnn", [{"hipnn": {"features": 4, "onsite": 0}}], {"recipe": "fast", "epochs": 3}),
        ("atoms", ["dressed_atoms"], {}),
    ):
        run(
            Experiment.model_validate({"data": data, "stages": stages, "fit": fit}),
            folder / name,
            "test",
        )
    return folder
