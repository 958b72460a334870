"""Pictures: they show the data they are given, and an HTML file asks nothing of the network."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from onekcal.errors import InputError
from onekcal.show import plots
from onekcal.show.parity import parity_png
from support.molecules import wobbly


def test_distributions_show_every_energy_and_force_column() -> None:
    figure = plots.distributions(wobbly(20))
    titles = [note.text for note in figure.layout.annotations]
    assert titles == [
        "Molecules by size",
        "Atoms by element",
        "pairs: atomization energy at pair sum",
        "pairs_forces: forces at pair sum",
    ]
    assert sum(figure.data[0].y) == 20
    assert dict(zip(figure.data[1].x, figure.data[1].y)) == {"H": 65, "C": 10, "N": 5, "O": 10}
    assert sum(figure.data[3].y) == 3 * len(wobbly(20).molecules.numbers)


def test_missing_values_are_said_and_not_drawn() -> None:
    dataset = wobbly(20)
    dataset.columns["pairs"].values[3] = float("nan")
    figure = plots.distributions(dataset)
    assert sum(figure.data[2].y) == 19
    assert "1 missing" in figure.layout.xaxis3.title.text


def test_parity_shows_every_molecule_and_its_error() -> None:
    reference = np.array([-400.0, -300.0, -200.0])
    figure = plots.parity(reference, reference + np.array([1.0, -2.0, 0.0]), names=["a", "b", "c"])
    assert figure.data[1].customdata.tolist() == [1.0, -2.0, 0.0]
    assert "MAE 1 kcal/mol, 3 molecules" in figure.layout.title.text
    assert figure.layout.xaxis.range == figure.layout.yaxis.range


def test_the_error_histogram_counts_all_and_says_what_lies_outside() -> None:
    errors = np.append(np.linspace(-3, 3, 999), 500.0)
    figure = plots.error_histogram(errors)
    assert sum(figure.data[0].y) == 1000
    assert "beyond the edges" in figure.layout.title.text
    assert len(figure.layout.shapes) == 2  # where 1 kcal/mol is
    assert not plots.error_histogram(errors / 1000).layout.shapes


@pytest.mark.parametrize("errors", [[54.2, 14.5, 1.28], [0.35, 0.26, 0.25], [3.0, 3.0, 3.0]])
def test_a_learning_curve_has_labels_along_both_axes(errors: list[float]) -> None:
    figure = plots.learning_curve({"one": ([100, 1000, 10_000], errors)})
    for axis in (figure.layout.xaxis, figure.layout.yaxis):
        inside = [t for t in axis.tickvals if axis.range[0] <= np.log10(t) <= axis.range[1]]
        assert len(inside) >= 2
        assert len(inside) <= 12


def test_what_cannot_be_drawn_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"expected two arrays \(M,\) with M ≥ 1, got \(2,\) and \(3,\)"
    ):
        plots.parity(np.zeros(2), np.zeros(3))
    with pytest.raises(InputError, match="not a finite number"):
        plots.error_histogram(np.array([1.0, np.nan]))
    with pytest.raises(InputError, match="must be positive, got 0"):
        plots.learning_curve({"exact": ([10, 100], [1.0, 0.0])})
    with pytest.raises(InputError, match=r"saved as \.html, got 'a\.png'"):
        plots.save(plots.distributions(wobbly(4)), tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


def test_a_saved_figure_loads_nothing_from_outside(tmp_path: Path) -> None:
    plots.save(plots.distributions(wobbly(8)), tmp_path / "a.html")
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert not re.search(r"<(script|link)[^>]+(src|href)=", text)
    assert [p.name for p in tmp_path.iterdir()] == ["a.html"]


def test_the_parity_picture_is_drawn_even_for_one_molecule(tmp_path: Path) -> None:
    for count in (1, 500):
        reference = np.linspace(-2000, -400, count)
        parity_png(tmp_path / f"{count}.png", reference, reference + np.sin(reference))
        assert (tmp_path / f"{count}.png").stat().st_size > 10_000
