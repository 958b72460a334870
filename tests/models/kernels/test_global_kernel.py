"""SLATM against its formula and another implementation's numbers; the global kernel against brute
force.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from onekcal.errors import ConfigError, InputError
from onekcal.features.slatm import MARGIN, NEAREST, blocks, slatm
from onekcal.models.kernels.global_kernel import (
    GlobalKernel,
    check_memory,
    left_out,
    manhattan,
    memory_needed,
    squared,
)
from onekcal.molecules import Molecules
from support.molecules import wobbly

FORMAMIDE = Molecules.one(
    ["C", "O", "N", "H", "H", "H"],
    [
        [0.0, 0.42, 0.01],
        [1.19, 0.24, -0.02],
        [-0.94, -0.56, 0.03],
        [-0.45, 1.42, -0.05],
        [-0.64, -1.53, 0.08],
        [-1.92, -0.34, -0.11],
    ],
)
ELEMENTS = [1, 6, 7, 8]
# qmllib 1.2.0, generate_slatm(local=False, sigmas=[0.05, 0.05], dgrids=[0.03, 0.03], rcut=4.8,
# rpower=6, alchemy=False) of the molecule above: elements of the part (centre in the middle), place
# of its largest entry, that entry, the part's sum
QMLLIB = [
    ((1, 1), 55, 0.008133450311, 0.0427069016),
    ((1, 6), 33, 0.8340127872, 3.71713326),
    ((1, 7), 30, 3.188624937, 13.4997346),
    ((1, 8), 64, 0.02719449506, 0.1558830305),
    ((6, 7), 41, 1.598265944, 6.859965194),
    ((6, 8), 36, 3.859235951, 16.28409795),
    ((7, 8), 72, 0.09731845842, 0.4054299675),
    ((1, 1, 1), 65, 4.567959223e-05, 0.0005691459505),
    ((1, 1, 6), 49, 0.005891564934, 0.04413012328),
    ((1, 1, 7), 29, 0.1192686459, 0.5345618163),
    ((1, 1, 8), 65, 0.0003888362067, 0.005025449843),
    ((6, 1, 7), 32, 0.2357571341, 1.130913108),
    ((6, 1, 8), 29, 0.1270766013, 0.5517447796),
    ((7, 1, 8), 48, 0.02260822588, 0.1255018779),
    ((1, 6, 1), 62, 0.003432954194, 0.02206506164),
    ((1, 6, 7), 26, 0.1817965758, 1.130913108),
    ((1, 6, 8), 82, 0.1160915548, 0.5517447796),
    ((7, 6, 8), 84, 0.2808477731, 1.17895392),
    ((1, 7, 1), 81, 0.05781465757, 0.2672809081),
    ((1, 7, 6), 81, 0.172862028, 1.130913108),
    ((1, 7, 8), 65, 0.02046457783, 0.1255018779),
    ((6, 7, 8), 26, 0.277498375, 1.17895392),
    ((1, 8, 1), 31, 0.0002186876856, 0.002512724922),
    ((1, 8, 6), 27, 0.1157058948, 0.5517447796),
    ((1, 8, 7), 25, 0.02123426614, 0.1255018779),
    ((6, 8, 7), 28, 0.2748277117, 1.17895392),
]


def types() -> list[tuple[int, ...]]:
    """Elements of each part after the first, in the order of `blocks`."""
    pairs = [(a, b) for k, a in enumerate(ELEMENTS) for b in ELEMENTS[k:]]
    return [*pairs, *((a, centre, b) for centre in ELEMENTS for a, b in pairs)]


def parts(molecules: Molecules) -> dict[tuple[int, ...], torch.Tensor]:
    return dict(zip(types(), slatm(molecules, ELEMENTS)[0].split(blocks(ELEMENTS))[1:]))


def test_slatm_has_the_numbers_of_qmllib() -> None:
    found = parts(FORMAMIDE)
    assert slatm(FORMAMIDE, ELEMENTS)[0, :4].tolist() == [3, 6, 7, 8]
    for kind, place, largest, total in QMLLIB:
        assert int(found.pop(kind).argmax()) == place
        part = parts(FORMAMIDE)[kind]
        assert float(part.max()) == pytest.approx(largest, rel=1e-6)
        assert float(part.sum()) == pytest.approx(total, rel=1e-6)
    assert all((part == 0).all() for part in found.values()), "elsewhere there is nothing"


def test_slatm_is_qmllibs_entry_by_entry() -> None:
    representations = pytest.importorskip(
        "qmllib.representations", reason="qmllib (extra `peers`) is not installed"
    )
    kinds = [[z] for z in ELEMENTS] + [list(kind) for kind in types()]
    for molecule in [FORMAMIDE, *wobbly(4).molecules]:
        theirs = representations.generate_slatm(
            molecule.numbers.numpy().astype(float),
            np.asfortranarray(molecule.positions.numpy()),
            kinds,
        )
        assert np.allclose(slatm(molecule, ELEMENTS)[0].numpy(), theirs, rtol=1e-6, atol=1e-12)


def test_two_atoms_are_one_gaussian_over_r_to_the_sixth() -> None:
    separation = 1.2
    found = slatm(Molecules.one(["C", "O"], [[0, 0, 0], [separation, 0, 0]]), [6, 8])[0]
    assert blocks([6, 8])[:4] == [2, 157, 157, 157]
    radius = torch.linspace(NEAREST, 4.8, 157, dtype=torch.float64)
    gaussian = torch.exp(-((radius - separation) ** 2) / (2 * 0.05**2)) / (
        0.05 * math.sqrt(2 * math.pi)
    )
    expected = 6 * 8 * gaussian * 0.03 / radius**6
    assert found[:2].tolist() == [6, 8]
    assert torch.allclose(found[2 + 157 : 2 + 2 * 157], expected, rtol=1e-9, atol=0)
    others = torch.cat([found[2 : 2 + 157], found[2 + 2 * 157 :]])
    assert (others == 0).all(), "no pair of two carbons, no triple"


def test_an_equilateral_triangle_has_the_axilrod_teller_energy_at_sixty_degrees() -> None:
    side = 1.0
    corners = [[0, 0, 0], [side, 0, 0], [side / 2, side * math.sqrt(0.75), 0]]
    angular = slatm(Molecules.one(["H"] * 3, corners), [1])[0, 1 + 157 :]
    grid = torch.linspace(-MARGIN, math.pi + MARGIN, 128, dtype=torch.float64)
    assert float(grid[angular.argmax()]) == pytest.approx(math.pi / 3, abs=0.02)
    # three corners, each ⅓ · (1 + cos θ · ¼) averaged over a Gaussian; the weight Δθ is 0.03 on a
    # grid of 0.0302
    integral = 1 + math.cos(math.pi / 3) * math.exp(-(0.05**2) / 2) / 4
    assert float(angular.sum()) == pytest.approx(
        integral * 0.03 / float(grid[1] - grid[0]), rel=1e-6
    )


def test_slatm_does_not_see_orientation_or_order_but_sees_shape() -> None:
    turn = torch.from_numpy(Rotation.from_euler("xyz", [0.3, 1.1, -0.8]).as_matrix())
    there = slatm(FORMAMIDE, ELEMENTS)
    turned = FORMAMIDE.moved(FORMAMIDE.positions @ turn.T + 1.7)
    order = [3, 0, 5, 2, 4, 1]
    shuffled = Molecules.one(FORMAMIDE.numbers[order].tolist(), FORMAMIDE.positions[order].numpy())
    assert torch.allclose(slatm(turned, ELEMENTS), there, rtol=0, atol=1e-12)
    assert torch.allclose(slatm(shuffled, ELEMENTS), there, rtol=0, atol=1e-12)
    stretched = FORMAMIDE.moved(FORMAMIDE.positions * torch.tensor([1.02, 1.0, 1.0]))
    assert not torch.allclose(slatm(stretched, ELEMENTS), there, rtol=0, atol=1e-3)
    swapped = Molecules.one(FORMAMIDE.numbers[order].tolist(), FORMAMIDE.positions.numpy())
    assert not torch.allclose(slatm(swapped, ELEMENTS), there, rtol=0, atol=1e-3)


def test_vectors_of_two_far_molecules_add_up_and_of_near_ones_do_not() -> None:
    one, other = wobbly(4).molecules[0], wobbly(4).molecules[3]

    def both(apart: float) -> torch.Tensor:
        joined = torch.cat([one.positions, other.positions + torch.tensor([apart, 0.0, 0.0])])
        return slatm(
            Molecules.one(torch.cat([one.numbers, other.numbers]).tolist(), joined.numpy()),
            ELEMENTS,
        )

    alone = slatm(one, ELEMENTS) + slatm(other, ELEMENTS)
    assert torch.allclose(both(20.0), alone, rtol=0, atol=1e-12)
    assert (both(3.0) - alone).abs().max() > 1e-3


def test_forces_at_a_straight_angle_are_finite() -> None:
    """CO₂: the derivative of the arc cosine is infinite there."""
    train = wobbly(24, seed=1)
    model = GlobalKernel(kernel="gaussian", sigma=30.0, regularization=1e-8).fit(train, train[:0])
    pull = model.forces(Molecules.one(["O", "C", "O"], [[-1.16, 0, 0], [0, 0, 0], [1.16, 0, 0]]))
    assert torch.isfinite(pull).all()
    assert torch.allclose(pull.sum(0), torch.zeros(3, dtype=torch.float64), atol=1e-9)


@pytest.mark.parametrize("kernel", ["gaussian", "laplacian", "exponential"])
@pytest.mark.parametrize("features", ["slatm", "coulomb"])
def test_forces_by_autograd_are_central_differences(features: str, kernel: str) -> None:
    """Steps of 1e-5 Å: narrow against SLATM's Gaussians of 0.05 Å, and seldom across a kink of the
    Laplacian or a change in the order of a sorted matrix. Energies of 1e-10 kcal/mol leave 1e-5
    kcal/mol/Å.
    """
    train = wobbly(24, seed=1)
    model = GlobalKernel(features, kernel, regularization=1e-6).fit(train, train[:0])
    asked = wobbly(4, seed=9).molecules
    found = model.forces(asked)
    for atom, axis in [(0, 0), (1, 2), (4, 1), (9, 0), (13, 2)]:
        step = torch.zeros_like(asked.positions)
        step[atom, axis] = 1e-5
        up, down = (
            model.energies(asked.moved(asked.positions + sign * step)).sum() for sign in (1, -1)
        )
        assert float(found[atom, axis]) == pytest.approx(
            float(down - up) / 2e-5, abs=1e-3, rel=1e-4
        )
    assert found.abs().max() > 10


@pytest.mark.parametrize("kernel", ["gaussian", "laplacian", "exponential"])
def test_the_prediction_and_its_variance_are_the_formula_by_brute_force(kernel: str) -> None:
    train, test = wobbly(12, seed=1), wobbly(8, seed=2)
    model = GlobalKernel("slatm", kernel, sigma=20.0, regularization=1e-3).fit(train, train[:0])
    known, asked = (slatm(data.molecules, [1, 6, 7, 8]).numpy() for data in (train, test))

    def similarity(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        apart = a[:, None] - b
        return {
            "laplacian": np.exp(-np.abs(apart).sum(2) / 20.0),
            "gaussian": np.exp(-(apart**2).sum(2) / 800.0),
            "exponential": np.exp(-np.sqrt((apart**2).sum(2)) / 800.0),
        }[kernel]

    inverse = np.linalg.inv(similarity(known, known) + 1e-3 * np.eye(12))
    weights = inverse @ train.energies.numpy()
    against = similarity(asked, known)
    assert np.allclose(model.energies(test.molecules).numpy(), against @ weights, atol=1e-6)
    amplitude = train.energies.numpy() @ weights / 12
    variance = amplitude * (1 - np.einsum("ma,ab,mb->m", against, inverse, against))
    assert np.allclose(model.variance(test.molecules).numpy(), variance, rtol=1e-6)
    # at a training molecule the variance is at most the noise, λ times the amplitude
    assert (model.variance(train.molecules) < 1e-3 * amplitude).all()
    assert model.variance(test.molecules).mean() > 2 * model.variance(train.molecules).mean()


def test_a_loaded_kernel_has_the_same_variance() -> None:
    train, test = wobbly(12, seed=1), wobbly(8, seed=2)
    model = GlobalKernel().fit(train, train[:0])
    loaded = GlobalKernel().load_state(model.state())
    assert torch.equal(loaded.variance(test.molecules), model.variance(test.molecules))
    assert (loaded.sigma, loaded.regularization) == (model.sigma, model.regularization)


def test_leave_one_out_in_closed_form_is_leaving_one_out() -> None:
    data = wobbly(12, seed=1)
    features = slatm(data.molecules, data.molecules.elements)
    kernel = torch.exp(-squared(features, features, []) / 800.0)
    errors = left_out(kernel, data.energies, 1e-3)
    for m in range(12):
        others = data[[k for k in range(12) if k != m]]
        alone = GlobalKernel(sigma=20.0, regularization=1e-3).fit(others, others[:0])
        assert float(errors[m]) == pytest.approx(
            float(data.energies[m] - alone.energies(data.molecules[m])[0]), abs=1e-6
        )


def test_sigma_and_regularization_are_chosen_without_the_validation_part() -> None:
    train, valid, test = wobbly(60, seed=1), wobbly(20, seed=2), wobbly(20, seed=3)
    model = GlobalKernel(sigma=[0.01, 30.0], regularization=[1e-6, 10.0]).fit(train, valid)
    assert (model.sigma, model.regularization) == (30.0, 1e-6)
    assert torch.equal(
        GlobalKernel(sigma=[0.01, 30.0], regularization=[1e-6, 10.0]).fit(train, valid[:0]).weights,
        model.weights,
    )
    free = GlobalKernel().fit(train, valid)
    error = (free.energies(test.molecules) - test.energies).abs().mean()
    assert error < 1.2 * (model.energies(test.molecules) - test.energies).abs().mean()


def test_it_is_chosen_on_a_part_where_there_are_many() -> None:
    train = wobbly(60, seed=1)
    model = GlobalKernel(sigma=[0.01, 30.0], choose_on=20).fit(train, train[:0])
    assert model.sigma == 30.0
    assert len(model.weights) == 60, "all are fitted"


def test_absolute_differences_are_skipped_only_where_both_are_zero() -> None:
    data = wobbly(8).molecules
    features = slatm(data, data.elements)
    found = manhattan(features[:5], features, blocks(data.elements))
    assert torch.allclose(found, torch.cdist(features[:5], features, p=1), atol=1e-10)
    assert (features.split(blocks(data.elements), 1)[-1] == 0).all(), "there is something to skip"


def test_a_kernel_that_will_not_fit_is_refused_before_it_begins() -> None:
    """10,000 QM9 molecules: 1 GB of features, 1.6 GB of kernel and factor; 117,000: 220 GB."""
    width = sum(blocks([1, 6, 7, 8, 9]))
    assert width == 11_960
    assert 8 * (10_000 * width + 2 * 10_000**2) < memory_needed(10_000, width, 3_000) < 4e9
    with pytest.raises(
        ConfigError,
        match=r"117,000 molecules of 11,960 features each needs .* GiB, .* are free; lower",
    ):
        check_memory(117_000, width, 3_000, available=24e9)
    check_memory(10_000, width, 3_000, available=4e9)


def test_what_cannot_be_is_refused_by_name() -> None:
    train = wobbly(12)
    model = GlobalKernel(sigma=30.0, regularization=1e-6).fit(train, train[:0])
    with pytest.raises(InputError, match="cannot describe S: not in the training data"):
        model.energies(Molecules.one(["S", "H", "H"], [[0, 0, 0], [0, 0.9, 0.9], [0, -0.9, 0.9]]))
    with pytest.raises(InputError, match="not fitted yet"):
        GlobalKernel().energies(train.molecules)
    with pytest.raises(ConfigError, match="did you mean 'slatm'"):
        GlobalKernel(features="slam")
    with pytest.raises(ConfigError, match="`sigma` must be positive, got -1"):
        GlobalKernel(sigma=-1)
    twice = train[[0, 0, 1]]
    with pytest.raises(ConfigError, match="singular at sigma .*; raise `regularization`"):
        GlobalKernel(sigma=30.0, regularization=1e-30).fit(twice, twice[:0])
