"""What a newcomer stumbled over in `label`."""

from __future__ import annotations

from pathlib import Path

import pytest

from onekcal import datasets
from support.command import onekcal

SMILES = "CCO ethanol\nC methane\nO water\n"


@pytest.fixture
def labelled(in_empty_folder: Path) -> Path:
    """A folder with molecules.smi, and its GFN1 labels in labels.h5."""
    (in_empty_folder / "molecules.smi").write_text(SMILES)
    words = ("label", "molecules.smi", "labels.h5", "--method", "gfn1", "--workers", "1", "--json")
    assert onekcal(*words, cwd=in_empty_folder).returncode == 0
    return in_empty_folder


def columns(path: Path) -> list[str]:
    return sorted(datasets.load(str(path)).dataset.columns)


def test_labels_of_another_method_are_not_replaced_silently(labelled: Path) -> None:
    done = onekcal("label", "molecules.smi", "labels.h5", "--workers", "1", "--json", cwd=labelled)
    assert done.returncode == 2
    assert "labels.h5 exists, and column gfn1 would be deleted" in done.stderr
    assert "--overwrite" in done.stderr
    assert columns(labelled / "labels.h5") == ["gfn1"]


def test_labels_of_other_molecules_are_not_replaced_silently(labelled: Path) -> None:
    (labelled / "molecules.smi").write_text("CCO ethanol\n")
    words = ("label", "molecules.smi", "labels.h5", "--method", "gfn1", "--workers", "1", "--json")
    done = onekcal(*words, cwd=labelled)
    assert done.returncode == 2
    assert "2 of its 3 molecules would be deleted" in done.stderr


def test_a_second_method_is_added_to_the_molecules_of_a_file(labelled: Path) -> None:
    words = ("label", "labels.h5", "labels.h5", "--workers", "1", "--json")
    assert onekcal(*words, cwd=labelled).returncode == 0
    assert columns(labelled / "labels.h5") == ["gfn1", "gfn2"]


def test_relaxing_a_file_in_place_does_not_drop_its_labels_silently(labelled: Path) -> None:
    words = ("label", "labels.h5", "labels.h5", "--relax", "--workers", "1", "--json")
    assert "column gfn1 would be deleted" in onekcal(*words, cwd=labelled).stderr


def test_the_same_command_runs_again_and_overwrite_replaces(labelled: Path) -> None:
    same = ("label", "molecules.smi", "labels.h5", "--method", "gfn1", "--workers", "1", "--json")
    assert onekcal(*same, cwd=labelled).returncode == 0
    other = ("label", "molecules.smi", "labels.h5", "--workers", "1", "--json", "--overwrite")
    assert onekcal(*other, cwd=labelled).returncode == 0
    assert columns(labelled / "labels.h5") == ["gfn2"]
