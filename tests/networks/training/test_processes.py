"""The command line in processes of its own.

Killed and resumed, and two processes on one training.
"""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from onekcal.errors import ConfigError, DataError
from onekcal.models.registry import MODELS
from onekcal.runs import experiment as experiments
from onekcal.runs.run import run

TESTS = Path(__file__).parents[2]
TRAIN = ["-m", "support.pair_network", "train", "pairs.yaml", "--runs"]
EXPERIMENT = """
name: here
data: {set: mini, target: b3lyp, train: 120, valid: 40, test: 20}
stages: [dressed_atoms, pairs]
fit: {recipe: onecycle, epochs: 30, batch: 15, loss: mae+rmse, l2: 1e-6, checkpoint: 0}
"""


@pytest.fixture
def file(in_empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(MODELS, "pairs", "support.pair_network:PairModel")
    path = os.environ.get("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(TESTS), *([path] if path else [])]))
    (in_empty_folder / "pairs.yaml").write_text(EXPERIMENT)
    return in_empty_folder / "pairs.yaml"


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "epochs.csv").open() as content:
        return list(csv.DictReader(content))


@pytest.fixture
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """With several threads the order of a sum, and so its last bit, is not fixed."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
def test_a_killed_training_resumed_is_the_uninterrupted_one_bit_for_bit(file: Path) -> None:
    straight = run(experiments.read(file), Path("straight"))
    part = Path("runs/here.part")
    with subprocess.Popen([sys.executable, *TRAIN, "runs"], stdout=subprocess.DEVNULL) as process:
        while not ((part / "epochs.csv").is_file() and len(rows(part)) >= 3):
            assert process.poll() is None, "the training ended before it could be killed"
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    assert not Path("runs/here").exists()
    assert 3 <= len(rows(part)) < 30
    with pytest.raises(DataError, match="was interrupted; go on with --resume"):
        run(experiments.read(file), Path("runs/here"))
    subprocess.run(
        [sys.executable, *TRAIN, "runs", "--resume"], check=True, stdout=subprocess.DEVNULL
    )
    assert (straight.folder / "epochs.csv").read_bytes() == Path(
        "runs/here/epochs.csv"
    ).read_bytes()
    assert (straight.folder / "predictions.csv").read_bytes() == Path(
        "runs/here/predictions.csv"
    ).read_bytes()
    assert not list(Path("runs").rglob("training-*"))


def test_two_processes_train_as_one_does(file: Path) -> None:
    """Within 1e-9: sums in another order differ by 1e-16, and every step may enlarge that."""
    one = run(experiments.read(file), Path("straight"))
    torchrun = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
    ]
    subprocess.run(
        [*torchrun, *TRAIN, "runs"],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    both, alone = rows(Path("runs/here")), rows(one.folder)
    assert len(both) == len(alone) == 30
    for ours, theirs in zip(both, alone):
        for name, value in theirs.items():
            assert float(ours[name]) == pytest.approx(float(value), rel=1e-9)
    assert '"processes": 2' in Path("runs/here/metrics.json").read_text()


def test_resume_of_another_experiment_is_refused_with_the_differences(file: Path) -> None:
    part = Path("runs/here.part")
    part.mkdir(parents=True)
    (part / "experiment.yaml").write_text(EXPERIMENT.replace("epochs: 30", "epochs: 20"))
    with pytest.raises(
        ConfigError, match=r"here.part belongs to another(.|\n)*fit.epochs: 20 then, 30 now"
    ):
        run(experiments.read(file), Path("runs/here"), resume=True)


def test_an_element_only_the_test_part_has_is_told_before_training(file: Path) -> None:
    changes = ["data.train=2", "data.valid=1", "data.test=null"]
    with pytest.raises(ConfigError, match="molecules of the (test|validation) part have"):
        run(experiments.read(file, changes), Path("runs/small"))
    assert not Path("runs/small.part").exists()


def test_training_settings_without_a_network_are_refused(file: Path) -> None:
    with pytest.raises(ConfigError, match="no stage is one"):
        run(experiments.read(file, ["stages=[dressed_atoms]"]), Path("runs/none"))


def test_a_stage_may_have_training_settings_of_its_own(file: Path) -> None:
    content = experiments.read(file, ["stages=[dressed_atoms, {pairs: {fit: {epochs: 3}}}]"])
    assert content.resolved_stages()[1][1]["fit"] == {**content.fit, "epochs": 3}
