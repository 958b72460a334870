"""A report opens at once, by keys, and can be read in either theme."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from onekcal import datasets as store
from onekcal.data.dataset import Column, Dataset
from onekcal.molecules import Molecules
from onekcal.show.pages import report as report_of
from onekcal.show.pages import view
from onekcal.show.pages.finished import Finished, finished
from onekcal.show.pages.report import render, report
from support.browser import CONTRASTS, SILENT

MANY = 13_000
YARDSTICK = "(() => { let s = 0; for (let i = 0; i < 1e7; i++) s += Math.sin(i); return s })()"
LIMIT = 20.0
"""Processor time until the first plot of MANY points stands, in units of that of YARDSTICK.

Measured: 5 units, of 0.1 s each.
"""
DRAWN = "performance.getEntriesByName('parity').length === 1"


def many(runs: Path, count: int) -> Finished:
    """A run on `count` molecules of 18 atoms, made up."""
    one = finished(runs / "atoms")
    rng = np.random.default_rng(0)
    reference = rng.normal(-1800, 300, count)
    error = rng.normal(0, 5, count)
    molecules = Molecules(
        torch.from_numpy(rng.choice([1, 6, 8], 18 * count)),
        torch.from_numpy(rng.normal(0, 2, (18 * count, 3))),
        torch.arange(0, 18 * count + 1, 18),
    )
    one.names = [f"molecule {row}" for row in range(count)]
    one.columns = {
        "reference": reference,
        "predicted": reference + error,
        "error": error,
        "novelty": np.abs(rng.normal(1, 0.3, count)),
    }
    one.test = Dataset(molecules, {"b3lyp": Column(torch.from_numpy(reference))}, "b3lyp")
    one.atoms = {}
    return one


def test_a_report_of_13000_molecules_opens_at_once(
    runs: Path, tmp_path: Path, open_page: Callable
) -> None:
    empty, page = tmp_path / "empty.html", tmp_path / "many.html"
    empty.write_text("<!doctype html><html data-ready='yes'><title>empty</title>", encoding="utf-8")
    page.write_text(render([many(runs, MANY)], np.arange(MANY)), encoding="utf-8")
    tab = open_page(empty)
    nothing = tab.seconds()
    tab.run(YARDSTICK)
    unit = tab.seconds() - nothing
    tab.open(page)
    tab.wait(DRAWN)
    taken = tab.seconds() - nothing - unit
    assert tab.run("cloud.xs.length") == MANY
    assert taken < LIMIT * unit, f"{taken:.2f} s of a processor; the yardstick takes {unit:.2f}"


def test_130000_points_are_decimated_and_the_page_says_so(
    runs: Path, tmp_path: Path, open_page: Callable
) -> None:
    run = many(runs, 130_000)
    rows = report_of._drawn([run])
    page = tmp_path / "page.html"
    page.write_text(render([run], rows), encoding="utf-8")
    tab = open_page(page)
    tab.wait(DRAWN)
    assert tab.run("cloud.xs.length") == len(rows) == report_of.MOST
    assert "20,000 of 130,000 molecules are drawn" in tab.run("document.body.textContent")
    worst = run.names[np.abs(run.columns["error"]).argmax()]
    assert tab.run("document.getElementById('molecule').dataset.chosen") == worst


@pytest.mark.parametrize(("count", "lost"), [(1, 0), (40, 3), (40, 40)])
def test_a_page_of_little_or_without_numbers_opens(
    count: int, lost: int, runs: Path, tmp_path: Path, open_page: Callable
) -> None:
    run = many(runs, count)
    run.columns["error"][:lost] = run.columns["predicted"][:lost] = np.nan
    (tmp_path / "page.html").write_text(render([run], np.arange(count)), encoding="utf-8")
    tab = open_page(
        tmp_path / "page.html", height=3000
    )  # errors of the page fail when it is closed
    tab.wait(DRAWN)
    tab.wait("document.getElementById('tail').dataset.drawn === 'yes'")
    said = tab.run("document.body.textContent")
    assert (f"{lost} of {count} predictions are not a number" in said) == (lost > 0)
    assert ("Only 1 test molecule:" in said) == (count == 1)


def test_tab_and_enter_show_one_of_the_worst(
    runs: Path, tmp_path: Path, open_page: Callable
) -> None:
    tab = open_page(report([runs / "atoms"], tmp_path / "page.html").path)
    order = np.argsort(-np.abs(finished(runs / "atoms").columns["error"]), kind="stable")
    for _ in range(40):
        tab.press("Tab")
        if tab.run("document.activeElement.dataset.molecule !== undefined"):
            break
    tab.press("Tab")
    tab.press("Enter")
    assert (
        tab.run("document.getElementById('molecule').dataset.chosen")
        == finished(runs / "atoms").names[order[1]]
    )
    assert tab.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_a_run_without_forces_offers_none(runs: Path, tmp_path: Path, open_page: Callable) -> None:
    hidden = "document.getElementById({!r}).hidden"
    drawn = "document.getElementById('scene').getAttribute('aria-label').includes(',')"
    shutil.copytree(runs / "hipnn", tmp_path / "none")
    (tmp_path / "none" / "atoms.npz").unlink()
    for folder, found in ((runs / "hipnn", False), (tmp_path / "none", True)):
        tab = open_page(report([folder], tmp_path / f"{folder.name}.html").path)
        tab.wait(drawn)
        assert (
            tab.run(hidden.format("predicted-arrows"))
            is tab.run(hidden.format("coloring"))
            is found
        )


@pytest.mark.parametrize("kind", ["report", "view"])
def test_text_can_be_read_and_what_is_no_text_has_words(
    kind: str, runs: Path, tmp_path: Path, open_page: Callable
) -> None:
    page = tmp_path / "page.html"
    if kind == "report":
        report([runs / "hipnn", runs / "atoms"], page)
    else:
        view.save(
            view.with_energy(store.load("mini-frames").dataset), list(range(5)), page, "frames"
        )
    tab = open_page(page, height=4000)
    tab.wait("document.querySelector('.plot text') !== null")
    for dark in (False, True):
        tab.dark(dark)
        tab.wait(f"matchMedia('(prefers-color-scheme: dark)').matches === {str(dark).lower()}")
        tab.run(
            "new Promise(done => setTimeout(done, 300))"
        )  # plots are drawn again in the other colours
        found = tab.run(CONTRASTS)
        assert len(found) > 10
        assert not [one for one in found if one[0] < 4.5], f"dark: {dark}"
    assert tab.run(SILENT) == []
