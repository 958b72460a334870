"""Molecules to look at: the page and the pictures hold the atoms, forces and energies they are
given.
"""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from onekcal.data.dataset import Column, Dataset
from onekcal.errors import InputError
from onekcal.molecules import Molecules
from onekcal.show.pages import view
from onekcal.show.render.still import pictures
from support.molecules import wobbly


def data_of(page: str) -> dict:
    return json.loads(
        re.search(r'<script type="application/json" id="data">(.*?)</script>', page)[1]
    )


def unpacked(packed: dict) -> np.ndarray:
    values = np.frombuffer(base64.b64decode(packed["data"]), dtype=f"<{packed['kind']}")
    return values * packed.get("scale", 1)


def test_the_page_holds_atoms_forces_and_energies() -> None:
    data = wobbly(8)
    told, some = data_of(view.html(data, [3, 7], "wobbly")), data[[3, 7]]
    assert unpacked(told["molecules"]["numbers"]).tolist() == some.molecules.numbers.tolist()
    assert unpacked(told["molecules"]["offsets"]).tolist() == some.molecules.offsets.tolist()
    centred = torch.cat([one.positions - one.positions.mean(0) for one in some.molecules])
    # 16 bits over less than 4 Å: steps of 0.1 mÅ
    assert unpacked(told["molecules"]["positions"]) == pytest.approx(
        centred.flatten().numpy(), abs=1e-4
    )
    assert unpacked(told["forces"]) == pytest.approx(some.forces.flatten().numpy(), rel=1e-6)
    assert unpacked(told["energies"]) == pytest.approx(some.energies.numpy(), rel=1e-6)
    assert told["rows"] == [3, 7]


def test_the_page_asks_for_nothing() -> None:
    page = view.html(wobbly(4), [0, 1], "wobbly")
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=[\"'](?!data:)", page)


def test_without_energies_molecules_are_shown_all_the_same() -> None:
    told = data_of(view.html(Dataset(wobbly(2).molecules), [0], "bare"))
    assert told["forces"] is told["energies"] is None


def test_only_frames_of_one_molecule_keep_the_view() -> None:
    data = wobbly(8)  # four molecules, twice
    assert data_of(view.html(data, [0, 4], ""))["alike"]
    assert not data_of(view.html(data, [0, 1], ""))["alike"]


def test_frames_are_evenly_spaced_and_in_the_order_they_are_stored() -> None:
    data = wobbly(10)
    assert view.frames_of(data, 4) == [0, 3, 6, 9]
    assert view.frames_of(data, 100) == list(range(10))
    with pytest.raises(InputError, match="at least 1, got 0"):
        view.frames_of(data, 0)


def test_the_energy_with_forces_is_shown_unless_another_is_asked_for() -> None:
    data = wobbly(2)
    columns = {"other": Column(torch.zeros(2, dtype=torch.float64)), **data.columns}
    both = Dataset(data.molecules, columns)
    assert view.with_energy(both).target == "pairs"
    assert view.with_energy(both, "other").target == "other"
    with pytest.raises(InputError, match="did you mean 'pairs'"):
        view.with_energy(both, "pair")


def test_a_picture_shows_each_atom_in_its_place(water: Molecules) -> None:
    (pixels,) = pictures(water, 200)
    height, width, _ = pixels.shape
    drawn = (pixels < 0.95).any(2)
    assert 0.05 < drawn.mean() < 0.6
    red = (pixels[..., 0] > pixels[..., 2] + 0.15) & drawn
    rows, columns = np.nonzero(red)  # oxygen: between the hydrogens, alone above or below them
    assert abs(columns.mean() - width / 2) < 0.05 * width
    assert abs(rows.mean() - height / 2) > 0.05 * height


def test_forces_are_drawn_and_their_absence_is_not(water: Molecules) -> None:
    blue = [
        int((p[..., 2] > p[..., 0] + 0.3).sum())
        for forces in (None, np.eye(3) * 50.0)
        for p in pictures(water, 200, forces)
    ]
    assert blue[0] == 0 < blue[1]


def test_a_gif_has_a_frame_for_each_molecule_and_a_png_one(tmp_path: Path) -> None:
    data = wobbly(8)
    view.save(data, [0, 4], tmp_path / "a.gif", "")
    view.save(data, [0, 4], tmp_path / "a.png", "")
    with Image.open(tmp_path / "a.gif") as gif, Image.open(tmp_path / "a.png") as png:
        assert (gif.n_frames, png.size[0]) == (2, view.PIXELS)
    with pytest.raises(InputError, match=r"saved as .html, .png or .gif, got 'a.jpg'"):
        view.save(data, [0], tmp_path / "a.jpg", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.gif", "a.png"]
