"""The FCHL19 kernel with derivatives: analytic forces, fits to forces, leave-one-out and variance
in closed form.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from onekcal.data.dataset import Column, Dataset
from onekcal.errors import ConfigError, DataError, InputError
from onekcal.models.kernels.fchl_fit import check_memory, diagonal, error_left_out, memory_needed
from onekcal.models.kernels.fchl_kernel import FchlKernel
from onekcal.models.kernels.packed_cholesky import check_rows, place
from onekcal.molecules import Molecules
from support.kernels import brute_force
from support.molecules import wobbly

kernelforge = pytest.importorskip("kernelforge", reason="kernelforge has wheels for Linux only")

FIVE_POINTS = 1e-4
"""kcal/mol/Å; differences over four points miss h⁴/30 of the fifth derivative: central ones at h
(error e) and 2h (4e) cancel the h² term, which is ~5e-3 here and falls by 4 with the step.
"""
both = pytest.mark.parametrize("forces", [False, True], ids=["energies", "energies and forces"])


def fitted(data: Dataset, **settings: object) -> FchlKernel:
    return FchlKernel(**{"sigma": 2.0, "regularization": 1e-4, **settings}).fit(data, data[:0])  # type: ignore[arg-type]


def slopes(model: FchlKernel, molecules: Molecules, step: float = 2e-3) -> torch.Tensor:
    """(A, 3) −dE/dr of each molecule by differences of energies at ±h and ±2h, h = `step` Å."""
    out = []
    for molecule in molecules:
        count = 3 * len(molecule.numbers)
        moves = step * torch.eye(count, dtype=torch.float64).reshape(count, -1, 3)
        moved = [
            molecule.moved(molecule.positions + k * move) for k in (1, -1, 2, -2) for move in moves
        ]
        up, down, up2, down2 = model.energies(Molecules.concatenate(moved)).reshape(4, count)
        out.append(-((up - down) * 8 - (up2 - down2)).reshape(-1, 3) / (12 * step))
    return torch.cat(out)


def dense(model: FchlKernel, data: Dataset) -> np.ndarray:
    """K + λ in full, from the kernel itself; its blocks are checked against differences of
    energies below.
    """
    from scipy.linalg import lapack

    rows = len(model.weights)
    upper, _ = lapack.dtfttr(rows, model._packed_kernel(data.molecules, rows > len(data)))
    square = np.triu(upper) + np.triu(upper, 1).T
    return square + np.diag(diagonal(model, len(data), rows))


@both
def test_forces_are_minus_the_slope_of_the_energy(forces: bool) -> None:
    model = fitted(wobbly(24, seed=1), forces=forces)
    asked = wobbly(8, seed=5).molecules
    analytic, numeric = model.forces(asked), slopes(model, asked)
    assert analytic.shape == asked.positions.shape
    assert float((analytic - numeric).abs().max()) < FIVE_POINTS
    nearby = model.forces(asked.moved(asked.positions + 1e-4 * torch.randn_like(asked.positions)))
    assert float((nearby - numeric).abs().max()) > 10 * FIVE_POINTS
    assert float((analytic + numeric).abs().max()) > 10 * FIVE_POINTS


def test_the_covariance_of_forces_is_the_derivative_of_that_of_energies() -> None:
    """With all weight on one coordinate of one molecule B, E(A) is ∂k(A, B)/∂r_B."""
    data = wobbly(4, seed=1)
    model = fitted(data, forces=True)
    model.weights = np.zeros_like(model.weights)
    model.weights[len(data) + 7] = 1.0  # y of the third atom of the first molecule
    model._known = None
    derivative = model.energies(data.molecules)
    step, moved = 1e-4, torch.zeros_like(data.molecules.positions)
    moved[2, 1] = step
    energies_only = fitted(data, forces=False)
    energies_only.weights = np.array([1.0, 0.0, 0.0, 0.0])
    values = []
    for sign in (1, -1):
        energies_only.trained = data.molecules.moved(data.molecules.positions + sign * moved)
        energies_only._near = None
        values.append(energies_only.energies(data.molecules))
    assert torch.allclose(derivative, (values[0] - values[1]) / (2 * step), atol=1e-6)
    assert float(derivative.abs().max()) > 0.1


@both
def test_the_weights_solve_the_full_equations(forces: bool) -> None:
    data = wobbly(9, seed=1)
    model = fitted(data, forces=forces, force_regularization=1e-2)
    assert data.forces is not None
    right = torch.cat([data.energies, -data.forces.flatten()])[: len(model.weights)].numpy()
    assert np.allclose(dense(model, data) @ model.weights, right, atol=1e-6)
    other = fitted(data, forces=forces, force_regularization=1e-1)
    assert np.allclose(other.weights, model.weights, atol=1e-6) is not forces


def test_training_molecules_keep_their_energies_and_forces() -> None:
    data = wobbly(12, seed=1)
    model = fitted(data, forces=True, regularization=1e-9)
    assert float((model.energies(data.molecules) - data.energies).abs().max()) < 1e-3
    assert float((model.forces(data.molecules) - data.forces).abs().max()) < 1e-3
    energies_only = fitted(data, forces=False, regularization=1e-9)
    assert float((energies_only.forces(data.molecules) - data.forces).abs().max()) > 1.0


def test_forces_teach_more_than_energies_alone() -> None:
    """Twelve frames of a molecule hold 12 energies and, in methanol, 216 components of forces."""
    train, test = wobbly(48, seed=1), wobbly(40, seed=2)
    with_forces, without = (
        float(
            (
                fitted(train, forces=forces, regularization=1e-6).energies(test.molecules)
                - test.energies
            )
            .abs()
            .mean()
        )
        for forces in (True, False)
    )
    assert with_forces < 0.2 * without


def test_forces_are_fitted_where_the_data_have_them_unless_told_otherwise() -> None:
    data = wobbly(8)
    bare = Dataset(data.molecules, {"pairs": data.columns["pairs"]}, "pairs")
    assert fitted(data).fits_forces
    assert not fitted(data, forces=False).fits_forces
    assert not fitted(bare).fits_forces
    with pytest.raises(DataError, match="needs the column 'pairs_forces', available: pairs"):
        fitted(bare, forces=True)
    assert data.forces is not None
    data.forces[3, 0] = torch.nan
    with pytest.raises(DataError, match="forces on 1 of 36 atoms .* not finite"):
        fitted(data)


@pytest.mark.parametrize("count", [6, 7])
def test_the_packed_layout_is_lapacks(count: int) -> None:
    from scipy.linalg import lapack

    square = np.arange(count * count, dtype=float).reshape(count, count, order="F")
    packed, _ = lapack.dtrttf(square)
    row, column = np.triu_indices(count)
    assert np.array_equal(packed[place(row, column, count)], square[row, column])
    assert not np.array_equal(packed, square[row, column])  # not the packing by columns


@both
def test_leave_one_out_is_what_refits_without_each_molecule_give(forces: bool) -> None:
    data = wobbly(7, seed=1)
    model = fitted(data, forces=forces, keep_factor=True)
    assert model.factor is not None
    energies, pulls = [], []
    for m in range(len(data)):
        rest = [k for k in range(len(data)) if k != m]
        other = FchlKernel(sigma=2.0, regularization=1e-4, forces=forces)
        other.fit(data[rest], data[:0])
        energies.append(other.energies(data.molecules[m]) - data.energies[m])
        pulls.append(other.forces(data.molecules[m]) - data[m].forces)
    spread = (data.energies - data.energies.mean()).abs().mean()
    expected = torch.cat(energies).abs().mean() / spread
    if forces:
        assert data.forces is not None
        expected = expected + torch.cat(pulls).abs().mean() / data.forces.abs().mean()
    assert error_left_out(model.factor.copy(), model.weights, data) == pytest.approx(
        float(expected), rel=1e-5
    )
    assert float(
        (model.energies(data.molecules) - data.energies).abs().mean() / spread
    ) < 0.1 * float(expected)


@both
def test_leave_one_out_chooses_without_a_validation_part(forces: bool) -> None:
    train, test = wobbly(40, seed=1), wobbly(20, seed=2)
    settings = {
        "sigma": [0.02, 4.0],
        "regularization": [1e-6, 10.0],
        "choose": "loo",
        "forces": forces,
    }
    model = fitted(train, **settings)
    assert (model.sigma, model.regularization) == (4.0, 1e-6)
    single = fitted(train, sigma=4.0, regularization=1e-6, forces=forces)
    assert torch.equal(model.energies(test.molecules), single.energies(test.molecules))
    few = fitted(train, **settings, choose_on=30)
    assert torch.equal(few.energies(test.molecules), single.energies(test.molecules))


def test_validation_chooses_on_energies_and_forces() -> None:
    train, valid = wobbly(24, seed=1), wobbly(8, seed=2)
    assert FchlKernel(sigma=[0.02, 4.0]).fit(train, valid).sigma == 4.0


@both
def test_the_variance_is_the_gaussian_process_formula(forces: bool) -> None:
    data, asked = wobbly(8, seed=1), wobbly(4, seed=3).molecules
    model = fitted(data, forces=forces, keep_factor=True)
    variance = model.variance(asked)
    known = model.variance(data.molecules)
    square, weights = dense(model, data), model.weights
    cross = np.empty((len(asked), len(weights)))
    for row, unit in enumerate(
        np.eye(len(weights))
    ):  # energies are linear in the weights: one alone gives a column of k
        model.weights, model._known = unit, None
        cross[:, row] = model.energies(asked)
    prior = [brute_force(one, sigma=2.0)[0, 0] for one in asked]
    expected = (
        (square @ weights)
        @ weights
        / len(weights)
        * (prior - np.sum(cross * np.linalg.solve(square, cross.T).T, 1))
    )
    assert np.allclose(variance.numpy(), expected, rtol=1e-4)
    assert (
        float(known.max()) < 1.001 * model.amplitude * 1e-4
    )  # what is known is known to within the noise λ
    assert float(variance.max()) > 10 * model.amplitude * 1e-4


def test_a_variance_survives_storage_and_needs_the_factor() -> None:
    data = wobbly(8, seed=1)
    model = fitted(data, keep_factor=True)
    loaded = FchlKernel(sigma=2.0, regularization=1e-4, keep_factor=True).load_state(model.state())
    assert torch.equal(loaded.variance(data.molecules), model.variance(data.molecules))
    with pytest.raises(InputError, match="fit it with keep_factor: true"):
        fitted(data).variance(data.molecules)


def test_more_observations_than_the_inverse_takes_are_refused() -> None:
    check_rows(46_340)
    with pytest.raises(
        ConfigError, match="at most 46,340 observations, got 46,341; lower `choose_on`"
    ):
        check_rows(46_341)


def test_the_basis_can_be_changed_and_its_gradients_follow() -> None:
    data = wobbly(8, seed=1)
    asked = wobbly(4, seed=5).molecules
    changed = fitted(data, basis={"eta3": 5.0, "three_body_weight": 30.0})
    assert float((changed.forces(asked) - slopes(changed, asked)).abs().max()) < FIVE_POINTS
    assert (
        float((changed.forces(asked) - fitted(data).forces(asked)).abs().max()) > 10 * FIVE_POINTS
    )


def test_what_cannot_be_solved_says_what_to_change() -> None:
    data = wobbly(8, seed=1)
    twice = data[[*range(8), *range(8)]]
    with pytest.raises(
        ConfigError, match="not positive definite at regularization 1e-300; raise `regularization`"
    ):
        fitted(twice, regularization=1e-300)
    with pytest.raises(ConfigError, match="none of the pairs .* not positive definite"):
        fitted(twice, regularization=[1e-300, 1e-299], choose="loo")
    assert fitted(twice, regularization=[1e-300, 1e-4], choose="loo").regularization == 1e-4


def test_memory_of_a_fit_to_forces_is_predicted() -> None:
    """Ethanol, 1,000 frames: 28,000 rows, 3.1 GB packed, and 0.6 GB of gradients. Aspirin, 1,000
    frames: 64,000 rows.
    """
    assert memory_needed(1000, 9, 3, atoms=9000) == pytest.approx(
        8 * (28_000 * 28_001 / 2 + 1000 * 9 * 312 * 28)
    )
    assert memory_needed(1000, 21, 3, atoms=21_000) == pytest.approx(19.8e9, rel=0.02)
    with pytest.raises(
        ConfigError, match="forces on their 42,000 atoms needs .* say `forces: false`"
    ):
        check_memory(2000, 21, 3, available=24e9, atoms=42_000)
    check_memory(2000, 21, 3, available=24e9)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"choose": "cv"}, "`choose` must be 'valid' or 'loo', got 'cv'"),
        ({"force_regularization": -1.0}, "`force_regularization` must be positive, got -1"),
        ({"force_regularization": 0.0}, "`force_regularization` must be positive, got 0"),
        (
            {"basis": {"eta_3": 5.0}},
            "no parameter of the FCHL19 basis 'eta_3'; did you mean 'eta3'?",
        ),
    ],
)
def test_settings_are_checked(settings: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        FchlKernel(**settings)  # type: ignore[arg-type]


def test_ethanol_is_learned_from_the_forces_of_thirty_frames(real_data: Path) -> None:
    """rMD17: forces of 20 kcal/mol/Å a component on average, energies spread by 3 kcal/mol."""
    file = np.load(real_data / "rmd17_ethanol.npz")

    def frames(rows: np.ndarray) -> Dataset:
        molecules = Molecules.padded(np.tile(file["Z"], (len(rows), 1)), file["R"][rows])
        energies = Column(torch.from_numpy(file["E"][rows] - file["E"].mean()))
        forces = Column(torch.from_numpy(file["F"][rows].reshape(-1, 3)), "forces")
        return Dataset(molecules, {"pbe": energies, "pbe_forces": forces}, "pbe")

    test = frames(file["test_01"][:30])
    model = FchlKernel(sigma=3.0, regularization=1e-7).fit(frames(file["train_01"][:30]), test[:0])
    assert float((model.energies(test.molecules) - test.energies).abs().mean()) < 1.0
    assert float((model.forces(test.molecules) - test.forces).abs().mean()) < 2.0
