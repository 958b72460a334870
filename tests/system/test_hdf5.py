"""Texts in HDF5 files."""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest

from onekcal.system.hdf5 import fixed, word


@pytest.mark.parametrize("text", ["", "kcal/mol/Å", "ΔfH of ☃", "a" * 3000])
def test_a_text_comes_back_and_stands_in_no_heap(tmp_path: Path, text: str) -> None:
    with h5py.File(tmp_path / "a.h5", "w", libver="latest") as file:
        file.attrs["text"] = fixed(text)
        file.attrs["free"] = text
    with h5py.File(tmp_path / "a.h5") as file:
        assert word(file.attrs["text"]) == text
        assert word(file.attrs["free"]) == text
        assert not file.attrs.get_id("text").get_type().is_variable_str()
        assert file.attrs.get_id("free").get_type().is_variable_str()  # the control


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a text, got int"):
        word(3)
