"""A disk that gets full in the middle of a checkpoint."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from onekcal.errors import DiskFull
from onekcal.networks.training.session import session
from support.full_disk import full_after
from support.molecules import wobbly
from support.pair_network import PairModel

FIT = {"recipe": "constant", "epochs": 6, "batch": 8, "rate": 1e-2, "checkpoint": 0.0}


def test_the_checkpoint_before_stays_whole_and_the_training_goes_on_bit_for_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, valid = wobbly(48, seed=1), wobbly(12, seed=2)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole.mkdir()
    broken.mkdir()
    with session(whole):
        straight = PairModel(fit=FIT).fit(train, valid)
    with monkeypatch.context() as patch:
        full_after(patch, files=2)
        with session(broken), pytest.raises(DiskFull, match="disk is full.*left as it was; free"):
            PairModel(fit=FIT).fit(train, valid)
    assert not list(broken.glob("*.part"))
    with session(broken, resume=True) as inside:
        told: list[str] = []
        inside.say = told.append
        resumed = PairModel(fit=FIT).fit(train, valid)
    assert "going on after epoch 2 of 6" in told[0]
    assert (whole / "epochs.csv").read_text() == (broken / "epochs.csv").read_text()
    assert torch.equal(straight.energies(valid.molecules), resumed.energies(valid.molecules))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is full")
def test_a_row_of_epochs_that_does_not_fit_is_a_full_disk_too(tmp_path: Path) -> None:
    """The system's own error, from a device that is always full."""
    os.symlink("/dev/full", tmp_path / "epochs.csv")
    with session(tmp_path), pytest.raises(OSError, match="No space left on device"):
        PairModel(fit=FIT).fit(wobbly(16, seed=1), wobbly(4, seed=2))
