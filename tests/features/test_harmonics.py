"""Real spherical harmonics: the identities that define them, and two other implementations."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.special import eval_legendre, sph_harm_y
from torch import Tensor
from torch.autograd import gradcheck

from onekcal.errors import ConfigError
from onekcal.features.harmonics import HIGHEST, real_harmonics

ROUNDING = 1e-13
"""Of polynomials of degree 4 with coefficients up to 35, in float64."""


def directions(count: int, seed: int = 0) -> Tensor:
    torch.manual_seed(seed)
    return torch.nn.functional.normalize(torch.randn(count, 3, dtype=torch.float64), dim=1)


def block(values: Tensor, degree: int) -> Tensor:
    """The 2l + 1 harmonics of one degree."""
    return values[..., degree**2 : (degree + 1) ** 2]


def test_closure_the_sum_over_orders_is_a_legendre_polynomial_of_the_angle_between() -> None:
    """Unsöld's theorem is its case u = v."""
    u, v = directions(20), directions(20, seed=1)
    ours, others = real_harmonics(u, HIGHEST), real_harmonics(v, HIGHEST)
    for degree in range(HIGHEST + 1):
        expected = (2 * degree + 1) / (4 * math.pi) * eval_legendre(degree, (u * v).sum(1).numpy())
        assert (
            np.abs((block(ours, degree) * block(others, degree)).sum(1).numpy() - expected).max()
            < ROUNDING
        )
        same = block(ours, degree).square().sum(1) - (2 * degree + 1) / (4 * math.pi)
        assert same.abs().max() < ROUNDING


def test_they_are_orthonormal_on_the_sphere() -> None:
    """A quadrature that is exact to degree 9: products of two reach degree 8."""
    nodes, weights = np.polynomial.legendre.leggauss(5)
    azimuth = np.arange(10) * 2 * np.pi / 10
    around = np.sqrt(1 - nodes**2)[:, None]
    points = np.stack(
        [around * np.cos(azimuth), around * np.sin(azimuth), nodes[:, None] + 0 * azimuth], -1
    ).reshape(-1, 3)
    values = real_harmonics(torch.from_numpy(points), HIGHEST)
    overlap = values.T @ (
        torch.from_numpy(np.repeat(weights, 10) * 2 * np.pi / 10)[:, None] * values
    )
    assert (overlap - torch.eye(25, dtype=torch.float64)).abs().max() < ROUNDING


def test_parity_is_that_of_the_degree() -> None:
    u = directions(20)
    for degree in range(HIGHEST + 1):
        here, opposite = (block(real_harmonics(sign * u, HIGHEST), degree) for sign in (1, -1))
        assert torch.equal(opposite, (-1) ** degree * here)


def test_recurrence_z_times_a_harmonic_is_of_the_degrees_beside_it() -> None:
    """z Y_lm = a_l+1,m Y_l+1,m + a_lm Y_l−1,m with a_lm = √((l² − m²)/(4l² − 1)): one degree from
    those before.
    """

    def factor(degree: int, order: int) -> float:
        return math.sqrt((degree**2 - order**2) / (4 * degree**2 - 1))

    u = directions(20)
    values = real_harmonics(u, HIGHEST)
    for degree in range(HIGHEST):
        for order in range(-degree, degree + 1):
            above = factor(degree + 1, order) * values[:, (degree + 1) ** 2 + degree + 1 + order]
            below = 0.0
            if abs(order) < degree:
                below = factor(degree, order) * values[:, (degree - 1) ** 2 + degree - 1 + order]
            assert (
                u[:, 2] * values[:, degree**2 + degree + order] - above - below
            ).abs().max() < ROUNDING


def test_values_are_scipy_s_complex_ones_made_real() -> None:
    """√2 (−1)^m Re Y_lm for m > 0, the imaginary part for m < 0: the phase (−1)^m is taken out."""
    u = directions(20)
    polar, azimuth = np.arccos(u[:, 2].numpy()), np.arctan2(u[:, 1].numpy(), u[:, 0].numpy())
    values = real_harmonics(u, HIGHEST).numpy()
    for degree in range(HIGHEST + 1):
        for order in range(-degree, degree + 1):
            there = sph_harm_y(degree, abs(order), polar, azimuth)
            part = there.real if order >= 0 else there.imag
            expected = part * (math.sqrt(2) * (-1) ** order if order else 1.0)
            # arccos near a pole has half the digits
            assert np.abs(values[:, degree**2 + degree + order] - expected).max() < 1e-10


def test_values_are_those_of_e3nn() -> None:
    """e3nn's axis is y: its (x, y, z) are our (y, z, x)."""
    o3 = pytest.importorskip("e3nn.o3")
    u = directions(50)
    theirs = o3.spherical_harmonics(
        list(range(HIGHEST + 1)), u[:, [1, 2, 0]], normalize=False, normalization="integral"
    )
    assert (real_harmonics(u, HIGHEST) - theirs).abs().max() < 1e-10
    wrong = o3.spherical_harmonics(
        list(range(HIGHEST + 1)), u, normalize=False, normalization="integral"
    )
    assert (real_harmonics(u, HIGHEST) - wrong).abs().max() > 0.1


def test_derivatives_are_finite_at_the_poles() -> None:
    poles = torch.tensor(
        [[0.0, 0.0, 1.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]],
        dtype=torch.float64,
        requires_grad=True,
    )
    assert gradcheck(lambda u: real_harmonics(u, HIGHEST), poles)


def test_a_lower_degree_is_the_beginning_of_a_higher_one() -> None:
    u = directions(5)
    for degree in range(HIGHEST + 1):
        found = real_harmonics(u, degree)
        assert found.shape == (5, (degree + 1) ** 2)
        assert torch.equal(found, real_harmonics(u, HIGHEST)[:, : (degree + 1) ** 2])


@pytest.mark.parametrize("degree", [-1, HIGHEST + 1])
def test_degrees_there_are_none_of_are_refused(degree: int) -> None:
    with pytest.raises(ConfigError, match="from 0 to 4, got"):
        real_harmonics(directions(1), degree)
