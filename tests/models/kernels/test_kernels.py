"""The exact FCHL19 kernel: the formula in the file's head, by brute force; what it refuses; what
it chooses.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from onekcal.errors import ConfigError, InputError
from onekcal.models.kernels.fchl_fit import check_memory, memory_needed
from onekcal.models.kernels.fchl_kernel import FchlKernel
from onekcal.molecules import Molecules
from support.kernels import brute_force
from support.molecules import wobbly

pytest.importorskip("kernelforge", reason="kernelforge has wheels for Linux only")


def test_the_prediction_is_the_formula_by_brute_force() -> None:
    train = wobbly(12, seed=1)
    model = FchlKernel(sigma=2.0, regularization=1e-3, forces=False).fit(train, train[:0])
    kernel = brute_force(train.molecules, 2.0)
    weights = np.linalg.solve(kernel + 1e-3 * np.eye(12), train.energies.numpy())
    assert np.allclose(model.weights, weights, rtol=1e-6)
    assert np.allclose(model.energies(train.molecules).numpy(), kernel @ weights, atol=1e-6)
    assert not np.allclose(kernel, brute_force(train.molecules, 2.1), atol=1e-3)


def test_it_learns_small_distortions() -> None:
    """Distorted known molecules: 0.05 Å noise spreads the toy energy by 1 to 3 kcal/mol."""
    train, test = wobbly(120, seed=1), wobbly(40, seed=2)
    model = FchlKernel(sigma=4.0, regularization=1e-6, forces=False).fit(train, train[:0])
    error = float((model.energies(test.molecules) - test.energies).abs().mean())
    spread = (
        torch.cat([test.energies[k::4] - test.energies[k::4].mean() for k in range(4)]).abs().mean()
    )
    assert error < 0.2 * float(spread)


def test_the_energies_of_two_far_molecules_add_up_but_for_what_the_cutoff_sees() -> None:
    train = wobbly(60, seed=1)
    model = FchlKernel(sigma=4.0, regularization=1e-6, forces=False).fit(train, train[:0])
    one, other = train.molecules[2], train.molecules[3]

    def both(apart: float) -> float:
        joined = torch.cat([one.positions, other.positions + torch.tensor([apart, 0.0, 0.0])])
        numbers = torch.cat([one.numbers, other.numbers]).tolist()
        return float(model.energies(Molecules.one(numbers, joined.numpy()))[0])

    alone = float(model.energies(one)[0] + model.energies(other)[0])
    assert both(50.0) == pytest.approx(alone, abs=1e-6)
    assert abs(both(2.5) - alone) > 0.1


def test_sigma_is_chosen_on_the_validation_part() -> None:
    train, valid = wobbly(60, seed=1), wobbly(20, seed=2)
    model = FchlKernel(sigma=[0.01, 4.0], regularization=[1e-6, 1e-2], forces=False).fit(
        train, valid
    )
    assert model.sigma == 4.0
    single = FchlKernel(sigma=4.0, regularization=1e-6, forces=False).fit(train, valid)
    assert torch.allclose(
        model.energies(valid.molecules), single.energies(valid.molecules), atol=1e-6
    )
    with pytest.raises(ConfigError, match="need a validation part"):
        FchlKernel(sigma=[1.0, 4.0]).fit(train, train[:0])


def test_a_kernel_that_will_not_fit_is_refused_before_it_begins() -> None:
    """20,000 molecules: 1.6 GB of kernel; 117,000 molecules: 55 GB."""
    assert 8 * 20_000**2 / 2 < memory_needed(20_000, 29, 5) < 24e9
    with pytest.raises(
        ConfigError,
        match=r"an exact kernel on 117,000 molecules .* needs .* GiB, .* are free; lower",
    ):
        check_memory(117_000, 29, 5, available=24e9)
    check_memory(5_000, 23, 5, available=24e9)


def test_an_element_never_seen_is_named() -> None:
    train = wobbly(12)
    model = FchlKernel().fit(train, train[:0])
    with pytest.raises(InputError, match="cannot describe S: not in the training data"):
        model.energies(Molecules.one(["S", "H", "H"], [[0, 0, 0], [0, 0.9, 0.9], [0, -0.9, 0.9]]))


def test_lengths_and_widths_must_be_positive() -> None:
    with pytest.raises(ConfigError, match="`sigma` must be positive, got -1"):
        FchlKernel(sigma=-1)
