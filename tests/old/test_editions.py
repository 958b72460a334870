"""One small file of every format, as each edition wrote it, is still read.

`scripts/robustness/corpus.py` wrote the folders. They are never written again: where this test
fails, files of users are lost.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from robustness.corpus import EDITIONS, newest, small
from robustness.readers import READERS, place

from onekcal.datasets import store
from onekcal.fields.voxel_file import open_file
from onekcal.io import read
from onekcal.labels.computed import Store
from onekcal.models.artefact import Artefact
from onekcal.networks.training import checkpoint
from onekcal.runs import folder as runs
from onekcal.show.stored_fields import portraits_in

FOLDERS = sorted(EDITIONS.glob("edition-*"))


@pytest.fixture(params=FOLDERS, ids=lambda folder: folder.name)
def edition(request: pytest.FixtureRequest) -> Path:
    return request.param


def test_every_file_is_read(edition: Path, tmp_path: Path) -> None:
    for k, one in enumerate(one for one in READERS if not one.name.startswith("API")):
        path = place(one, tmp_path / str(k), edition)
        for start in one.starts:
            shutil.copy(edition / start, path)
            one.read(path)


def test_molecules_and_energies_are_those_that_were_written(edition: Path) -> None:
    expected = small()
    for name in ("labels.extxyz", "own.npz", "molecules.sdf"):
        found = read(edition / name)
        assert found.molecules.formulas == ["H2O", "CH4"]
        # sdf keeps four digits of a position
        assert (found.molecules.positions - expected.molecules.positions).abs().max() < 1e-4
        assert (found.columns["energy"].values - expected.energies).abs().max() < 1e-6
        assert found.columns["energy"].level == "g4mp2"
    stored = store.read(edition / "store.h5")
    assert (stored.dataset.columns["energy"].values == expected.energies).all()
    assert stored.splits["first"].tolist() == [0, 2]
    assert stored.card.title == "two molecules"


def test_files_with_texts_in_a_heap_are_read() -> None:
    """The first format of the store, and fields from before texts had a fixed length."""
    folder = EDITIONS / "edition-0.1"
    old, new = (store.read(folder / f"store{name}.h5") for name in ("-format-1", ""))
    assert old.digest == new.digest
    assert old.card == new.card
    fields = [open_file(folder / f"fields{name}.h5", whole=True) for name in ("-with-heap", "")]
    assert fields[0].contents == fields[1].contents
    assert (fields[0].fields == fields[1].fields).all()
    portraits, name = portraits_in(folder / "fields-with-heap.h5", 1)
    assert (portraits[0].name, name) == ("nep", "methane")


def test_models_answer_as_they_did(edition: Path) -> None:
    model = Artefact.load(edition / "model.safetensors")
    energies = model.model.energies(small().molecules)
    assert energies.tolist() == pytest.approx([-232.6, -420.4], abs=0.2)
    assert model.calibration["gfn2"].scores.tolist() == [0.5, 1.0, 2.0]
    tensors, header = checkpoint.load(edition / "checkpoint.safetensors", {"epochs": 3})
    assert (tensors["weight"].tolist(), header["epochs_done"]) == ([1.0] * 3, 1)


def test_a_run_and_a_computed_molecule_are_found(edition: Path, tmp_path: Path) -> None:
    experiment, metrics = runs.load(edition)
    assert (experiment.data.set, metrics["mae"]) == ("mini", 0.5)
    shutil.copy(edition / "computed.json", tmp_path / "key.json")
    found = Store(tmp_path).find("key")
    assert found is not None
    assert found.smiles == "[H][H]"


def test_there_is_an_edition_of_every_reader() -> None:
    assert FOLDERS
    lacking = [one.name for one in READERS for s in one.starts if not (newest() / s).is_file()]
    assert not lacking
