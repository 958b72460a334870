"""The page of signals in a real browser: desktop, phone, dark, and its two choices."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from onekcal.show.pages import trust
from onekcal.signals.compare import compare
from onekcal.signals.subject import of_run
from support.browser import CONTRASTS, SILENT

DRAWN = "document.getElementById('risk').dataset.drawn === 'yes'"
SHOWN = "[...document.querySelectorAll('h3')].filter(h => h.offsetParent).map(h => h.textContent)"
CHOOSE = """(() => {{
  const box = document.getElementById('{name}');
  box.value = '{value}';
  box.dispatchEvent(new Event('change'));
}})()"""


@pytest.fixture(scope="session")
def page(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    compared = compare([of_run(runs / "hipnn"), of_run(runs / "atoms")])
    return trust.save(compared, tmp_path_factory.mktemp("trust") / "trust.html")


def test_the_chosen_run_and_signal_are_shown(page: Path, open_page: Callable) -> None:
    tab = open_page(page, height=2400)
    tab.wait(DRAWN)
    assert {"R", "laplace", "apart from atoms"} <= set(tab.run(SHOWN))
    tab.wait("document.getElementById('figure-0-0').dataset.drawn === 'yes'")
    tab.run(CHOOSE.format(name="signal", value="R"))
    tab.wait("document.getElementById('parts').textContent.includes('follows R')")
    tab.run(CHOOSE.format(name="run", value="1"))
    assert set(tab.run(SHOWN)) == {"size", "apart from hipnn"}


def test_a_phone_shows_it_without_sideways_scrolling(page: Path, open_page: Callable) -> None:
    tab = open_page(page, width=390)
    tab.run("document.getElementById('risk').scrollIntoView()")  # plots are drawn when seen
    tab.wait(DRAWN)
    assert tab.run("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("dark", [False, True])
def test_every_text_can_be_read_and_heard(page: Path, open_page: Callable, dark: bool) -> None:
    tab = open_page(page, dark=dark)
    tab.wait(DRAWN)
    assert tab.run(SILENT) == []
    assert [found for found in tab.run(CONTRASTS) if found[0] < 4.5] == []
