"""Learning rates: each curve against its formula, the plateau protocol against its text."""

from __future__ import annotations

import math

import pytest
import torch

from onekcal.networks.training.optimizers import Average, optimizer
from onekcal.networks.training.schedules import Schedule
from onekcal.networks.training.settings import Settings
from support.pair_network import PairNetwork


def schedule(**given: object) -> Schedule:
    return Schedule(Settings.of({"recipe": "constant", "rate": 1.0, **given}))


def test_one_cycle_is_that_of_torch() -> None:
    """torch counts steps, we count the share that is over.

    Equal where both fall on the same point of the curve.
    """
    steps = 101
    weight = torch.nn.Parameter(torch.zeros(1))
    sgd = torch.optim.SGD([weight], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        sgd, 1.0, total_steps=steps, pct_start=0.3, final_div_factor=1e4 / 25, cycle_momentum=False
    )
    # their way up ends at step 0.3 · 101 − 1 = 29.3 instead of 30 of 100
    ours = schedule(schedule="onecycle", warmup=29.3 / 100)
    for step in range(steps):
        assert ours.rate(step / (steps - 1)) == pytest.approx(sgd.param_groups[0]["lr"], rel=1e-6)
        sgd.step()
        if step < steps - 1:
            theirs.step()


def test_cosine_ends_at_nothing_and_constant_stays() -> None:
    assert [schedule(schedule="cosine").rate(share) for share in (0.0, 0.5, 1.0)] == pytest.approx(
        [1.0, 0.5, 0.0]
    )
    assert [schedule(schedule="constant").rate(share) for share in (0.0, 0.5, 1.0)] == [
        1.0,
        1.0,
        1.0,
    ]


def rates(scores: list[float], **given: object) -> list[float]:
    """The rate after each epoch until training is over."""
    one, out = schedule(schedule="plateau", **given), []
    for epoch, score in enumerate(scores, 1):
        one.judged(epoch, score)
        out.append(one.rate(0.0))
        if one.over:
            break
    return out


def test_plateau_lowers_the_rate_after_patience_and_ends_at_the_second_fall_in_vain() -> None:
    assert rates([1.0] * 20, patience=3) == [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25]


def test_plateau_does_not_lower_the_rate_while_it_is_held() -> None:
    assert rates([1.0] * 20, patience=3, hold=6) == [1.0] * 6 + [0.5, 0.5, 0.5, 0.25]


def test_a_better_score_starts_the_plateau_protocol_anew() -> None:
    scores = [1.0] * 4 + [0.9] + [0.9] * 10
    assert rates(scores, patience=3) == [1.0] * 3 + [0.5] * 4 + [0.25] * 3 + [0.125]


def test_a_plateau_of_the_training_loss_is_that_of_torch_and_never_ends_the_training() -> None:
    """torch waits one epoch longer than its `patience` says."""
    losses = [5.0, 4.0, 3.998, 3.997, 3.996, 3.9, 3.9, 3.9, 3.9, 3.9, 3.9, 3.9, 3.9, 3.9, 3.9, 3.9]
    sgd = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        sgd, factor=0.75, patience=2, threshold=0.005, threshold_mode="abs", min_lr=0.5
    )
    ours = schedule(
        schedule="plateau", watch="loss", patience=3, decay=0.75, threshold=0.005, floor=0.5
    )
    for epoch, loss in enumerate(losses, 1):
        theirs.step(loss)
        ours.judged(epoch, 1.0, loss)
        assert ours.rate(0.0) == pytest.approx(sgd.param_groups[0]["lr"])
        assert not ours.over
    assert ours.rate(0.0) == 0.5
    back = schedule(schedule="plateau", watch="loss")
    back.load_state(ours.state())
    assert back.state() == ours.state()


def test_early_stopping_counts_epochs_without_a_better_score() -> None:
    one = schedule(stop=3)
    over = []
    for epoch, score in enumerate([3.0, 2.0, 2.0, 2.1, 2.0, 1.0], 1):
        one.judged(epoch, score)
        over.append(one.over)
    assert over == [False, False, False, False, True, False]


def test_a_score_that_is_no_number_is_never_the_best() -> None:
    one = schedule()
    assert not one.judged(1, math.nan)
    assert one.judged(2, 5.0)


def test_moving_average_follows_its_formula() -> None:
    torch.manual_seed(0)
    network = PairNetwork((1, 6), 4)
    average = Average(network, decay=0.9)
    by_hand = next(network.parameters()).detach().clone()
    for step in range(1, 40):
        with torch.no_grad():
            next(network.parameters()).add_(torch.randn(2, 4))
        average.update(step)
        decay = min(0.9, (1 + step) / (10 + step))
        by_hand = decay * by_hand + (1 - decay) * next(network.parameters()).detach()
    assert torch.allclose(next(average.network.parameters()), by_hand, rtol=1e-5)  # float32
    assert not torch.allclose(by_hand, next(network.parameters()), rtol=1e-2)


def test_weight_decay_acts_on_matrices_alone() -> None:
    network = PairNetwork((1, 6), 4)
    groups = optimizer(
        network, Settings.of({"optimizer": "adamw", "weight_decay": 0.1})
    ).param_groups
    assert [group["weight_decay"] for group in groups] == [0.1, 0.0]
    assert {p.ndim for p in groups[0]["params"]} == {2}
    assert {p.ndim for p in groups[1]["params"]} == {1}


def test_sgd_is_nesterov() -> None:
    group = optimizer(
        PairNetwork((1,), 4), Settings.of({"optimizer": "sgd", "momentum": 0.8})
    ).param_groups[0]
    assert group["nesterov"]
    assert group["momentum"] == 0.8
