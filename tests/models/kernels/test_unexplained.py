"""What landmarks do not explain of an environment: against dense algebra, and its limits."""

import math

import pytest
import torch
from torch import Tensor

from onekcal.models.kernels.unexplained import NEAR, unexplained

DIMS = 3


def cloud(count: int, seed: int = 0) -> Tensor:
    """Points of a width near to that of the kernel."""
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(count, DIMS, generator=draw, dtype=torch.float64)


def asked(x: Tensor, known: Tensor) -> Tensor:
    """The shares of environments of one element."""
    return unexplained(torch.zeros(len(x), dtype=torch.int64), x, known, [slice(0, len(known))])


def dense(x: Tensor, known: Tensor) -> Tensor:
    """1 − kᵀK⁻¹k with every landmark."""
    near = torch.cdist(x, known).square().mul(-0.5).exp()
    kernel = torch.cdist(known, known).square().mul(-0.5).exp()
    return 1 - (near * torch.linalg.solve(kernel, near.T).T).sum(1)


def test_few_landmarks_give_what_dense_algebra_gives() -> None:
    known, x = cloud(NEAR, 1), cloud(50, 2)
    assert asked(x, known) == pytest.approx(dense(x, known), abs=1e-3)


def test_of_many_landmarks_the_nearest_say_nearly_all() -> None:
    known, x = 3 * cloud(200, 1), 3 * cloud(400, 2)
    everyone = dense(x, known)
    assert (asked(x, known) >= everyone - 1e-3).all()  # fewer landmarks explain less
    assert (asked(x, known) - everyone).mean() < 0.1 * everyone.mean()
    nearest = dense(x, known[:NEAR])  # the control: any 24 do not do
    assert (nearest - everyone).mean() > 0.4 * everyone.mean()


def test_it_is_nothing_at_a_landmark_and_all_far_away() -> None:
    known = cloud(100)
    assert float(asked(known, known).max()) < 1e-4
    assert asked(known + 100, known) == pytest.approx(torch.ones(100, dtype=torch.float64))


def test_between_two_landmarks_is_known_better_than_beyond() -> None:
    known = torch.tensor([[-0.5, 0, 0], [0.5, 0, 0]], dtype=torch.float64)
    between, beyond = torch.tensor([[0.0, 0, 0], [1.0, 0, 0]], dtype=torch.float64)
    at = asked(torch.stack([between, beyond]), known)
    assert at[0] < 0.5 * at[1]  # though both lie 0.5 from the nearest


def test_landmarks_of_another_element_say_nothing() -> None:
    x, known = cloud(4), cloud(4)
    kinds = torch.tensor([0, 0, 1, 1])
    own = unexplained(kinds, x, known, [slice(0, 2), slice(2, 4)])
    other = unexplained(kinds.flip(0), x, known, [slice(0, 2), slice(2, 4)])
    assert float(own.max()) < 1e-4 < float(other.min())
    none = unexplained(kinds, x, known, [slice(0, 4), slice(4, 4)])
    assert none.isinf().tolist() == [False, False, True, True]


def test_landmarks_that_coincide_are_one() -> None:
    x, known = cloud(20, 2), cloud(5, 1)
    twice = torch.cat([known, known])
    assert asked(x, twice) == pytest.approx(asked(x, known), abs=1e-4)
    assert math.isfinite(float(asked(x, known[:1].repeat(40, 1)).sum()))
