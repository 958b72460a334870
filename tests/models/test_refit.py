"""Runs that calibrate on several kinds of geometry, and that fit again to everything but the test
part.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from onekcal.data.dataset import Column, Dataset
from onekcal.datasets import store
from onekcal.datasets.card import Card, Stored
from onekcal.errors import ConfigError
from onekcal.models.artefact import Artefact
from onekcal.models.dressed_atoms import DressedAtoms
from onekcal.runs.experiment import Experiment, parse
from onekcal.runs.run import run
from support.molecules import wobbly

LABELS = torch.tensor([0, 0, 1, 2], dtype=torch.uint8).repeat_interleave(
    30
)  # the shapes of `wobbly` take turns


def energies(noise: float) -> Dataset:
    """Molecules whose energy is a sum of their atoms', up to `noise` kcal/mol."""
    molecules = wobbly(len(LABELS)).molecules
    value = -50.0 * molecules.sum_atoms(molecules.numbers.double())
    value += noise * torch.randn(
        len(value), generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )
    return Dataset(molecules, {"e": Column(value)})


@pytest.fixture
def two_sets(tmp_path: Path) -> tuple[str, str]:
    """Quiet energies to fit, and the same molecules with ten times the noise."""
    for name, noise in (("quiet", 1.0), ("loud", 10.0)):
        store.save(
            tmp_path / f"{name}.h5", Stored(energies(noise), {"official": LABELS}, Card(name))
        )
    return str(tmp_path / "quiet.h5"), str(tmp_path / "loud.h5")


def experiment(quiet: str, **more: object) -> Experiment:
    return parse(
        {
            "data": {"set": quiet, "target": "e", "split": "official", "valid": 30},
            "stages": ["dressed_atoms"],
            "geometry": "quiet",
            **more,
        }
    )


def test_each_kind_of_geometry_gets_its_own_interval(
    two_sets: tuple[str, str], tmp_path: Path
) -> None:
    quiet, loud = two_sets
    done = run(experiment(quiet, also={"loud": loud}), tmp_path / "run")
    assert done.metrics["loud: mae"] > 5 * done.metrics["mae"]
    assert done.metrics["loud: interval"] > 5 * done.metrics["interval"]
    assert (
        done.metrics["loud: coverage"] > 0.75
    )  # the quiet interval would cover about 13 % of ten times its noise
    scores = Artefact.load(tmp_path / "run" / "model.safetensors").calibration
    assert {kind: len(some.scores) for kind, some in scores.items()} == {"quiet": 30, "loud": 30}


@pytest.mark.parametrize(("kind", "follows"), [("smiles", True), ("loud", False)])
def test_intervals_of_smiles_follow_the_spread_that_the_data_tell(
    two_sets: tuple[str, str], tmp_path: Path, kind: str, follows: bool
) -> None:
    quiet, loud = two_sets
    other = store.read(Path(loud))
    rivalry = torch.linspace(0, 5, len(other.dataset)).double()
    columns = {**other.dataset.columns, "rivalry": Column(rivalry, "property")}
    store.save(
        Path(loud), Stored(Dataset(other.dataset.molecules, columns), other.splits, other.card)
    )
    done = run(experiment(quiet, also={kind: loud}), tmp_path / "run")
    found = Artefact.load(tmp_path / "run" / "model.safetensors").calibration
    by_rivalry = {name: some.by_rivalry for name, some in found.items()}
    assert by_rivalry == {"quiet": False, kind: follows}
    mean = float(rivalry[LABELS == 2].mean())
    assert done.metrics[f"{kind}: interval"] == pytest.approx(
        found[kind].radius(0.9) * (1 + mean if follows else 1)
    )


def test_what_was_trained_on_calibrates_nothing(two_sets: tuple[str, str], tmp_path: Path) -> None:
    """Without a validation part the official one is trained on, at the other geometry no less."""
    quiet, loud = two_sets
    asked = experiment(quiet, also={"loud": loud})
    done = run(
        asked.model_copy(update={"data": asked.data.model_copy(update={"valid": 0})}),
        tmp_path / "run",
    )
    assert not [key for key in done.metrics if "interval" in key or "coverage" in key]
    assert done.metrics["loud: mae"] > 0
    assert Artefact.load(tmp_path / "run" / "model.safetensors").calibration == {}


def test_too_few_molecules_tell_no_interval(two_sets: tuple[str, str], tmp_path: Path) -> None:
    asked = experiment(two_sets[0])
    done = run(
        asked.model_copy(update={"data": asked.data.model_copy(update={"valid": 5})}),
        tmp_path / "run",
    )
    assert "interval" not in done.metrics
    assert "coverage" not in done.metrics
    json.loads(
        (tmp_path / "run" / "metrics.json").read_text(), parse_constant=pytest.fail
    )  # strict JSON


def test_another_geometry_needs_the_same_split(two_sets: tuple[str, str], tmp_path: Path) -> None:
    quiet, loud = two_sets
    other = store.read(Path(loud))
    store.save(Path(loud), Stored(other.dataset, {"mine": LABELS}, Card("loud")))
    with pytest.raises(ConfigError, match=r"split of .*loud.h5.*official.*mine"):
        run(experiment(quiet, also={"loud": loud}), tmp_path / "run")


def test_an_exact_kernel_is_refitted_with_what_it_chose_and_two_of_them_are_saved(
    tmp_path: Path,
) -> None:
    store.save(tmp_path / "w.h5", Stored(wobbly(40)))
    stages = [
        {"fchl_kernel": {"sigma": [2.0, 4.0], "regularization": [1e-6, 1e-3], "forces": False}},
        {"global_kernel": {"features": "slatm", "sigma": 30.0}},
    ]
    done = run(
        parse(
            {
                "data": {"set": str(tmp_path / "w.h5"), "target": "pairs", "valid": 4},
                "stages": stages,
                "refit": True,
            }
        ),
        tmp_path / "run",
    )
    loaded = Artefact.load(tmp_path / "run" / "model.safetensors").model
    assert done.test is not None
    assert torch.equal(loaded.energies(done.test.molecules), done.predicted)


def test_a_refit_learns_from_train_and_valid_and_keeps_the_calibration(
    two_sets: tuple[str, str], tmp_path: Path
) -> None:
    quiet, _ = two_sets
    once, again = (
        run(experiment(quiet, refit=refit), tmp_path / str(refit)) for refit in (False, True)
    )
    assert (once.metrics["train"], again.metrics["train"]) == (60, 90)
    data = energies(1.0).aimed("e")
    both = DressedAtoms().fit(data[np.flatnonzero(LABELS.numpy() < 2)], data[[]])
    torch.testing.assert_close(again.predicted, both.energies(again.test.molecules))
    assert (
        once.predicted - again.predicted
    ).abs().max() > 0.01  # …which is not what the training part alone gives
    scores = [
        Artefact.load(tmp_path / str(refit) / "model.safetensors").calibration["quiet"].scores
        for refit in (False, True)
    ]
    assert torch.equal(*scores)  # residuals of molecules the judged model had not seen
