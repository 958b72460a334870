"""The speed benchmark: contestants compute the same, medians are right, tables show them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from onekcal import datasets as data
from onekcal.bench import pages
from onekcal.bench.speed import contest, product_net, suite
from onekcal.bench.speed.contest import Contest, Contestant, SpeedResults, difference, measure
from onekcal.bench.speed.steps import steps_of
from onekcal.errors import ConfigError
from onekcal.models.kernels.packed_cholesky import put_row
from onekcal.networks.product_net import ProductNet

pytest.importorskip("kernelforge", reason="kernelforge has wheels for Linux only")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> SpeedResults:
    """On the mini set: the store is empty."""
    folder = tmp_path_factory.mktemp("speed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ONEKCAL_HOME", str(folder))
        patch.setattr(suite, "KERNELS", (20, 40))
        patch.setattr(suite, "ASKED", 12)
        heard: list[str] = []
        found = suite.run(
            folder / "results",
            size=40,
            rounds=2,
            watch=lambda row: heard.append(row["name"]),
            parts=("features", "predictions", "kernels"),
        )
    assert heard == [row["name"] for row in found["rows"]]
    assert json.loads((folder / "results/speed.json").read_text()) == found
    return found


def test_contestants_compute_the_same(found: SpeedResults) -> None:
    """Features to rounding, kernels to what projection leaves out.

    Predictions to that times the weights.
    """
    differs = {row["name"]: row["differs"] for row in found["rows"]}
    assert differs["FCHL19 features"]["kernelforge"] < 1e-10
    assert differs["symmetric local kernel, N = 20"]["kernelforge"] < 1e-8
    assert differs["prediction, fchl_kernel of 40 molecules"]["kernelforge"] < 1e-4
    assert differs["prediction, sparse_kernel of 120 landmarks"] == {}


def test_every_turn_is_kept_and_the_ratio_is_that_of_medians(found: SpeedResults) -> None:
    for row in found["rows"]:
        assert all(len(turns) == 2 for turns in row["turns"].values())
        ours = np.median(row["turns"]["onekcal"])
        for peer, ratio in row["ratio"].items():
            assert ratio == pytest.approx(
                np.median(row["turns"][peer]) / ours, rel=2e-3
            )  # stored to four digits
    assert found["threads"] >= 1
    assert found["packages"]["kernelforge"]


def test_contestants_take_turns_and_long_ones_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    contestants = {
        name: lambda name=name: order.append(name) or np.ones(1) for name in ("onekcal", "peer")
    }
    race = Contest("order", "s", 1, contestants)
    measure(race, 3)
    assert order == ["onekcal", "peer"] * 3
    order.clear()
    monkeypatch.setattr(contest, "PATIENCE", 0.0)
    measure(race, 5)
    assert order == ["onekcal", "peer"]


def test_waiting_counts_with_several_threads_and_not_with_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One thread: processor seconds. Several: seconds of the clock."""
    race = Contest("waits", "s", 1, {"onekcal": lambda: time.sleep(0.1) or np.ones(1)})
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert measure(race, 1)["medians"]["onekcal"] < 0.05
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    assert measure(race, 1)["medians"]["onekcal"] >= 0.1


def test_a_peer_that_is_not_installed_is_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ONEKCAL_HOME", str(tmp_path))
    monkeypatch.setattr(suite, "qmllib_version", lambda: None)
    _, known, asked = suite._begun(20)
    assert set(next(suite.features(known, asked)).contestants) == {"onekcal", "kernelforge"}


def test_packed_and_full_kernels_are_compared_element_by_element() -> None:
    full = np.random.default_rng(0).normal(size=(5, 5))
    full += full.T
    packed = np.empty(15)
    for row in range(5):
        put_row(packed, row, full[row, row:], 5)
    assert difference(packed, full) == 0.0
    full[1, 3] += 0.1 * np.abs(full).max()
    assert difference(packed, full) > 0.05


def test_a_page_shows_a_line_for_every_peer(found: SpeedResults, tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "docs").mkdir()
    (tmp_path / "results/speed.json").write_text(json.dumps(found))
    page = tmp_path / "README.md"
    page.write_text("<!-- results: speed -->\n<!-- end -->\n")
    assert len(pages.check(tmp_path, write=True)) == 1
    assert pages.check(tmp_path) == []
    assert re.search(
        r"\| FCHL19 features \| kernelforge \| [\d,.]+ /s \| [\d,.]+ /s \| \d+\.\d\d \|",
        page.read_text(),
    )
    assert re.search(
        r"\| symmetric local kernel, N = 40 \| kernelforge \| [\d,.e-]+ s \|", page.read_text()
    )


def test_nonsense_sizes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="`size` must be at least 10 molecules"):
        suite.run(tmp_path, size=1)


def test_one_part_is_measured_anew_and_the_others_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONEKCAL_HOME", str(tmp_path))
    monkeypatch.setattr(suite, "ASKED", 12)
    there = [
        {"name": "old features", "part": "features"},
        {"name": "old kernel", "part": "kernels"},
    ]
    (tmp_path / "speed.json").write_text(json.dumps({"rows": there}))
    found = suite.run(tmp_path, size=40, rounds=1, parts=["features"])
    assert [row["name"] for row in found["rows"]] == ["FCHL19 features", "old kernel"]
    with pytest.raises(ConfigError, match="no part of the speed benchmark 'nets'"):
        suite.run(tmp_path, size=40, rounds=1, parts=["nets"])


def test_our_network_takes_steps_on_energies_and_on_forces() -> None:
    """A turn that learns forces ends at other weights; one that asks leaves them alone."""
    known = data.load("mini").dataset.aimed("b3lyp")[range(128)]
    steps = steps_of(known)[:1]

    def after(turn: Callable[..., Contestant] | None) -> torch.Tensor:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = ProductNet().network(tuple(known.molecules.elements))
        if turn is not None:
            turn(product_net._ours(network, steps), steps)()
        return torch.cat([p.detach().flatten() for p in network.parameters()])

    first = after(None)
    learned, with_forces = after(product_net._training_turn), after(product_net._forces_turn)
    assert not torch.equal(learned, first)
    assert not torch.equal(with_forces, first)
    assert not torch.allclose(learned, with_forces, rtol=0, atol=1e-7)
    assert torch.equal(after(product_net._asking_turn), first)


def test_networks_of_different_kinds_are_timed_and_not_compared() -> None:
    known = data.load("mini").dataset.aimed("b3lyp")[range(128)]
    for contest_ in product_net.product_net_training(known, known):
        row = measure(contest_, 1)
        assert row["medians"]["onekcal"] > 0
        assert not row["differs"]
