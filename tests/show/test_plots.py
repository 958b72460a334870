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


def test_a_figure_is_saved_as_html_alone(tmp_path: Path) -> None:
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
