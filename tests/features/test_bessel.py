"""Waves in a ball: spherical Bessel functions against SciPy and their recurrence, their zeros, the
bases made of them.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.special import eval_legendre, roots_legendre, spherical_jn
from torch.autograd import gradcheck, gradgradcheck

from onekcal.features.bessel import angular_basis, envelope, radial_basis, spherical_basis
from onekcal.features.spherical_bessel import spherical_bessel, zeros

DEGREES, WAVES = 7, 6


@pytest.mark.parametrize("order", range(9))
def test_spherical_bessel_functions_are_those_of_scipy(order: int) -> None:
    """From 0, where the recurrence alone is lost, to beyond the largest zero used; both round."""
    x = torch.cat(
        [torch.zeros(1), torch.logspace(-6, 0, 200), torch.linspace(1, 40, 2000)]
    ).double()
    assert np.abs(spherical_bessel(x, order).numpy() - spherical_jn(order, x.numpy())).max() < 1e-12
    near = x[(x > 0) & (x < 5)]
    assert spherical_bessel(near, order).numpy() == pytest.approx(
        spherical_jn(order, near.numpy()), rel=1e-10, abs=1e-300
    )


def test_spherical_bessel_functions_obey_their_recurrence() -> None:
    x = torch.linspace(0.01, 40, 3000, dtype=torch.float64)
    j = [spherical_bessel(x, order) for order in range(9)]
    for k in range(1, 8):
        assert torch.allclose((2 * k + 1) / x * j[k], j[k - 1] + j[k + 1], atol=1e-11, rtol=0)
    assert not torch.allclose((2 * 3 + 1) / x * j[3], j[2] + j[5], atol=1e-3, rtol=0)  # the control


@pytest.mark.parametrize("order", [0, 1, 6])
def test_spherical_bessel_functions_are_smooth_at_0_and_where_the_series_ends(order: int) -> None:
    joint = max(0.5, order / 2)
    x = torch.tensor(
        [0.0, 1e-9, 0.3, joint, joint + 1e-9, 7.0], dtype=torch.float64, requires_grad=True
    )
    assert gradcheck(lambda x: spherical_bessel(x[2:], order), x)
    slope = torch.autograd.grad(spherical_bessel(x, order).sum(), x, create_graph=True)[0]
    expected = spherical_jn(order, x.detach().numpy(), derivative=True)
    assert slope.detach().numpy() == pytest.approx(expected, abs=1e-11)
    assert torch.isfinite(torch.autograd.grad(slope.sum(), x)[0]).all()


def test_zeros_are_zeros_and_none_is_left_out() -> None:
    """j_l has one sign between two neighbours of the list; rounding of z is 1e-15 z, and slopes
    are below 1.
    """
    found = zeros(DEGREES - 1, WAVES)
    assert found.shape == (DEGREES, WAVES)
    assert found[0].tolist() == pytest.approx([n * math.pi for n in range(1, WAVES + 1)], rel=1e-15)
    for order, row in enumerate(found.numpy()):
        assert np.abs(spherical_jn(order, row)).max() < 1e-14
        ends = [1e-3, *row]
        for low, high in zip(ends[:-1], ends[1:]):
            between = spherical_jn(order, np.linspace(low, high, 400)[1:-1])
            assert (between > 0).all() or (between < 0).all()


def test_spherical_waves_are_orthonormal_in_the_ball() -> None:
    """Without the envelope: ∫₀¹ x² b_ln b_lm dx = δ_nm, by Gauss-Legendre quadrature of 60
    points.
    """
    points, weights = roots_legendre(60)
    x = torch.from_numpy((points + 1) / 2)
    basis = (
        spherical_basis(x, DEGREES, WAVES, 5) / envelope(x, 5)[:, None, None]
    )  # (60, degrees, waves)
    overlap = torch.einsum("x,xln,xlm->lnm", torch.from_numpy(weights / 2) * x**2, basis, basis)
    assert torch.allclose(
        overlap, torch.eye(WAVES, dtype=torch.float64).expand_as(overlap), atol=1e-10
    )
    assert not torch.allclose(
        torch.einsum("x,xln,xlm->lnm", torch.from_numpy(weights / 2), basis, basis),  # the control
        overlap,
        atol=1e-2,
    )


def test_spherical_waves_of_float32_distances_are_good_to_float32() -> None:
    x = torch.tensor([0.15, 0.2, 0.3, 0.9])
    exact = spherical_basis(x.double(), DEGREES, WAVES, 5)
    found = spherical_basis(x, DEGREES, WAVES, 5)
    assert found.dtype == torch.float32
    assert torch.allclose(found.double(), exact, rtol=1e-6, atol=1e-9)


def test_angular_basis_is_the_zonal_harmonics() -> None:
    """√((2l + 1)/4π) P_l(cos α), normalised on the sphere."""
    angle = torch.linspace(0, math.pi, 50, dtype=torch.float64)
    found = angular_basis(angle.cos(), DEGREES).numpy()
    for order in range(DEGREES):
        assert found[:, order] == pytest.approx(
            math.sqrt((2 * order + 1) / (4 * math.pi))
            * eval_legendre(order, np.cos(angle.numpy())),
            abs=1e-13,
        )
    assert angular_basis(angle, 1).shape == (50, 1)


def test_envelope_ends_with_two_derivatives_of_0() -> None:
    x = torch.tensor([0.2, 0.9999, 1.0, 1.5], dtype=torch.float64, requires_grad=True)
    value = envelope(x, 5)
    first = torch.autograd.grad(value.sum(), x, create_graph=True)[0]
    second = torch.autograd.grad(first.sum(), x)[0]
    for derivative, near in (
        (value, 1e-10),
        (first, 1e-5),
        (second, 0.1),
    ):  # left: 56 (1 − x)³ and its derivatives
        assert derivative[1:].abs().max() < near
        assert derivative[0].abs() > 1
    assert envelope(torch.tensor([0.5]).double(), 5).item() == pytest.approx(
        2 - 28 / 2**5 + 48 / 2**6 - 21 / 2**7
    )


def test_radial_waves_are_sines_under_the_envelope_and_differentiable_twice() -> None:
    frequencies = math.pi * torch.arange(1, 4, dtype=torch.float64).requires_grad_(True)
    x = torch.tensor([0.1, 0.4, 0.8, 1.2], dtype=torch.float64, requires_grad=True)
    found = radial_basis(x, frequencies, 5)
    assert found.shape == (4, 3)
    assert float(found[1, 2].detach()) == pytest.approx(
        float(envelope(x, 5)[1].detach()) * math.sin(3 * math.pi * 0.4)
    )
    assert not found[3].any()
    for function in (
        lambda x: radial_basis(x, frequencies, 5),
        lambda x: spherical_basis(x, 3, 2, 5),
    ):
        assert gradcheck(function, x)
        assert gradgradcheck(function, x)
