"""On a phone nothing overlaps, and a table that is too wide is scrolled in its own box."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from onekcal.datasets import load
from onekcal.fields.portrait import Portrait
from onekcal.show.pages import voxels
from onekcal.show.pages.report import report

WIDTH = 390
OVERLAPPING = """(() => {
  const shown = [...document.querySelectorAll('button, select, input, label')].filter(
    one => one.offsetParent !== null);
  return shown.flatMap((one, k) => shown.slice(k + 1).filter(other => {
    if (one.contains(other) || other.contains(one)) return false;
    const [a, b] = [one.getBoundingClientRect(), other.getBoundingClientRect()];
    return Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
      && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1;
  }).map(other => one.id + ' and ' + other.id));
})()"""
CUT = """[...document.querySelectorAll('table')].filter(one => {
  const box = one.closest('.wide') || one.parentElement;
  return one.scrollWidth > box.clientWidth + 1 && getComputedStyle(box).overflowX !== 'auto';
}).length"""


def test_no_two_controls_of_a_field_s_page_overlap(tmp_path: Path, open_page: Callable) -> None:
    values = np.indices((8, 8, 8)).sum(0) / 21
    molecule = load("mini").dataset.molecules[0]  # H2
    one = Portrait("lol", "localized orbital locator", molecule, values, 6.0, values, 6.0)
    voxels.html([one], tmp_path / "field.html", "H2")
    tab = open_page(tmp_path / "field.html", width=WIDTH)
    assert tab.run(OVERLAPPING) == []
    tab.run("document.querySelector('.grow').style.minWidth = 0")  # as it was
    assert tab.run(OVERLAPPING) != []


def test_tables_of_a_report_are_scrolled_and_not_cut(
    runs: Path, tmp_path: Path, open_page: Callable
) -> None:
    page = report([runs / "hipnn", runs / "atoms"], tmp_path / "page.html").path
    tab = open_page(page, width=WIDTH)
    assert tab.run(OVERLAPPING) == []
    assert tab.run(CUT) == 0
    assert tab.run("document.documentElement.scrollWidth") <= WIDTH
    tab.run("document.querySelector('.wide').style.overflowX = 'hidden'")
    assert tab.run(CUT) == 1
