"""`data.more`: an experiment learns from further sets of molecules."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from onekcal.data.dataset import Column, Dataset
from onekcal.data.splits import TEST, TRAIN, UNUSED, VALID
from onekcal.datasets import store
from onekcal.datasets.card import Card, Stored
from onekcal.errors import ConfigError
from onekcal.molecules import Molecules
from onekcal.runs.data_choice import DataChoice, load
from onekcal.runs.experiment import parse
from onekcal.runs.run import run


def saved(path: Path, z: int, count: int = 60, level: str = "g4mp2", target: str = "e") -> Path:
    """Pairs of an element at many distances, energies -20 z / r, and a split 8 : 1 : 1."""
    far = torch.linspace(1.0, 2.0, count, dtype=torch.float64)
    pairs = [Molecules.one([z, z], [[0, 0, 0], [0, 0, float(r)]], name=f"{z} {r}") for r in far]
    labels = torch.tensor(
        [TEST if m % 10 == 0 else VALID if m % 10 == 1 else TRAIN for m in range(count)]
    )
    columns = {
        target: Column(-20 * z / far, level=level),
        "own": Column(far, "property"),
    }
    data = Dataset(Molecules.concatenate(pairs), columns)
    store.save(path, Stored(data, {"parts": labels.to(torch.uint8)}, Card(path.stem)))
    return path


def choice(first: Path, **more: str) -> DataChoice:
    return DataChoice(set=str(first), target="e", split="parts", more=more)


def test_train_and_valid_join_and_the_test_part_of_the_other_set_stays_out(tmp_path: Path) -> None:
    first, second = saved(tmp_path / "a.h5", 7), saved(tmp_path / "b.h5", 8, 20)
    both = load(choice(first, **{str(second): "parts"}))
    labels, oxygen = both.splits["parts"], both.dataset.molecules.numbers[::2] == 8
    assert len(both.dataset) == 80
    assert labels[~oxygen].tolist() == load(choice(first)).splits["parts"].tolist()
    assert [int((labels[oxygen] == k).sum()) for k in (TRAIN, VALID, TEST, UNUSED)] == [16, 2, 0, 2]
    assert both.dataset.columns["e"].values[-1] == pytest.approx(-80.0)  # -20 · 8 / 2 Å
    assert both.digest != load(choice(first)).digest


def test_where_one_set_tells_its_uncertainties_those_of_the_other_are_0(tmp_path: Path) -> None:
    first, second = saved(tmp_path / "a.h5", 7), saved(tmp_path / "b.h5", 8, 20)
    told = store.read(second)
    unsure = Column(torch.full((20,), 0.5, dtype=torch.float64), "property", unit="kcal/mol")
    store.save(second, replace(told, dataset=told.dataset.with_column("e_uncertainty", unsure)))
    for pair in ((first, second), (second, first)):
        data = load(choice(pair[0], **{str(pair[1]): "parts"})).dataset.aimed("e")
        assert data.uncertainties is not None
        oxygen = data.molecules.numbers[::2] == 8
        assert data.uncertainties.tolist() == torch.where(oxygen, 0.5, 0.0).tolist()
    assert load(choice(first)).dataset.aimed("e").uncertainties is None


def test_a_model_that_learned_from_both_knows_both(tmp_path: Path) -> None:
    first, second = saved(tmp_path / "a.h5", 7), saved(tmp_path / "b.h5", 8)
    content = {
        "data": {"set": str(first), "target": "e", "split": "parts"},
        "stages": ["dressed_atoms"],
    }
    alone = run(parse(content), tmp_path / "alone")
    content["data"] |= {"more": {str(second): "parts"}}
    whole = run(parse(content), tmp_path / "whole")
    assert whole.metrics["train"] == 2 * alone.metrics["train"] == 96
    assert whole.metrics["count"] == alone.metrics["count"] == 6
    assert whole.metrics["mae"] == pytest.approx(alone.metrics["mae"], rel=1e-3)


def test_an_experiment_without_it_keeps_its_digest(tmp_path: Path) -> None:
    first = saved(tmp_path / "a.h5", 7)
    plain, empty = (
        DataChoice(set=str(first), target="e"),
        DataChoice(set=str(first), target="e", more={}),
    )
    assert plain.as_first_written() == empty.as_first_written()
    assert "more" not in plain.as_first_written()
    assert "more" in choice(first, **{"b.h5": "parts"}).as_first_written()


@pytest.mark.parametrize(
    ("change", "split", "message"),
    [
        ({"level": "g4"}, "parts", "e of .*a.h5 is .*g4mp2.*but that of .*b.h5 is .*g4"),
        ({"target": "f"}, "parts", "target of .*b.h5"),
        ({}, "ward", "split of .*b.h5 for data.more"),
    ],
)
def test_what_does_not_fit_is_named(
    tmp_path: Path, change: dict[str, str], split: str, message: str
) -> None:
    first, second = saved(tmp_path / "a.h5", 7), saved(tmp_path / "b.h5", 8, **change)
    with pytest.raises(ConfigError, match=message):
        load(choice(first, **{str(second): split}))


def test_a_random_split_cannot_go_on_in_another_set(tmp_path: Path) -> None:
    first, second = saved(tmp_path / "a.h5", 7), saved(tmp_path / "b.h5", 8)
    asked = choice(first, **{str(second): "parts"}).model_copy(update={"split": "random"})
    with pytest.raises(ConfigError, match="split of .*a.h5 for data.more"):
        load(asked)
