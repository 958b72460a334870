"""The 3-D view: it draws the atoms, bonds and forces it is given, and plays frames in order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from conftest import wobbly
from onekcal.data.dataset import Column, Dataset
from onekcal.errors import InputError
from onekcal.show import plots
from onekcal.show.trajectory import LONGEST, frames_of, scene, with_energy


def test_every_atom_stands_where_it_is() -> None:
    data = wobbly(4)
    atoms = scene(data, [3]).data[1]
    assert np.allclose(np.stack([atoms.x, atoms.y, atoms.z], 1), data.molecules[3].positions.numpy())
    assert list(atoms.text) == ["C 1", "O 2", "H 3", "H 4", "H 5", "H 6"]


def test_bonds_of_methanol_are_drawn_and_no_others() -> None:
    bonds = scene(wobbly(4), [3]).data[0]
    assert len(bonds.x) == 3 * 5  # C–O, three C–H, O–H: two ends and a gap each


def test_arrows_point_along_forces_and_the_longest_has_the_stated_length() -> None:
    data = wobbly(4)
    shafts, tips = scene(data, [0]).data[2:]
    positions, pull = data.molecules[0].positions.numpy(), data[0].forces.numpy()
    drawn = np.stack([tips.x, tips.y, tips.z], 1) - positions
    assert np.linalg.norm(drawn, axis=1).max() == pytest.approx(LONGEST)
    assert np.allclose(drawn, LONGEST / np.linalg.norm(pull, axis=1).max() * pull)
    assert "kcal/mol/Å" in shafts.name


def test_without_forces_there_are_no_arrows() -> None:
    data = wobbly(2)
    assert len(scene(Dataset(data.molecules, {"pairs": data.columns["pairs"]}, "pairs"), [0]).data) == 2
    assert len(scene(Dataset(data.molecules), [0]).data) == 2


def test_frames_play_in_order_and_name_their_energies() -> None:
    data = wobbly(8)
    figure = scene(data, [0, 4], "wobbly")
    assert [frame.name for frame in figure.frames] == ["0", "4"]
    assert f"{float(data.energies[4]):.2f}".replace("-", "−") in figure.frames[1].layout.title.text
    assert [step.label for step in figure.layout.sliders[0].steps] == ["0", "4"]
    assert not scene(data, [0]).frames


def test_frames_are_evenly_spaced_and_in_the_order_they_are_stored() -> None:
    data = wobbly(8)
    assert frames_of(data, 3) == [0, 4, 7]
    assert frames_of(data, 100) == list(range(8))
    with pytest.raises(InputError, match="`frames` must be at least 1"):
        frames_of(data, 0)


def test_the_energy_with_forces_is_shown_unless_another_is_asked_for() -> None:
    data = wobbly(2)
    other = Dataset(data.molecules, {"other": Column(data.energies), **data.columns})
    assert with_energy(other).target == "pairs"
    assert with_energy(other, "other").target == "other"
    with pytest.raises(InputError, match="did you mean 'other'"):
        with_energy(other, "othr")


def test_the_file_holds_everything_it_needs(tmp_path: Path) -> None:
    plots.save(scene(wobbly(4), [0, 1]), tmp_path / "view.html")
    page = (tmp_path / "view.html").read_text(encoding="utf-8")
    assert 'src="http' not in page
