"""Fields that are in files, whoever wrote them, are shown as what they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from onekcal.data.dataset import Dataset
from onekcal.errors import DataError, InputError
from onekcal.fields.compute import request
from onekcal.fields.cube_file import write_cube
from onekcal.fields.fill import fill
from onekcal.fields.portrait import portraits
from onekcal.molecules import Molecules
from onekcal.show.notebook import show
from onekcal.show.pages import voxels
from onekcal.show.sources import is_field, portraits_of
from onekcal.show.stored_fields import portraits_in, read_cube
from onekcal.units import BOHR


def a_cube(
    path: Path, counts: tuple[int, int, int], steps: np.ndarray, first: np.ndarray, count: int = 1
) -> np.ndarray:
    """A helium atom at (1, 2, 3) Å and a field that grows by 1 an Å along x, 10 along y and 100
    along z.
    """
    at = first + np.stack(np.meshgrid(*map(np.arange, counts), indexing="ij"), -1) @ steps
    values = at @ np.array([1.0, 10.0, 100.0])
    lines = ["slope", "", f"{count} " + " ".join(f"{x / BOHR:.6f}" for x in first)]
    lines += [f"{n} " + " ".join(f"{x / BOHR:.6f}" for x in step) for n, step in zip(counts, steps)]
    lines += ["2 2.0 " + " ".join(f"{x / BOHR:.6f}" for x in (1, 2, 3))]
    lines += ["1 7"] if count < 0 else []
    path.write_text(
        "\n".join([*lines, " ".join(f"{value:.6e}" for value in values.ravel())]), encoding="utf-8"
    )
    return values


def slope_at(portrait: object, values: np.ndarray) -> np.ndarray:
    """What the field of `a_cube` is at the voxels of a portrait, from where its atom lies in it."""
    n = len(values)
    line = (np.arange(n) + 0.5) * portrait.box / n - portrait.box / 2
    points = np.stack(np.meshgrid(line, line, line, indexing="ij"), -1)
    return (points - portrait.placed.positions.numpy()[0] + [1, 2, 3]) @ np.array(
        [1.0, 10.0, 100.0]
    )


def test_our_own_cube_is_read_back(tmp_path: Path, water: Molecules) -> None:
    (one,) = portraits(water, request(["nep"], n=9), fine=False)
    write_cube(tmp_path / "nep.cube", one.placed, one.voxels, one.box, one.title)
    found = read_cube(tmp_path / "nep.cube")
    assert found.box == pytest.approx(one.box, abs=1e-4)
    assert found.voxels == pytest.approx(one.voxels, rel=1e-5)
    assert found.placed.positions.numpy() == pytest.approx(one.placed.positions.numpy(), abs=1e-4)
    assert (found.name, found.title) == ("nep", one.title)


@pytest.mark.parametrize("count", [1, -1])
def test_a_cube_elsewhere_is_moved_with_its_molecule(tmp_path: Path, count: int) -> None:
    values = a_cube(
        tmp_path / "a.cube", (6, 6, 6), 0.5 * np.eye(3), np.array([0.0, 1.0, 2.0]), count
    )
    found = read_cube(tmp_path / "a.cube")
    assert found.voxels == pytest.approx(values, rel=1e-5)
    assert slope_at(found, found.voxels) == pytest.approx(values, abs=1e-3)


def test_unequal_and_skew_grids_are_sampled_again(tmp_path: Path) -> None:
    skew = np.array([[0.4, 0.0, 0.0], [0.1, 0.5, 0.0], [0.0, 0.0, 0.3]])
    a_cube(tmp_path / "a.cube", (9, 7, 12), skew, np.array([-0.5, 0.5, 1.5]))
    found = read_cube(tmp_path / "a.cube")
    inside = found.voxels != 0
    assert inside.mean() > 0.3
    whole = np.zeros_like(inside)
    whole[1:-1, 1:-1, 1:-1] = (
        inside[1:-1, 1:-1, 1:-1] & inside[:-2, 1:-1, 1:-1] & inside[2:, 1:-1, 1:-1]
    )
    assert found.voxels[whole] == pytest.approx(slope_at(found, found.voxels)[whole], abs=0.05)


def test_a_cut_off_cube_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.cube"
    a_cube(path, (4, 4, 4), np.eye(3), np.zeros(3))
    path.write_text(path.read_text()[:-20])
    with pytest.raises(DataError, match="6[0-9] values, not 64"):
        read_cube(path)
    path.write_text("x")
    with pytest.raises(DataError, match="is not a whole .cube file"):
        read_cube(path)
    with pytest.raises(DataError, match="no file"):
        read_cube(tmp_path / "none.cube")
    a_cube(path, (4, 4, 4), np.eye(3), np.zeros(3))
    with pytest.raises(InputError, match="--molecule must be 0, got 2"):
        portraits_in(path, 2)
    with pytest.raises(InputError, match="brings its own fields"):
        portraits_of(str(path), 0, "lol")


def test_a_store_shows_the_fields_of_its_row(tmp_path: Path, water: Molecules) -> None:
    two = Molecules.concatenate([water.moved(1.1 * water.positions), water])
    what = request(["nep", "atom:O"], n=8)
    fill(tmp_path / "f.h5", two, what, quiet=True)
    assert is_field(str(tmp_path / "f.h5"))
    found, title = portraits_in(tmp_path / "f.h5", 1)
    expected = portraits(water, what, fine=False)
    assert title == "water"
    for one, other in zip(found, expected):
        assert (one.name, one.box) == (other.name, other.box)
        assert one.voxels == pytest.approx(other.voxels, rel=1e-6)
    with pytest.raises(InputError, match="must be from 0 to 1 in f.h5, got 2"):
        portraits_in(tmp_path / "f.h5", 2)


def test_a_gif_goes_through_all_layers(tmp_path: Path, water: Molecules) -> None:
    voxels.save(portraits(water, request(["nep"], n=5), fine=False), tmp_path / "a.gif", "water")
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.n_frames == 5
        frames = []
        for k in range(5):
            gif.seek(k)
            frames.append(np.asarray(gif.convert("RGB"), dtype=float))
    assert all(np.abs(one - other).max() > 50 for one, other in zip(frames, frames[1:]))
    left = [
        frame[:, : frame.shape[1] // 3] for frame in frames
    ]  # the surface stays, up to the 256 colours of a frame
    assert max(np.abs(left[0] - one).mean() for one in left) < 1


def test_a_notebook_shows_what_is_in_memory_and_what_a_file_holds(
    tmp_path: Path, water: Molecules
) -> None:
    assert "H2O" in show(water).html
    assert "H2O" in show(Dataset(water)).html
    assert 'id="slice"' in show(water, field="nep").html
    a_cube(tmp_path / "a.cube", (4, 4, 4), np.eye(3), np.zeros(3))
    assert 'id="slice"' in show(tmp_path / "a.cube").html
    with pytest.raises(InputError, match="got Tensor"):
        show(torch.zeros(3))
