"""Experiments: validation that explains itself, splits that nest, runs that reproduce."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from onekcal.datasets.card import Card, Stored
from onekcal.errors import ConfigError, DataError
from onekcal.models.artefact import Artefact
from onekcal.models.shipped import load_model
from onekcal.prediction.answers import Answer
from onekcal.runs.choose_split import choose
from onekcal.runs.data_choice import DataChoice
from onekcal.runs.experiment import parse, read
from onekcal.runs.folder import compare, load
from onekcal.runs.run import run
from support.molecules import wobbly

GOOD = {
    "data": {"set": "mini", "target": "b3lyp", "train": 60, "valid": 20, "test": 40},
    "stages": [
        "dressed_atoms",
        {"regression": {"features": "sorted_coulomb", "size": 24, "estimator": "ridge"}},
    ],
}


def stored(count: int = 40) -> Stored:
    labels = torch.zeros(count, dtype=torch.uint8)
    labels[::4] = 2
    return Stored(wobbly(count), {"fixed": labels}, Card(name="wobbly"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dta": {}}, "no key 'dta'; did you mean 'data'"),
        (
            {"data": {"set": "mini", "target": "b3lyp", "trian": 5}},
            "no key 'data.trian'; did you mean 'train'",
        ),
        ({"data": {"set": "mini"}}, "key 'data.target' is missing"),
        (
            {"data": {"set": "mini", "target": "b3lyp", "train": -5}},
            "data.train.*greater than or equal to 1",
        ),
        ({"stages": ["schnett"]}, "no model 'schnett'"),
        ({"stages": [{"regression": {"feature": "coulomb"}}]}, "did you mean 'features'"),
        ({"stages": []}, "stages.*at least 1"),
        ({"coverage": 90}, "coverage.*less than 1"),
        ({"name": "../elsewhere"}, "name: expected a folder's name, without /"),
        ({"name": ".."}, "name: expected a folder's name"),
        (
            {"stages": ["no_such_module:Ridge"]},
            "there is no module 'no_such_module'; put its folder on PYTHONPATH",
        ),
        ({"stages": ["os:system"]}, "os has no class system with fit, energies"),
        ({"stages": ["subprocess:Popen"]}, "subprocess has no class Popen with fit, energies"),
    ],
)
def test_a_mistake_in_an_experiment_is_named(change: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse({**GOOD, **change}, "my.yaml")


def test_broken_yaml_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("data: {set: mini\nstages: [")
    with pytest.raises(ConfigError, match=r"x.yaml is not valid YAML") as caught:
        read(tmp_path / "x.yaml")
    assert "\n" not in str(caught.value)


def test_set_changes_a_key_and_refuses_a_missing_path(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(json.dumps(GOOD))
    assert read(tmp_path / "x.yaml", ["data.train=7"]).data.train == 7
    changed = read(tmp_path / "x.yaml", ["stages.1.regression.estimator=krr"])
    assert changed.resolved_stages()[1][1]["estimator"] == "krr"
    with pytest.raises(ConfigError, match="there is no 'modell.size'"):
        read(tmp_path / "x.yaml", ["modell.size=3"])


def test_a_value_after_a_stage_is_its_first_setting() -> None:
    experiment = parse({**GOOD, "stages": [{"baseline": "gfn2"}]})
    assert experiment.resolved_stages() == [("baseline", {"method": "gfn2"})]


def test_smaller_training_sets_are_nested_in_larger() -> None:
    small, large = (
        choose(stored(), DataChoice(set="w", target="pairs", split="fixed", train=n))
        for n in (5, 15)
    )
    assert set(small.train) < set(large.train)


def test_train_valid_and_test_are_disjoint_and_the_test_part_is_the_split_s() -> None:
    split = choose(stored(), DataChoice(set="w", target="pairs", split="fixed", valid=0.2))
    assert not set(split.train) & set(split.valid)
    assert set(split.test) == set(np.arange(0, 40, 4))
    assert len(split.train) + len(split.valid) == 30


def test_more_training_molecules_than_there_are_is_refused() -> None:
    with pytest.raises(ConfigError, match="leaves 27 training molecules"):
        choose(stored(), DataChoice(set="w", target="pairs", split="fixed", train=31, valid=3))


def test_of_a_random_split_what_is_not_tested_may_be_trained_on() -> None:
    wanted = {"set": "w", "target": "pairs", "valid": 0, "test": 3}
    most, more = (choose(stored(), DataChoice(**wanted, train=count)) for count in (32, 37))
    assert len(most.train) == 32
    assert more.train[:32].tolist() == most.train.tolist()
    assert more.test.tolist() == most.test.tolist()
    assert not set(more.train) & set(more.test)
    with pytest.raises(ConfigError, match="leaves 37 training molecules"):
        choose(stored(), DataChoice(**wanted, train=38))


def test_an_unknown_split_lists_those_there_are() -> None:
    with pytest.raises(ConfigError, match="fixed, random"):
        choose(stored(), DataChoice(set="w", target="pairs", split="fold9"))


def test_no_validation_means_that_the_validation_part_is_trained_on() -> None:
    data = stored()
    data.splits["fixed"][1::4] = 1
    parts = choose(data, DataChoice(set="w", target="pairs", split="fixed", valid=0))
    assert (len(parts.train), len(parts.valid), len(parts.test)) == (30, 0, 10)
    assert (
        len(choose(data, DataChoice(set="w", target="pairs", split="fixed", valid=5)).train) == 20
    )


@pytest.mark.parametrize("train", [None, 10, 35])
def test_no_validation_of_a_random_split_means_none(train: int | None) -> None:
    choice = DataChoice(set="w", target="pairs", train=train, valid=0)
    none, some = (
        choose(stored(), choice),
        choose(stored(), choice.model_copy(update={"valid": 0.1, "train": 10})),
    )
    assert (len(none.valid), len(none.train)) == (0, train or 32)
    assert none.test.tolist() == some.test.tolist()
    assert len(some.valid) == 4


def test_a_run_leaves_everything_and_reproduces_itself(tmp_path: Path) -> None:
    experiment = parse(GOOD)
    first = run(experiment, tmp_path / "a", "onekcal train x.yaml")
    run(experiment, tmp_path / "b")
    assert {p.name for p in first.folder.iterdir()} == {
        "experiment.yaml",
        "split.npz",
        "model.safetensors",
        "card.md",
        "calibration.csv",
        "predictions.csv",
        "metrics.json",
        "provenance.json",
    }
    assert compare(tmp_path / "a", tmp_path / "b") == {"molecules": 40, "largest_difference": 0.0}
    other = parse({**GOOD, "data": {**GOOD["data"], "seed": 1}})
    run(other, tmp_path / "c")
    assert compare(tmp_path / "a", tmp_path / "c")["largest_difference"] > 0
    lines = (tmp_path / "c" / "predictions.csv").read_text().splitlines()
    fields = lines[1].split(",")
    fields[4] = "nan"
    (tmp_path / "c" / "predictions.csv").write_text(
        "\n".join([lines[0], ",".join(fields), *lines[2:]])
    )
    assert compare(tmp_path / "a", tmp_path / "c")["largest_difference"] == math.inf


def test_a_finished_run_is_not_overwritten_unasked(tmp_path: Path) -> None:
    run(parse(GOOD), tmp_path / "a")
    with pytest.raises(DataError, match="exists; pass --overwrite"):
        run(parse(GOOD), tmp_path / "a")


def test_a_folder_that_is_no_run_is_never_replaced(tmp_path: Path) -> None:
    for name in ("precious", "other.part"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "thesis.txt").write_text("years of work")
        with pytest.raises(DataError, match="is no run .* and is left alone"):
            run(parse(GOOD), tmp_path / name.removesuffix(".part"), overwrite=True)
        assert (tmp_path / name / "thesis.txt").read_text() == "years of work"
    (tmp_path / "empty").mkdir()
    run(parse(GOOD), tmp_path / "empty", overwrite=True)


OWN = """
import torch
from onekcal.models.dressed_atoms import DressedAtoms

class Shifted(DressedAtoms):
    def __init__(self, by: float = 0.0):
        super().__init__()
        self.by = by

    def energies(self, molecules, columns=None):
        return super().energies(molecules, columns) + self.by
"""


def test_a_model_of_one_s_own_file_is_trained_stored_and_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_shifted.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    done = run(parse({**GOOD, "stages": [{"my_shifted:Shifted": {"by": 2.0}}]}), tmp_path / "own")
    plain = run(parse({**GOOD, "stages": ["dressed_atoms"]}), tmp_path / "plain")
    assert torch.allclose(done.predicted, plain.predicted + 2.0)
    loaded = load_model(tmp_path / "own").model.energies(done.test.molecules)
    assert torch.equal(loaded, done.predicted)
    with pytest.raises(ConfigError, match="'bye'; did you mean 'by'"):
        parse({**GOOD, "stages": [{"my_shifted:Shifted": {"bye": 2.0}}]})


def test_a_file_that_is_no_experiment_is_named_with_the_place(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("data: {set: mini\nstages: [dressed_atoms]\n")
    with pytest.raises(ConfigError, match=r"a\.yaml is not valid YAML, line 2, column 7: expected"):
        read(tmp_path / "a.yaml")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory; expected a YAML file"):
        read(tmp_path)
    (tmp_path / "b.yaml").write_text("data: {set: mini, target: b3lyp}\nstages: [dresed_atoms]\n")
    with pytest.raises(
        ConfigError, match=r"b\.yaml: no model 'dresed_atoms'; did you mean 'dressed_atoms'"
    ):
        read(tmp_path / "b.yaml")


def test_a_run_of_a_model_that_is_not_here_says_so(tmp_path: Path) -> None:
    run(parse(GOOD), tmp_path / "a")
    text = (
        (tmp_path / "a" / "experiment.yaml").read_text().replace("dressed_atoms", "elsewhere:Model")
    )
    (tmp_path / "a" / "experiment.yaml").write_text(text)
    with pytest.raises(
        DataError, match="a cannot be used here: .*asks to run the code of a module, 'elsewhere'"
    ):
        load(tmp_path / "a")
    (tmp_path / "a" / "metrics.json").unlink()
    with pytest.raises(DataError, match="is not a finished run"):
        load(tmp_path / "a")


def test_a_failing_run_leaves_nothing_half_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="needs a column 'ccsd'"):
        run(parse({**GOOD, "stages": [{"baseline": "ccsd"}]}), tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_a_number_without_a_dot_is_a_number(tmp_path: Path) -> None:
    """YAML 1.1 reads 1e-5 as text."""
    (tmp_path / "x.yaml").write_text(json.dumps(GOOD))
    changed = read(tmp_path / "x.yaml", ["stages.1.regression.alpha=1e-5"])
    assert changed.resolved_stages()[1][1]["alpha"] == 1e-5


def test_a_split_file_is_used_and_one_of_other_data_refused(tmp_path: Path) -> None:
    path = tmp_path / "split.npz"
    np.savez(path, train=np.arange(10), valid=np.arange(10, 15), test=np.arange(30, 40))
    split = choose(stored(), DataChoice(set="w", target="pairs", split=str(path)))
    assert set(split.train) == set(range(10))
    assert set(split.valid) == set(range(10, 15))
    assert set(split.test) == set(range(30, 40))
    with pytest.raises(
        ConfigError, match="names row 39, but there are 20 molecules: it belongs to other data"
    ):
        choose(stored(20), DataChoice(set="w", target="pairs", split=str(path)))
    np.savez(path, train=np.arange(10), test=np.arange(5, 15))
    with pytest.raises(ConfigError, match="a molecule in two parts"):
        choose(stored(), DataChoice(set="w", target="pairs", split=str(path)))
    path.write_text("not npz")
    with pytest.raises(ConfigError, match="is not an npz file or is damaged"):
        choose(stored(), DataChoice(set="w", target="pairs", split=str(path)))


def test_totals_need_atom_energies_before_the_model(tmp_path: Path) -> None:
    data = wobbly(40)
    column = data.columns["pairs"]
    numbers, positions = data.molecules.pad()
    np.savez(tmp_path / "t.npz", Z=numbers.numpy(), R=positions.numpy(), E=column.values.numpy())
    content = {
        "data": {"set": str(tmp_path / "t.npz"), "target": "energy", "check": False},
        "stages": [{"regression": {"size": 9}}],
    }
    with pytest.raises(ConfigError, match="put the stage `dressed_atoms`"):
        run(parse(content), tmp_path / "a")
    run(parse({**content, "stages": ["dressed_atoms", *content["stages"]]}), tmp_path / "a")


def test_results_show_themselves_in_one_line(tmp_path: Path) -> None:
    experiment = parse(
        {
            "data": {"set": "mini", "target": "b3lyp", "train": 60, "valid": 20, "test": 20},
            "stages": [{"baseline": "gfn2"}, "dressed_atoms"],
        }
    )
    assert repr(experiment) == "Experiment(mini, b3lyp: baseline + dressed_atoms)"
    done = run(experiment, tmp_path / "small")
    mae = done.metrics["mae"]
    assert repr(done) == f"Run({tmp_path / 'small'}: MAE {mae:.4g} kcal/mol, 20 test molecules)"
    artefact = Artefact.load(tmp_path / "small" / "model.safetensors")
    assert repr(artefact).startswith("Artefact(atomization, b3lyp")
    assert repr(artefact).endswith("kcal/mol: baseline + dressed_atoms)")
    answers = [
        Answer("a", "ethanol", energy=-770.123, half=0.456, level="g4mp2", at="0 K"),
        Answer("CCO", energy=-770.123),
        Answer("C(C", problem="the SMILES cannot be read"),
    ]
    assert [repr(answer) for answer in answers] == [
        "Answer(ethanol: -770.12 ± 0.46 kcal/mol, atomization, 0 K, g4mp2)",
        "Answer(CCO: -770.12 kcal/mol, atomization, electronic)",
        "Answer(C(C: the SMILES cannot be read)",
    ]
