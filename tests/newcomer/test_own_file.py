"""`onekcal train FILE`: from a file of energies to a model in one line."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from onekcal import datasets
from onekcal.data.dataset import Dataset
from onekcal.io import write
from onekcal.labels.labelling import label
from onekcal.runs import own_data
from support.command import Done, onekcal

KEPT = ("--set", "stages=[dressed_atoms]", "--json")
"""A model that takes no time; what is tested is the way to it."""


@pytest.fixture(autouse=True)
def _one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_data, "label", partial(label, workers=1))


def mini(count: int) -> Dataset:
    """The smallest molecules of the embedded set."""
    data = datasets.load("mini").dataset
    return data[np.argsort(data.molecules.sizes.numpy(), kind="stable")[:count].tolist()]


def table(path: Path, count: int = 30) -> None:
    data = mini(count)
    rows = zip(data.molecules.names, data.columns["b3lyp"].values.tolist())
    lines = [f"{k},{name},{energy:.4f}" for k, (name, energy) in enumerate(rows)]
    path.write_text("\n".join(["id,smiles,E", *lines]) + "\n")


def train(folder: Path, *words: str) -> Done:
    return onekcal("train", *words, *KEPT, cwd=folder)


def test_a_table_of_smiles_is_learned_in_one_line(in_empty_folder: Path) -> None:
    table(in_empty_folder / "my.csv")
    words = ("my.csv", "--target", "E", "--kind", "atomization", "--at", "electronic")
    done = train(in_empty_folder, *words)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["count"] == 3
    assert "run it again with: onekcal train my.yaml" in done.stderr
    stored = datasets.load(str(in_empty_folder / "my.h5")).dataset
    assert sorted(stored.columns) == ["E", "gfn2"]
    assert stored.columns["E"].kind == "atomization"
    assert not stored.columns["E"].own_geometry  # the geometry is GFN2-xTB's, the energy is not


def test_the_experiment_is_written_and_runs_again(in_empty_folder: Path) -> None:
    table(in_empty_folder / "my.csv")
    words = ("my.csv", "--target", "E", "--kind", "atomization")
    first = json.loads(train(in_empty_folder, *words).stdout)
    text = (in_empty_folder / "my.yaml").read_text()
    assert text.startswith("# Written by: onekcal train my.csv --target E --kind atomization")
    again = json.loads(train(in_empty_folder, "my.yaml", "--overwrite").stdout)
    assert again["mae"] == first["mae"]


def test_geometries_are_made_once(in_empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table(in_empty_folder / "my.csv")
    words = ("my.csv", "--target", "E", "--kind", "atomization", "--set")
    assert train(in_empty_folder, *words, "name=a").returncode == 0
    monkeypatch.setattr(own_data, "label", None)
    assert train(in_empty_folder, *words, "name=b").returncode == 0


def test_energies_of_another_kind_stop_it_before_anything_is_computed(
    in_empty_folder: Path,
) -> None:
    table(in_empty_folder / "my.csv")
    done = train(in_empty_folder, "my.csv", "--target", "E")
    assert done.returncode == 3
    assert "--kind atomization" in done.stderr
    assert not (in_empty_folder / "my.h5").exists()


def test_rows_that_cannot_be_read_are_named_and_left_out(in_empty_folder: Path) -> None:
    table(in_empty_folder / "my.csv")
    with (in_empty_folder / "my.csv").open("a") as file:
        file.write("x,CQ,-3.0\n")
    done = train(in_empty_folder, "my.csv", "--target", "E", "--kind", "atomization")
    assert done.returncode == 0
    assert "my.csv, line 32: 'CQ' is not a SMILES" in done.stderr


def test_a_table_without_the_column_says_so(in_empty_folder: Path) -> None:
    table(in_empty_folder / "my.csv")
    done = train(in_empty_folder, "my.csv", "--target", "F")
    assert done.returncode in (2, 3)
    assert "my.csv has no 'F'" in done.stderr


def test_a_file_with_geometries_is_used_as_it_is(in_empty_folder: Path) -> None:
    write(in_empty_folder / "my.extxyz", mini(40).aimed("b3lyp"))
    done = train(in_empty_folder, "my.extxyz")
    assert done.returncode == 0, done.stderr
    assert not (in_empty_folder / "my.h5").exists()
    content = (in_empty_folder / "my.yaml").read_text()
    assert "set: my.extxyz" in content
    assert "baseline: gfn2" in content


def test_what_is_said_about_a_file_stands_in_its_experiment(in_empty_folder: Path) -> None:
    data = mini(40)
    numbers, positions = data.molecules.pad()
    energies = data.columns["b3lyp"].values.numpy() / 627.5094740631
    np.savez(in_empty_folder / "my.npz", Z=numbers.numpy(), R=positions.numpy(), E=energies)
    words = ("my.npz", "--energy", "hartree", "--kind", "atomization", "--level", "b3lyp")
    assert train(in_empty_folder, *words).returncode == 0
    content = (in_empty_folder / "my.yaml").read_text()
    for said in ("energy: hartree", "kind: atomization", "level: b3lyp"):
        assert said in content


def test_a_data_set_has_its_experiment_in_one_line_too(in_empty_folder: Path) -> None:
    assert train(in_empty_folder, "mini", "--target", "b3lyp").returncode == 0
    assert (in_empty_folder / "mini.yaml").is_file()


def test_an_experiment_that_was_changed_is_not_overwritten(in_empty_folder: Path) -> None:
    (in_empty_folder / "mini.yaml").write_text("{name: mine, data: {set: mini}, stages: []}")
    done = train(in_empty_folder, "mini", "--target", "b3lyp")
    assert done.returncode == 2
    assert "mini.yaml exists and says something else" in done.stderr


@pytest.mark.parametrize(
    "words", [("--target", "b3lypp"), ("--target", "b3lyp", "--correct", "absent")]
)
def test_nothing_is_written_where_it_cannot_run(
    in_empty_folder: Path, words: tuple[str, ...]
) -> None:
    assert train(in_empty_folder, "mini", *words).returncode in (2, 3)
    assert not (in_empty_folder / "mini.yaml").exists()


def test_the_column_of_smiles_may_have_any_name(in_empty_folder: Path) -> None:
    table(in_empty_folder / "my.csv")
    text = (in_empty_folder / "my.csv").read_text().replace("id,smiles,E", "id,what,E")
    (in_empty_folder / "my.csv").write_text(text)
    words = ("my.csv", "--target", "E", "--kind", "atomization")
    refused = train(in_empty_folder, *words)
    assert "--smiles-column says which one it is" in refused.stderr
    assert train(in_empty_folder, *words, "--smiles-column", "what").returncode == 0
