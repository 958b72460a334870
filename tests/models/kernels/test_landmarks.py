"""Landmarks by randomly pivoted Cholesky: what they leave unexplained, against the best there can
be and against chance.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from onekcal.models.kernels import landmarks
from onekcal.models.kernels.landmarks import choose, gaussian


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def cloud() -> Tensor:
    """(300, 4) points: 285 crowd in a corner, 15 lie apart, which uniform sampling misses."""
    random = seeded(7)
    crowd = 0.2 * torch.randn(285, 4, generator=random, dtype=torch.float64)
    return torch.cat([crowd, 3 * torch.randn(15, 4, generator=random, dtype=torch.float64)])


def unexplained(points: Tensor, rows: Tensor) -> float:
    """tr(K − K_S K_SS⁻¹ K_S)."""
    cross = gaussian(points, points[rows])
    return float(
        len(points) - (cross @ torch.linalg.pinv(cross[rows], hermitian=True) * cross).sum()
    )


def test_the_kernel_is_the_gaussian_of_the_distance() -> None:
    x = torch.randn(5, 3, generator=seeded(), dtype=torch.float64)
    z = torch.randn(4, 3, generator=seeded(1), dtype=torch.float64)
    assert torch.allclose(gaussian(x, z), torch.exp(-torch.cdist(x, z).square() / 2), atol=1e-14)
    assert torch.allclose(gaussian(x, x).diagonal(), torch.ones(5, dtype=torch.float64), atol=1e-14)


def test_every_landmark_leaves_less_unexplained(cloud: Tensor) -> None:
    [rows] = choose([cloud], 60, seeded())
    traces = torch.tensor([unexplained(cloud, rows[:k]) for k in range(1, 61)])
    assert (traces.diff() < 1e-9).all()
    assert traces[-1] < 0.01 * traces[0]


@pytest.mark.parametrize("count", [30, 40])
def test_landmarks_leave_less_than_the_best_of_half_their_rank_and_random_ones_do_not(
    cloud: Tensor, count: int
) -> None:
    """What the leading eigenvectors leave is the least possible."""
    values = torch.linalg.eigvalsh(gaussian(cloud, cloud)).clamp(min=0)  # ascending
    least, of_half = float(values[:-count].sum()), float(values[: -count // 2].sum())
    mean = sum(unexplained(cloud, choose([cloud], count, seeded(k))[0]) for k in range(10)) / 10
    chance = (
        sum(unexplained(cloud, torch.randperm(300, generator=seeded(k))[:count]) for k in range(10))
        / 10
    )
    assert least < mean < 0.5 * of_half
    assert chance > of_half


def test_proposing_in_blocks_draws_as_one_by_one(
    cloud: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mean of what is left over 40 seeds; its standard error is 1 to 2 %. Without rejection it is
    half as much again.
    """
    together = sum(unexplained(cloud, choose([cloud], 20, seeded(k))[0]) for k in range(40))
    blind = 0.0
    for k in range(40):  # the first block of 20, all drawn from the untouched diagonal
        blind += unexplained(cloud, torch.multinomial(torch.ones(300), 20, generator=seeded(k)))
    monkeypatch.setattr(landmarks, "BLOCK", 1)
    single = sum(unexplained(cloud, choose([cloud], 20, seeded(k))[0]) for k in range(40))
    assert together == pytest.approx(single, rel=0.1)
    assert blind > 1.5 * single


def test_kinds_share_the_landmarks_by_what_they_need_and_no_kernel_between_them(
    cloud: Tensor,
) -> None:
    alike = 0.01 * torch.randn(300, 4, generator=seeded(3), dtype=torch.float64)
    few, many = choose([alike, cloud], 60, seeded())
    assert len(few) + len(many) == 60
    assert 1 <= len(few) < 15
    assert unexplained(alike, few) < 0.1
    assert unexplained(cloud, many) < 0.1 * unexplained(cloud, many[:10])
    nothing, all_of_them = choose([cloud[:0], cloud], 20, seeded())
    assert len(nothing) == 0
    assert len(all_of_them) == 20


def test_no_landmark_is_taken_twice_and_copies_in_the_pool_do_no_harm(cloud: Tensor) -> None:
    copies = cloud[:40].repeat(5, 1)
    [rows] = choose([copies], 100, seeded())
    assert len((rows % 40).unique()) == len(rows) <= 40
    assert unexplained(copies, rows) < 1e-3 < unexplained(copies, rows[:20])
    [one] = choose([torch.zeros(50, 3, dtype=torch.float64)], 10, seeded())
    assert len(one) == 1


def test_more_landmarks_than_points_are_all_the_points_that_differ() -> None:
    apart = 5.0 * torch.eye(12, dtype=torch.float64)
    [rows] = choose([apart], 100, seeded())
    assert sorted(rows.tolist()) == list(range(12))


@pytest.mark.parametrize("scale", [1e3, 1e5, 1e8, 1e160])
def test_points_too_far_for_exact_distances_are_taken_once_or_not_at_all(
    cloud: Tensor, scale: float
) -> None:
    """Distances are differences of squares: from 1e3 on a point's distance to itself is not zero,
    at last no number.
    """
    for seed in range(5):
        [rows] = choose([scale * (cloud + 1)], 400, seeded(seed))
        assert len(rows.unique()) == len(rows) > 0
        if scale <= 1e5:
            assert len(rows) == 300  # the nearest are hundreds of widths apart


def test_the_seed_decides(cloud: Tensor) -> None:
    [first], [again], [other] = (choose([cloud], 30, seeded(k)) for k in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
