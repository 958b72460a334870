"""Progress in a notebook, and nowhere else."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import onekcal
from onekcal.prediction.options import Options
from onekcal.system import notebook
from onekcal.system.notebook import Line, watched

RESULTS = [SimpleNamespace(problem=""), SimpleNamespace(problem="bad"), SimpleNamespace(problem="")]


class Shown:
    """What a cell shows, line after line."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def display(self, line: Any, display_id: bool) -> Shown:
        assert display_id
        self.update(line)
        return self

    def update(self, line: Any) -> None:
        self.lines.append(str(line))
        assert "<" not in str(line)


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> Shown:
    """The kernel of a notebook, as far as onekcal looks at it."""
    shown = Shown()
    python, display = ModuleType("IPython"), ModuleType("IPython.display")
    python.get_ipython = lambda: SimpleNamespace(kernel=object())  # type: ignore[attr-defined]
    display.display = shown.display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", python)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    monkeypatch.setattr(notebook, "EVERY", 0.0)
    return shown


def test_a_line_counts_results_and_says_how_many_were_refused(cell: Shown) -> None:
    assert list(watched(RESULTS, "answers", 3)) == RESULTS
    assert [line.split(" in ")[0] for line in cell.lines] == [
        "0 of 3 answers",
        "1 of 3 answers",
        "2 of 3 answers",
        "3 of 3 answers",
        "3 answers",
    ]
    assert cell.lines[2].endswith("left; 1 refused")


def test_predict_shows_it_for_a_list_and_not_for_one_molecule(cell: Shown) -> None:
    onekcal.predict("[H]", options=Options(budget=0.0))
    assert not cell.lines
    onekcal.predict(["[H]", "[O]", "[N]"])
    assert cell.lines[-1].startswith("3 answers in ")
    onekcal.react(["CO >> OC"] * 3, rung="learned", free_energies=False)
    assert cell.lines[-1].startswith("3 reactions in ")


def test_elsewhere_nothing_is_shown(cell: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: None)
    assert list(watched(RESULTS, "answers", 3)) == RESULTS
    monkeypatch.delitem(sys.modules, "IPython")
    assert list(watched(RESULTS, "answers", 3)) == RESULTS
    assert not cell.lines


def test_the_line_has_a_bar_and_escapes_what_it_says() -> None:
    line = Line("<b>", 3)
    line.count("")
    html = line._repr_html_()
    assert '<progress value="1" max="3">' in html
    assert "<b>" not in html
