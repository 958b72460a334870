"""Labels of which some are less certain than others."""

from __future__ import annotations

import pytest
import torch

from onekcal.data.dataset import Column, Dataset
from onekcal.errors import ConfigError, DataError
from onekcal.models.kernels.sparse_kernel import SparseKernel
from support.molecules import wobbly


def fitted(data: Dataset, label_noise: float = 0.1) -> SparseKernel:
    """All environments are landmarks, so that no choice depends on the labels."""
    model = SparseKernel(2.0, 1e-4, 100_000, 100_000, force_weight=0.0, label_noise=label_noise)
    return model.fit(data, data[:0])


def unsure(data: Dataset, where: torch.Tensor, kcal: float) -> Dataset:
    """The data, whose labels are uncertain in some places."""
    values = torch.where(where, kcal, 0.0).double()
    return data.with_column(f"{data.target}_uncertainty", Column(values, "property"))


def off(data: Dataset, where: torch.Tensor) -> Dataset:
    """The data with 30 kcal/mol added to some labels."""
    return data.minus(-30.0 * where)


def test_a_wrong_label_that_says_so_does_no_harm_and_one_that_does_not_does() -> None:
    data, asked = wobbly(20, seed=1), wobbly(9, seed=2).molecules
    bad = torch.arange(20) % 5 == 0
    true = fitted(data[~bad]).energies(asked)
    known, hidden = unsure(off(data, bad), bad, 1e4), unsure(off(data, bad), bad, 0.0)
    apart = (fitted(known).energies(asked) - true).abs().max()
    harmed = (fitted(hidden).energies(asked) - true).abs().max()
    assert harmed > 1.0
    assert apart < 0.1 * harmed


def test_without_a_noise_or_without_uncertainties_all_labels_count_alike() -> None:
    data, asked = wobbly(20, seed=1), wobbly(9, seed=2).molecules
    plain = fitted(data).energies(asked)
    some = unsure(data, torch.arange(20) % 2 == 0, 0.5)
    torch.testing.assert_close(fitted(some, 0.0).energies(asked), plain, rtol=0, atol=0)
    none = unsure(data, torch.arange(20) % 2 == 0, 0.0)
    torch.testing.assert_close(fitted(none).energies(asked), plain, rtol=0, atol=0)
    assert not torch.equal(fitted(some).energies(asked), plain)


def test_a_weight_is_a_share_of_a_molecule() -> None:
    """A label counted twice is one of half the variance: p of one half, and λ of one half."""
    data = wobbly(20, seed=1)
    half = unsure(data, torch.ones(20, dtype=torch.bool), 0.1)  # p = 1 / (1 + 1)
    asked = wobbly(9, seed=2).molecules
    weighted = fitted(half).energies(asked)
    model = SparseKernel(2.0, 2e-4, 100_000, 100_000, force_weight=0.0).fit(data, data[:0])
    torch.testing.assert_close(weighted, model.energies(asked), rtol=0, atol=1e-6)


@pytest.mark.parametrize("bad", [-0.1, float("nan")])
def test_what_is_no_uncertainty_is_refused(bad: float) -> None:
    with pytest.raises(DataError, match="0 or more.*for molecule 3"):
        fitted(unsure(wobbly(6, seed=1), torch.arange(6) == 3, bad))
    with pytest.raises(ConfigError, match="label_noise"):
        SparseKernel(label_noise=-0.1)
