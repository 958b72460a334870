"""The 3-D DenseNet as a model: energies, views, recipes, training."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from onekcal.data.dataset import Dataset
from onekcal.errors import ConfigError, InputError
from onekcal.fields import fields
from onekcal.molecules import Molecules
from onekcal.networks.cube_symmetry import motions
from onekcal.networks.densenet import MOMENTUM
from onekcal.networks.training.optimizers import Average
from onekcal.networks.training.session import session
from onekcal.networks.voxels import Looks, VoxelDenseNet
from support.densenet import MOMENT, SMALL, energies, fitted, given, network
from support.molecules import wobbly


def test_energy_follows_the_molecule_and_changes_with_the_orientation_of_the_cube() -> None:
    model, still = fitted(), wobbly(12, seed=9).molecules
    turn = torch.from_numpy(Rotation.from_euler("xyz", [0.3, 1.1, -0.8]).as_matrix())
    moved = still.moved(
        still.positions @ turn.T + torch.tensor([3.1, -2.2, 0.7], dtype=torch.float64)
    )
    assert torch.allclose(
        model.energies(moved), model.energies(still), atol=1e-4
    )  # kcal/mol of some −60, in float32
    spread = fitted(turns=2, views=3).terms(still)["spread"]
    assert spread.min() > 1e-3


def test_views_are_averaged_and_their_deviation_is_told() -> None:
    data = wobbly(24, seed=1)
    model = fitted(data, augment="signs", views=4)
    molecules = wobbly(6, seed=3).molecules
    look = Looks([fields(molecules, ["nep"], n=8, box=6.0).numpy()], motions("signs", 8), 4)(
        torch.arange(6)
    )
    net = model.networks[0].eval()
    with torch.no_grad():
        each = (
            model.shift
            + model.scale * torch.stack([energies(net, look[:, k]) for k in range(4)], 1).double()
        )  # (6, 4)
    assert torch.allclose(
        model.energies(molecules), each.mean(1), atol=1e-4
    )  # kcal/mol of some −60, in float32
    assert torch.allclose(model.terms(molecules)["spread"], each.std(1), atol=1e-4)
    assert torch.allclose(model.variance(molecules), each.var(1), atol=1e-4)
    assert model.terms(molecules)["spread"].min() > 1e-3
    same = fitted(
        data, symmetry="signs", augment="signs", views=4
    )  # the control: this one has the symmetry
    assert same.terms(molecules)["spread"].max() < 1e-4


def test_variance_of_one_look_by_one_network_is_refused_and_an_ensemble_has_one() -> None:
    molecules = wobbly(4, seed=3).molecules
    with pytest.raises(InputError, match="views: 8"):
        fitted().variance(molecules)
    both = fitted(fit={**MOMENT, "ensemble": 2}).variance(molecules)
    more = fitted(fit={**MOMENT, "ensemble": 2}, augment="signs", views=2)
    assert both.min() > 0
    assert (more.variance(molecules) >= more._each(molecules).var(0)).all()


def test_forces_leave_nothing_in_the_store_and_dear_fields_of_an_answer_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONEKCAL_HOME", str(tmp_path))
    model, molecules = fitted(), wobbly(8, seed=3).molecules
    kept = len(list((tmp_path / "fields").glob("*.h5")))
    monkeypatch.setattr("onekcal.networks.voxels.seconds_of", lambda what: 5.0)
    pulls = model.forces(molecules)
    assert len(list((tmp_path / "fields").glob("*.h5"))) == kept
    assert torch.equal(pulls, model.forces(molecules))
    model.energies(molecules)
    assert len(list((tmp_path / "fields").glob("*.h5"))) == kept + 1


def two_kinds(count: int, seed: int) -> Dataset:
    """Water and methanol in turn."""
    return wobbly(2 * count, seed)[torch.arange(2 * count) % 4 % 3 == 0]


@pytest.mark.parametrize(("recipe", "epochs"), [("fast", 40), ("paper", 60)])
def test_recipes_learn(recipe: str, epochs: int) -> None:
    """The error is 0.03 to 0.06 of the spread after training, 1 to 1.6 before it.

    The validation part matters: the running means of small batches make single epochs bad.
    """
    train, valid, unseen = two_kinds(24, 1), two_kinds(8, 3), two_kinds(16, 2)
    spread = (unseen.energies - unseen.energies.mean()).abs().mean()

    def error(**more: float) -> float:
        fit = {"recipe": recipe, "epochs": epochs, "batch": 8, **more}
        model = VoxelDenseNet(**{**SMALL, "grid": 6, "fit": fit}).fit(train, valid)
        return float((model.energies(unseen.molecules) - unseen.energies).abs().mean() / spread)

    assert error() < 0.5
    assert error(epochs=2, rate=1e-12) > 0.5  # the control: nothing is learned


def test_the_paper_recipe_is_its_settings() -> None:
    used = VoxelDenseNet(fit={"recipe": "paper"}).training
    assert (used.optimizer, used.momentum, used.weight_decay, used.rate) == ("sgd", 0.9, 1e-4, 0.1)
    assert (used.loss, used.batch, used.epochs, used.standardize) == ("mae", 128, 250, False)
    assert (used.watch, used.decay, used.threshold, used.floor) == ("loss", 0.75, 0.005, 1e-6)
    net = network()
    assert {id(p) for p in net.decayed()} == {id(p) for p in net.parameters()}


def test_a_moving_average_averages_running_means_too() -> None:
    net = network()
    average = Average(net, 0.9)
    for step in range(1, 30):
        energies(net, step + given(seed=step))
        average.update(step)
    theirs, mine = net.normalised[0].mean, average.network.normalised[0].mean
    behind = (mine / theirs).mean()
    assert (
        0.5 < behind < 0.99
    )  # the mean grows: an average lags behind, a copy would not, the first value were 0
    assert torch.equal(average.network.stem.orbit, net.stem.orbit)


def test_training_stopped_and_resumed_is_the_uninterrupted_one_bit_for_bit(tmp_path: Path) -> None:
    """With random looks, running means and a moving average: all of them are in the checkpoint."""
    settings = {"augment": "signs", "turns": 1, "views": 2}
    fit = {**MOMENT, "epochs": 6, "schedule": "constant", "ema": 0.9}
    data = wobbly(24, seed=1)
    for name in ("straight", "broken"):
        (tmp_path / name).mkdir()
    with session(tmp_path / "straight"):
        whole = fitted(data, 4, fit, **settings)

    class Stop(Exception):
        pass

    def stop(progress: Any) -> None:
        if progress.epoch >= 3:
            raise Stop

    with pytest.raises(Stop), session(tmp_path / "broken", watch=stop):
        fitted(data, 4, fit, **settings)
    with session(tmp_path / "broken", resume=True):
        resumed = fitted(data, 4, fit, **settings)
    assert (tmp_path / "straight" / "epochs.csv").read_bytes() == (
        tmp_path / "broken" / "epochs.csv"
    ).read_bytes()
    for name, tensor in whole.state().items():
        assert torch.equal(resumed.state()[name], tensor), name


@pytest.mark.slow
def test_two_processes_train_as_one_that_normalises_in_their_parts(in_empty_folder: Path) -> None:
    """Δ-targets of a stack under torchrun. float64, so that what differs is the order of sums."""
    (in_empty_folder / "voxels.yaml").write_text("""
name: here
data: {set: mini, target: b3lyp, train: 48, valid: 16, test: 8}
stages:
- dressed_atoms
- densenet: {kinds: nep, grid: 4, blocks: [1, 1], growth: 3, stem: 4, together: 4, dtype: float64}
fit: {recipe: onecycle, epochs: 4, batch: 8, window: 1, device: cpu}
""")
    train = ["train", "voxels.yaml", "--runs"]
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run(
        [sys.executable, "-m", "onekcal", *train, "one"],
        check=True,
        stdout=subprocess.DEVNULL,
        env=env,
    )
    torchrun = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        "-m",
        "onekcal",
    ]
    subprocess.run(
        [*torchrun, *train, "two"],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=env,
    )
    one, two = (
        np.genfromtxt(Path(runs) / "here" / "epochs.csv", delimiter=",", names=True)
        for runs in ("one", "two")
    )
    for name in one.dtype.names:
        assert two[name] == pytest.approx(one[name], rel=1e-6), name  # steps enlarge roundings


def test_single_and_linear_molecules_and_those_of_hydrogen_have_an_energy() -> None:
    model = fitted()
    for numbers, positions in (
        (["C"], [[0, 0, 0]]),
        (["C", "H"], [[0, 0, 0], [0, 0, 1.1]]),
        (["H", "H"], [[0, 0, 0], [0, 0, 0.74]]),
    ):
        assert torch.isfinite(model.energies(Molecules.one(numbers, positions))).all()
    with pytest.raises(InputError, match="box"):
        model.energies(Molecules.one(["C", "C"], [[0.0, 0.0, 0.0], [0.0, 0.0, 9.0]]))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"grid": 2}, "`grid` must be at least 4, got 2"),
        ({"blocks": [4, 0]}, "`blocks` must be at least 1, got 0"),
        ({"compression": 0.0}, "`compression` must be above 0"),
        ({"symmetry": "sphere"}, "no symmetry 'sphere'"),
        ({"symmetry": "cube", "grid": 7}, "not even"),
        ({"views": 2}, "`views` must be between 1 and 1"),
        ({"augment": "signs", "views": 9}, "between 1 and 8"),
        ({"fit": {"force_weight": 1.0}}, "cannot be trained on forces"),
    ],
)
def test_what_cannot_be_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        VoxelDenseNet(**settings)


def test_momentum_of_parts_is_that_of_their_mean() -> None:
    from onekcal.networks.densenet import momentum

    running, parts = 7.0, [1.0, 2.0, 6.0]
    for k, value in enumerate(parts):
        share = momentum(k, 3)
        running = (1 - share) * running + share * value
    assert running == pytest.approx((1 - MOMENTUM) * 7.0 + MOMENTUM * 3.0)
