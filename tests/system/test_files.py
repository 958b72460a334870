"""A file is whole or not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from onekcal.system.files import whole_file


@pytest.mark.parametrize("shared", [False, True])
def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path, shared: bool) -> None:
    path = tmp_path / "a.txt"
    with whole_file(path, shared) as part:
        part.write_text("old")
        assert not path.exists()  # nobody sees the file before it is whole

    def fail() -> None:
        with whole_file(path, shared) as part:
            part.write_text("new")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        fail()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with whole_file(path, shared=True) as part:
        assert str(os.getpid()) in part.name
        (tmp_path / "a.txt.1.part").write_text("of another process")
        part.write_text("mine")
    assert path.read_text() == "mine"
