"""The report and the views in a real browser: the right molecule appears, and nothing is asked of
the network.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from onekcal import datasets as store
from onekcal.show.pages import view
from onekcal.show.pages.finished import finished
from onekcal.show.pages.report import report

DRAWN = "document.getElementById('parity').dataset.drawn === 'yes'"
PLACE = """(() => {{
  const at = document.getElementById('parity').getBoundingClientRect(), [x, y] = cloud.place({m});
  return [at.left + x, at.top + y];
}})()"""

SET = """(() => {{
  const box = document.getElementById('{name}');
  box.value = {value};
  box.dispatchEvent(new Event('{event}'));
}})()"""


def test_clicking_a_point_shows_that_molecule(
    runs: Path, tmp_path: Path, open_page: Callable
) -> None:
    tab = open_page(report([runs / "hipnn"], tmp_path / "page.html").path)
    tab.wait(DRAWN)
    found = finished(runs / "hipnn")
    points = np.stack([found.columns["reference"], found.columns["predicted"]], 1)
    apart = np.abs(points[:, None] - points).sum(-1) + 1e9 * np.eye(len(points))
    alone = int(apart.min(1).argmax())  # no other point lies near it
    worst = int(np.abs(found.columns["error"]).argmax())
    assert tab.run("document.getElementById('molecule').dataset.chosen") == found.names[worst]
    tab.wait(
        "document.getElementById('scene').getAttribute('aria-label').startsWith('"
        + found.names[worst][:5]
        + "')"
    )
    tab.click(*tab.run(PLACE.format(m=alone)))
    tab.wait(f"document.getElementById('molecule').dataset.chosen === {found.names[alone]!r}")
    formula = found.test.molecules[alone].formulas[0]
    tab.wait(f"document.getElementById('scene').getAttribute('aria-label').includes({formula!r})")
    error = f"{found.columns['error'][alone]:.2f}".replace("-", "−")
    assert error in tab.run("document.getElementById('facts').textContent")


def test_keys_and_buttons_go_through_molecules_by_error(
    runs: Path, tmp_path: Path, open_page: Callable
) -> None:
    tab = open_page(report([runs / "atoms"], tmp_path / "page.html").path)
    found = finished(runs / "atoms")
    order = np.argsort(-np.abs(found.columns["error"]), kind="stable")
    chosen = "document.getElementById('molecule').dataset.chosen"
    tab.run("document.getElementById('scene').focus()")
    tab.press("ArrowRight")
    assert tab.run(chosen) == found.names[order[1]]
    tab.run("document.querySelectorAll('[data-molecule]')[4].click()")
    assert tab.run(chosen) == found.names[order[4]]
    tab.run("document.getElementById('worse').click()")
    assert tab.run(chosen) == found.names[order[3]]


def test_another_run_is_chosen(runs: Path, tmp_path: Path, open_page: Callable) -> None:
    tab = open_page(report([runs / "hipnn", runs / "atoms"], tmp_path / "page.html").path)
    tab.run(SET.format(name="run", value=1, event="change"))
    found = finished(runs / "atoms")
    worst = found.names[np.abs(found.columns["error"]).argmax()]
    assert tab.run("document.getElementById('molecule').dataset.chosen") == worst
    parts = tab.run(
        "[...document.querySelectorAll('[data-run]')].map(part => [part.dataset.run, part.hidden])"
    )
    assert {run for run, _ in parts} == {"0", "1"}
    assert parts == [[run, run != "1"] for run, _ in parts]


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_a_page_fits_its_window_and_its_theme(
    runs: Path, tmp_path: Path, open_page: Callable, width: int, dark: bool
) -> None:
    tab = open_page(report([runs / "hipnn"], tmp_path / "page.html").path, width=width, dark=dark)
    assert tab.run("document.documentElement.scrollWidth") <= width
    red, green, blue = map(
        int, tab.run("getComputedStyle(document.body).backgroundColor.match(/\\d+/g)")
    )
    assert (red + green + blue < 150) == dark


def test_a_trajectory_is_scrubbed_and_played(tmp_path: Path, open_page: Callable) -> None:
    dataset = view.with_energy(store.load("mini-frames").dataset)
    rows = list(range(15))
    path = tmp_path / "view.html"
    view.save(dataset, rows, path, "frames")
    tab = open_page(path)
    tab.run(SET.format(name="frame", value=7, event="input"))
    assert tab.run("document.getElementById('scene').dataset.frame") == "7"
    energy = f"{dataset.energies[7]:,.2f}".replace("-", "−")
    assert energy in tab.run("document.getElementById('told').textContent")
    tab.run("document.getElementById('play').click()")
    tab.wait("document.getElementById('scene').dataset.frame !== '7'")
    tab.run("document.getElementById('play').click()")
    assert tab.run("document.getElementById('play').getAttribute('aria-pressed')") == "false"
