"""The local kernel on projected features against kernelforge's own, known molecules and strange
ones; packed rows.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from onekcal.features.fchl import Environments, environments
from onekcal.models.kernels import local_kernel
from onekcal.models.kernels.fchl_features import atoms
from onekcal.models.kernels.fchl_kernel import FchlKernel
from onekcal.models.kernels.local_kernel import Axes, Projected, matvec, rectangular, symmetric
from onekcal.models.kernels.packed_cholesky import place, put_row
from onekcal.molecules import Molecules
from support.molecules import wobbly

kernelforge = pytest.importorskip("kernelforge", reason="kernelforge has wheels for Linux only")

SIGMA = 2.0
EXACT = 1e-10
"""Of K, relative, among known molecules: exponents are wrong by 1e-12 on average, some ten times
that at worst.
"""
STRANGE = 3e-6
"""Of K against molecules unlike the known ones: |r_a||r_b|/σ², where |r_b|/σ is √1e-12 on average
and |r_a|/σ about 1.
"""


def found(molecules: Molecules, elements: list[int]) -> Environments:
    return environments(molecules, elements, 30, rcut=6.0, acut=6.0)


def projected(known: Molecules, asked: Molecules) -> tuple[Projected, Projected]:
    elements = known.elements
    blocks = [
        atoms(found(known[m : m + 100], elements), elements, m) for m in range(0, len(known), 100)
    ]
    axes = Axes(blocks, len(elements), SIGMA)
    return axes.project(blocks, len(known)), axes.project(
        [atoms(found(asked, elements), elements)], len(asked)
    )


def theirs(asked: Molecules, known: Molecules) -> np.ndarray:
    a, b = found(asked, known.elements), found(known, known.elements)
    return kernelforge.local_kernels.kernel_gaussian(
        a.features, b.features, a.charges, b.charges, a.sizes, b.sizes, SIGMA
    )


@pytest.fixture(scope="module")
def known() -> Molecules:
    """So many that most elements have more environments than features, and are projected."""
    return wobbly(400, seed=1).molecules


@pytest.fixture(scope="module")
def strange() -> Molecules:
    """Molecules torn to twice their size and pressed to two thirds: far off the axes of the known
    ones.
    """
    some = wobbly(10, seed=5).molecules
    return Molecules.concatenate(
        [some.moved(some.positions * 2), some.moved(some.positions * 0.66)]
    )


def test_the_symmetric_kernel_is_that_of_kernelforge(known: Molecules) -> None:
    """More molecules than one strip, in kernelforge's own packing."""
    near, _ = projected(known, known[:1])
    packed = symmetric(near)
    expected = kernelforge.local_kernels.kernel_gaussian_symm_rfp(
        *found(known, known.elements), SIGMA
    )
    assert len(known) > local_kernel.MOLECULES
    assert np.abs(packed / expected - 1).max() < EXACT


def test_the_kernel_with_molecules_like_the_known_ones_is_right(known: Molecules) -> None:
    new = wobbly(20, seed=2).molecules
    near, asked = projected(known, new)
    expected = theirs(new, known)
    assert np.abs(rectangular(asked, near).numpy() / expected - 1).max() < 10 * EXACT


def test_the_kernel_with_strange_molecules_is_right_too(
    known: Molecules, strange: Molecules
) -> None:
    near, far = projected(known, strange)
    weights = torch.randn(
        len(known), dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    expected = theirs(strange, known)
    kernel = rectangular(far, near)
    assert np.allclose(kernel.numpy(), expected, rtol=0, atol=STRANGE)
    assert torch.allclose(
        matvec(far, near, weights),
        kernel @ weights,
        rtol=0,
        atol=1e-12 * float(kernel.sum(1).max()),
    )


def test_it_is_wrong_where_axes_are_missing_and_where_lengths_are_those_of_projections(
    known: Molecules, strange: Molecules, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: the tests above see what TOLERANCE leaves out, and that strange molecules need
    their full lengths.
    """
    monkeypatch.setattr(local_kernel, "TOLERANCE", 1e-6)
    near, far = projected(known, strange)
    expected = theirs(strange, known)
    assert np.abs(rectangular(far, near).numpy() - expected).max() > 10 * STRANGE
    monkeypatch.undo()
    near, far = projected(known, strange)
    for x, tail in zip(far.points, far.tails):
        x[:, -2] = -0.5 * (x[:, :-2].square().sum(1) + tail.double().square().sum(1))
    assert np.abs(rectangular(far, near).numpy() - expected).max() > 100 * STRANGE


def test_axes_are_fewer_than_features_and_few_environments_are_spanned_exactly(
    known: Molecules,
) -> None:
    few, many = projected(known[:8], known[:1])[0], projected(known, known[:1])[0]
    width = found(known[:1], known.elements).features.shape[2]
    assert all(x.shape[1] - 2 <= len(x) for x in few.points)
    dims = [
        x.shape[1] - 2 + tail.shape[1] for x, tail in zip(many.points, many.tails) if len(x) > width
    ]
    assert 0 < max(dims) < 0.8 * width
    expected = theirs(known[:8], known[:8])
    assert np.abs(rectangular(few, few).numpy() / expected - 1).max() < 1e-12


def test_an_element_the_asked_molecules_lack_adds_nothing(known: Molecules) -> None:
    hydrogen = Molecules.one(["H", "H"], [[0, 0, 0], [0, 0, 0.74]])
    near, far = projected(known, hydrogen)
    assert sum(len(x) > 0 for x in far.points) == 1
    assert np.allclose(
        rectangular(far, near).numpy(), theirs(hydrogen, known), rtol=0, atol=STRANGE
    )


def test_predictions_do_not_depend_on_what_is_asked_beside(known: Molecules) -> None:
    """Whole strips and single molecules: products of matrices of other shapes round differently,
    by some 1e-16 a term.
    """
    train = wobbly(60, seed=1)
    model = FchlKernel(sigma=SIGMA, regularization=1e-6, forces=False).fit(train, train[:0])
    together, alone = (
        model.energies(known[:70]),
        torch.cat([model.energies(one) for one in known[:70]]),
    )
    assert torch.allclose(together, alone, atol=1e-13 * float(np.abs(model.weights).sum()), rtol=0)


@pytest.mark.parametrize("count", [1, 2, 7, 8])
def test_a_row_is_put_where_its_elements_lie(count: int) -> None:
    packed, full = (
        np.full(count * (count + 1) // 2, np.nan),
        np.random.default_rng(0).normal(size=(count, count)),
    )
    for row in range(count):
        put_row(packed, row, full[row, row:], count)
    row, column = np.triu_indices(count)
    assert np.array_equal(packed[place(row, column, count)], full[row, column])
