"""The store: what goes in comes out, whole or not at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from onekcal import datasets as data
from onekcal.data.dataset import Column, Dataset
from onekcal.datasets import store
from onekcal.datasets.card import Card, Stored
from onekcal.errors import DataError
from onekcal.io import write
from onekcal.molecules import Molecules
from support.molecules import wobbly


def sample() -> Stored:
    made = wobbly(12)
    notes = Column(
        torch.linspace(0, 1, 12, dtype=torch.float64),
        "property",
        "b3lyp",
        unit="D",
        note="µ, ångström",
    )
    total = Column(
        torch.full((12,), -1e5 / 3, dtype=torch.float64), level="g4mp2", kind="total", at="0 K"
    )
    made = made.with_column("mu", notes).with_column("total", total)
    labels = torch.tensor([0, 1, 2, 255] * 3, dtype=torch.uint8)
    return Stored(made, {"odd one": labels}, Card("wobbly", "toy", licence="MIT", molecules=12))


def same(a: Stored, b: Stored) -> bool:
    x, y = a.dataset.molecules, b.dataset.molecules
    tensors = all(
        torch.equal(getattr(x, k), getattr(y, k)) for k in ("numbers", "positions", "offsets")
    )
    extras = (
        torch.equal(x.charges, y.charges)
        and torch.equal(x.spins, y.spins)
        and list(x.names) == list(y.names)
    )
    columns = set(a.dataset.columns) == set(b.dataset.columns) and all(
        torch.equal(c.values, b.dataset.columns[k].values)
        and c.meaning == b.dataset.columns[k].meaning
        and (c.note, c.quantity, c.kind, c.at)
        == (lambda d: (d.note, d.quantity, d.kind, d.at))(b.dataset.columns[k])
        for k, c in a.dataset.columns.items()
    )
    splits = set(a.splits) == set(b.splits) and all(
        torch.equal(v, b.splits[k]) for k, v in a.splits.items()
    )
    return tensors and extras and columns and splits and a.card == b.card


def test_what_goes_in_comes_out_to_the_last_bit(tmp_path: Path) -> None:
    store.save(tmp_path / "x.h5", sample())
    back = store.read(tmp_path / "x.h5")
    assert same(sample(), back)
    assert back.dataset.molecules.positions.dtype == torch.float64
    changed = back.dataset.molecules.positions.clone()
    changed[0, 0] += 1e-12
    assert not same(
        sample(),
        replace(
            back, dataset=replace(back.dataset, molecules=back.dataset.molecules.moved(changed))
        ),
    )  # the comparison can fail


def test_charges_spins_and_empty_names_survive(tmp_path: Path) -> None:
    ion = Molecules.one(["N", "H", "H", "H", "H"], np.eye(5)[:, :3] * 2, charge=1, spin=2)
    store.save(tmp_path / "x.h5", Stored(Dataset(ion)))
    back = store.read(tmp_path / "x.h5").dataset.molecules
    assert (int(back.charges[0]), int(back.spins[0]), back.names[0]) == (1, 2, "")


def test_a_column_may_be_named_like_a_level_of_theory(tmp_path: Path) -> None:
    made = sample()
    named = made.dataset.with_column("b3lyp/6-31g df", Column(torch.zeros(12, dtype=torch.float64)))
    store.save(tmp_path / "x.h5", replace(made, dataset=named))
    assert "b3lyp/6-31g df" in store.read(tmp_path / "x.h5").dataset.columns


def test_the_digest_follows_the_content_and_nothing_else(tmp_path: Path) -> None:
    first = store.save(tmp_path / "a.h5", sample())
    assert first == store.save(tmp_path / "b.h5", sample()) == store.read(tmp_path / "a.h5").digest
    changed = sample()
    changed.dataset.columns["mu"].values[3] += 1e-9
    assert store.save(tmp_path / "c.h5", changed) != first
    meaning = sample()
    column = replace(meaning.dataset.columns["total"], kind="atomization")
    meaning = replace(meaning, dataset=meaning.dataset.with_column("total", column))
    assert store.save(tmp_path / "d.h5", meaning) != first


def test_a_newer_format_is_refused_with_a_remedy(tmp_path: Path) -> None:
    store.save(tmp_path / "x.h5", sample())
    with h5py.File(tmp_path / "x.h5", "a") as file:
        file.attrs["format"] = store.FORMAT + 1
    with pytest.raises(DataError, match="newer onekcal.*upgrade"):
        store.read(tmp_path / "x.h5")


def test_a_foreign_a_damaged_and_a_missing_file_are_data_errors(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "foreign.h5", "w") as file:
        file["x"] = [1]
    store.save(tmp_path / "short.h5", sample())
    whole = (tmp_path / "short.h5").read_bytes()
    (tmp_path / "short.h5").write_bytes(whole[: len(whole) // 2])
    for name, message in (
        ("foreign", "not one of onekcal"),
        ("short", "damaged"),
        ("absent", "no data"),
    ):
        with pytest.raises(DataError, match=message):
            store.read(tmp_path / f"{name}.h5")


def test_nothing_half_written_remains_when_saving_fails(tmp_path: Path) -> None:
    store.save(tmp_path / "x.h5", sample())
    before = (tmp_path / "x.h5").read_bytes()
    bad = replace(sample(), card=Card("x", notes=b"not text"))  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        store.save(tmp_path / "x.h5", bad)
    assert [path.name for path in tmp_path.iterdir()] == ["x.h5"]
    assert (tmp_path / "x.h5").read_bytes() == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_said_and_the_old_file_stays(tmp_path: Path) -> None:
    store.save(tmp_path / "x.h5", sample())
    before = (tmp_path / "x.h5").read_bytes()
    # the system's own device that is always full stands where the new file is written
    (tmp_path / "x.h5.part").symlink_to("/dev/full")
    with pytest.raises(DataError, match="disk is full.*ONEKCAL_HOME"):
        store.save(tmp_path / "x.h5", sample())
    assert [path.name for path in tmp_path.iterdir()] == ["x.h5"]
    assert (tmp_path / "x.h5").read_bytes() == before


def test_selecting_molecules_keeps_columns_and_splits_together() -> None:
    keep = torch.tensor([True, False] * 6)
    kept = sample().kept(keep)
    assert len(kept.dataset) == len(kept.splits["odd one"]) == 6
    assert torch.equal(kept.splits["odd one"], sample().splits["odd one"][keep])
    assert list(kept.dataset.molecules.names) == [f"wobbly {m}" for m in range(0, 12, 2)]


def test_what_is_not_here_names_the_command_that_gets_it() -> None:
    with pytest.raises(DataError, match="onekcal data get qm9"):
        data.load("qm9")
    with pytest.raises(DataError, match="did you mean 'qm9'"):
        data.load("qm99")
    with pytest.raises(DataError, match="did you mean 'rmd17-ethanol'"):
        data.source("rmd17-ethnol")


def test_every_catalogue_entry_has_a_whole_card_and_a_way_to_get_it() -> None:
    assert len([n for n in data.names() if n.startswith("md17-")]) == 10
    assert len([n for n in data.names() if n.startswith("rmd17-")]) == 10
    for name in data.names():
        entry = data.source(name)
        card = entry.card
        assert card.name == name
        for said in (
            "title",
            "licence",
            "citation",
            "level",
            "kind",
            "units",
            "elements",
            "splits",
        ):
            assert getattr(card, said), f"{name}: no {said}"
        assert card.molecules > 0, name
        assert entry.read_mirror or entry.read_official, name
        for remote in entry.official:
            assert remote.url.startswith("http"), remote
        for remote in entry.mirror:
            assert remote.sha256 is not None or name == "thermo", (  # a script builds it
                f"{name}: {remote.file} would be taken from a mirror unverified"
            )


def test_imported_sets_are_found_by_name_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that begins like the embedded set's is a name like any other."""
    monkeypatch.setenv("ONEKCAL_HOME", str(tmp_path))
    assert not data.is_here("minima")
    with pytest.raises(DataError, match="no data set and no file 'minima'"):
        data.load("minima")
    write(tmp_path / "two.xyz", wobbly(2).molecules)
    data.import_file(tmp_path / "two.xyz", "minima")
    assert data.is_here("minima")
    assert data.imported() == ["minima"]
    assert len(data.load("minima").dataset) == 2
    assert data.card("minima").molecules == 2
