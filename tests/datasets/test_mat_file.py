"""Arrays of MATLAB files are those that SciPy reads, and damage is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from onekcal.datasets.mat_file import CLASSES, numeric_arrays


@pytest.fixture(params=[False, True], ids=["plain", "packed"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    draw = np.random.default_rng(0)
    content = {f"of_{kind}": draw.uniform(0, 99, (3, 4, 2)).astype(kind) for kind in CLASSES}
    other = {"Z": [[6.0]], "none": np.zeros((0, 3)), "text": "no number", "complex": [[1j]]}
    savemat(tmp_path / "a.mat", content | other, do_compression=request.param)
    return tmp_path / "a.mat"


def test_arrays_are_those_of_scipy(path: Path) -> None:
    ours, theirs = numeric_arrays(path), loadmat(path)
    assert set(ours) == {key for key in theirs if key[0] != "_"} - {"text", "complex"}
    for name, values in ours.items():
        assert values.dtype == theirs[name].dtype
        np.testing.assert_array_equal(values, theirs[name])


@pytest.mark.parametrize("kind", [b"\x31\x00\x00\x00", b"\x08\x00\x00\x00"])
def test_numbers_of_an_unknown_kind_are_refused(tmp_path: Path, kind: bytes) -> None:
    """SciPy looks them up beyond the end of a table, which ends the process."""
    savemat(tmp_path / "a.mat", {"Z": np.full((3, 3), 0.5)})
    content = (tmp_path / "a.mat").read_bytes()
    assert content.count(b"\x09\x00\x00\x00\x48\x00\x00\x00") == 1
    (tmp_path / "a.mat").write_bytes(
        content.replace(b"\x09\x00\x00\x00\x48\x00\x00\x00", kind + b"\x48\x00\x00\x00")
    )
    with pytest.raises(ValueError, match="no numbers of kind"):
        numeric_arrays(tmp_path / "a.mat")


def test_what_is_cut_off_or_of_another_format_is_refused(path: Path) -> None:
    whole = path.read_bytes()
    for content, says in ((whole[:-9], "cut off"), (b"MATLAB 7.3" + whole[10:124], "format 5")):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=says):
            numeric_arrays(path)
