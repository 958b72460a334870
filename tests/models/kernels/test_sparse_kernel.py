"""The low-rank kernel: against the exact one, against dense algebra, forces, variance, what it
chooses and refuses.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from onekcal import datasets
from onekcal.data.dataset import Column, Dataset
from onekcal.errors import ConfigError, DataError, InputError
from onekcal.models.baseline import Baseline
from onekcal.models.dressed_atoms import DressedAtoms
from onekcal.models.kernels import landmark_kernel, projected_features, sparse_kernel
from onekcal.models.kernels.sparse_kernel import SparseKernel
from onekcal.models.stack import Stack
from onekcal.molecules import Molecules
from support.molecules import wobbly

ALL = {"landmarks": 100_000, "dims": 100_000}
"""Every environment and every axis: nothing is left out but what rounding to float16 takes."""


def fitted(data: Dataset, valid: Dataset | None = None, **settings: object) -> SparseKernel:
    settings = {
        "sigma": 2.0,
        "regularization": 1e-4,
        "landmarks": 150,
        "force_weight": 0.0,
        **settings,
    }
    return SparseKernel(**settings).fit(data, data[:0] if valid is None else valid)  # type: ignore[arg-type]


def test_forces_are_derived_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    model, molecules = fitted(wobbly(12, seed=1)), wobbly(7, seed=2).molecules
    at_once = model.forces(molecules)
    monkeypatch.setattr("onekcal.models.model.DIFFERENTIATED", 3)
    torch.testing.assert_close(model.forces(molecules), at_once, rtol=0, atol=1e-6)
    assert model.forces(molecules[:0]).shape == (0, 3)


def test_the_energies_of_atoms_add_up_to_those_of_molecules() -> None:
    model, molecules = fitted(wobbly(12, seed=1)), wobbly(7, seed=2).molecules
    sums = torch.zeros(7, dtype=torch.float64).index_add(
        0, molecules.owner, model.atomic_energies(molecules)
    )
    torch.testing.assert_close(sums, model.energies(molecules), rtol=0, atol=1e-9)
    assert model.atomic_energies(molecules[:0]).shape == (0,)


def mean_error(model: SparseKernel, data: Dataset) -> float:
    return float((model.energies(data.molecules) - data.energies).abs().mean())


def cross(model: SparseKernel, molecules: Molecules) -> Tensor:
    """(M, m) Φ, atom by atom and landmark by landmark."""
    assert model.projection is not None
    kinds, x = model.projection.features.kinds(molecules), model.projection.features(molecules)
    kind_of = torch.repeat_interleave(torch.arange(len(model.counts)), torch.tensor(model.counts))
    rows = []
    for kind, one in zip(kinds.tolist(), x):
        z = (
            (one - model.projection.middle[kind].double())
            @ model.projection.axes[kind].double()
            / model.sigma
        )
        apart = (z - model.known.double()).square().sum(1)
        rows.append(torch.exp(-0.5 * apart) * (kind_of == kind))
    return molecules.sum_atoms(torch.stack(rows))


def kernel_of_landmarks(model: SparseKernel) -> Tensor:
    """(m, m) K."""
    kind_of = torch.repeat_interleave(torch.arange(len(model.counts)), torch.tensor(model.counts))
    z = model.known.double()
    return torch.exp(-0.5 * torch.cdist(z, z).square()) * (kind_of[:, None] == kind_of)


# --- the solution -----------------------------------------------------------------------------


def test_with_every_environment_a_landmark_it_is_the_exact_kernel() -> None:
    """But for landmarks and axes in float16, which here move energies by 1e-3 kcal/mol and
    variances by 0.03 %.
    """
    pytest.importorskip("kernelforge", reason="kernelforge has wheels for Linux only")
    from onekcal.models.kernels.fchl_kernel import FchlKernel

    data, asked = wobbly(24, seed=1), wobbly(12, seed=5).molecules
    exact = FchlKernel(sigma=2.0, regularization=1e-3, forces=False, keep_factor=True).fit(
        data, data[:0]
    )
    model = fitted(data, regularization=1e-3, **ALL)
    assert len(model.weights) == len(data.molecules.numbers)
    assert torch.allclose(model.energies(asked), exact.energies(asked), atol=0.005, rtol=0)
    assert torch.allclose(model.variance(asked), exact.variance(asked), rtol=2e-3)
    for other in ({"sigma": 2.5}, {"landmarks": 20}, {"dims": 10}):
        changed = fitted(data, regularization=1e-3, **{**ALL, **other})
        assert not torch.allclose(changed.energies(asked), exact.energies(asked), atol=0.1, rtol=0)
        assert not torch.allclose(changed.variance(asked), exact.variance(asked), rtol=0.1)


@pytest.mark.parametrize("force_weight", [0.0, 0.3])
def test_the_weights_solve_the_dense_equations(force_weight: float) -> None:
    """Jitter of 1e-11 and condition numbers of 1e5 leave 1e-6 of energies of 100 kcal/mol."""
    data, asked = wobbly(16, seed=1), wobbly(8, seed=5).molecules
    model = fitted(data, landmarks=40, force_weight=force_weight)
    assert len(model.weights) == 40
    rows, right = cross(model, data.molecules), data.energies
    if force_weight:
        assert data.forces is not None
        root = force_weight**0.5
        rows = torch.cat(
            [rows, *(root * model._force_rows(molecule) for molecule in data.molecules)]
        )
        right = torch.cat([right, root * data.forces.flatten()])
    gram = rows.T @ rows + 1e-4 * kernel_of_landmarks(model)
    weights = torch.linalg.solve(gram, rows.T @ right)
    assert torch.allclose(model.energies(asked), cross(model, asked) @ weights, atol=1e-4, rtol=0)
    assert model.noise == pytest.approx(
        float(right @ (right - rows @ weights)) / len(right), rel=1e-4
    )
    wrong = torch.linalg.solve(gram + 1e-4 * kernel_of_landmarks(model), rows.T @ right)
    assert not torch.allclose(model.energies(asked), cross(model, asked) @ wrong, atol=1e-3, rtol=0)


def test_blocks_do_not_change_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    data, asked = wobbly(12, seed=1), wobbly(8, seed=5).molecules
    whole = fitted(data, force_weight=1.0, landmarks=40).energies(asked)
    monkeypatch.setattr(sparse_kernel, "BLOCK", 5)
    model = fitted(data, force_weight=1.0, landmarks=40)
    assert torch.allclose(model.energies(asked), whole, atol=1e-7, rtol=0)
    monkeypatch.setattr(projected_features, "FEATURES", 3)
    assert torch.allclose(model.energies(asked), whole, atol=1e-7, rtol=0)


def test_more_landmarks_err_less() -> None:
    train, test = wobbly(80, seed=1), wobbly(40, seed=2)
    errors = [
        mean_error(fitted(train, landmarks=count, regularization=1e-6, sigma=4.0), test)
        for count in (5, 10, 20, 40)
    ]
    assert all(fewer > 1.5 * more for fewer, more in zip(errors[:-1], errors[1:]))


def test_a_rare_element_has_axes_and_landmarks_however_small_the_sample(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = wobbly(41, seed=1)[[*range(0, 40, 4), 1, *range(2, 40, 4)]]  # one ammonia
    monkeypatch.setattr(sparse_kernel, "SAMPLE", 3)
    monkeypatch.setattr(landmark_kernel, "POOL", 10)
    monkeypatch.setattr(landmark_kernel, "RARE", 1)
    monkeypatch.setattr(sparse_kernel, "RARE", 1)
    model = fitted(data)
    assert model.projection is not None
    assert model.projection.features.elements == (1, 6, 7, 8)
    assert min(model.counts) == 1
    assert model.projection.middle.any(
        1
    ).all()  # zero where no atom of an element was in the sample
    assert float(model.novelty(data[10].molecules)) <= 1


def test_the_energies_of_two_far_molecules_add_up_but_for_what_the_cutoff_sees() -> None:
    data = wobbly(24, seed=1)
    # every axis: of fewer, those along which the training data do not spread are any the
    # processor's rounding picks
    model, one, other = fitted(data, sigma=4.0, **ALL), data.molecules[2], data.molecules[3]

    def both(apart: float) -> float:
        joined = torch.cat([one.positions, other.positions + torch.tensor([apart, 0.0, 0.0])])
        return float(
            model.energies(
                Molecules.one(torch.cat([one.numbers, other.numbers]).tolist(), joined.numpy())
            )[0]
        )

    alone = float(model.energies(one)[0] + model.energies(other)[0])
    assert both(50.0) == pytest.approx(alone, abs=1e-8)
    assert abs(both(2.5) - alone) > 2  # kcal/mol; it is 23


# --- forces -----------------------------------------------------------------------------------


def differences(model: SparseKernel, molecule: Molecules, step: float = 1e-3) -> Tensor:
    """(3n, m) −∂Φ/∂R over ±h and ±2h: what is missed is h⁴/30 of the fifth derivative, 1e-9."""
    count = 3 * len(molecule.numbers)
    moves = step * torch.eye(count, dtype=torch.float64).reshape(count, -1, 3)
    moved = Molecules.concatenate(
        [molecule.moved(molecule.positions + k * move) for k in (1, -1, 2, -2) for move in moves]
    )
    up, down, up2, down2 = cross(model, moved).reshape(4, count, -1)
    return -((up - down) * 8 - (up2 - down2)) / (12 * step)


def test_the_rows_of_forces_are_minus_the_slopes_of_the_rows_of_energies() -> None:
    data = wobbly(12, seed=1)
    model = fitted(data, landmarks=40)
    for molecule in wobbly(4, seed=5).molecules:
        rows = model._force_rows(molecule)
        assert rows.shape == (3 * len(molecule.numbers), 40)
        assert float((rows - differences(model, molecule)).abs().max()) < 1e-6
        assert float(rows.abs().max()) > 0.1


def test_forces_are_minus_the_gradient_of_the_energy() -> None:
    model = fitted(wobbly(24, seed=1), force_weight=1.0)
    asked = wobbly(4, seed=5).molecules
    numeric = torch.cat([(differences(model, one) @ model.weights).reshape(-1, 3) for one in asked])
    assert float((model.forces(asked) - numeric).abs().max()) < 1e-4
    assert float((model.forces(asked) + numeric).abs().max()) > 1


def test_fitting_forces_betters_forces_and_energies_of_other_frames() -> None:
    train, test = wobbly(24, seed=1), wobbly(12, seed=2)
    assert test.forces is not None
    found = {}
    for weight in (0.0, 1.0):
        model = fitted(train, force_weight=weight, regularization=1e-6, sigma=4.0, landmarks=100)
        pull = float((model.forces(test.molecules) - test.forces).abs().mean())
        found[weight] = pull, mean_error(model, test)
    assert found[1.0][0] < 0.3 * found[0.0][0]
    assert found[1.0][1] < 0.5 * found[0.0][1]


def test_ethanol_is_learned_from_the_forces_of_thirty_frames(real_data: Path) -> None:
    """rMD17: forces of 20 kcal/mol/Å a component on average, energies spread by 3 kcal/mol."""
    file = np.load(real_data / "rmd17_ethanol.npz")

    def frames(rows: np.ndarray) -> Dataset:
        molecules = Molecules.padded(np.tile(file["Z"], (len(rows), 1)), file["R"][rows])
        energies = Column(torch.from_numpy(file["E"][rows] - file["E"].mean()))
        pulls = Column(torch.from_numpy(file["F"][rows].reshape(-1, 3)), "forces")
        return Dataset(molecules, {"pbe": energies, "pbe_forces": pulls}, "pbe")

    test = frames(file["test_01"][:30])
    model = fitted(
        frames(file["train_01"][:30]),
        sigma=4.0,
        regularization=1e-6,
        landmarks=270,
        force_weight=1.0,
    )
    assert test.forces is not None
    assert mean_error(model, test) < 1.0
    assert float((model.forces(test.molecules) - test.forces).abs().mean()) < 2.5


# --- how sure it is ---------------------------------------------------------------------------


def test_the_variance_is_the_projected_process_in_dense_algebra() -> None:
    data, asked = wobbly(12, seed=1), wobbly(8, seed=3).molecules
    model = fitted(data, landmarks=30)
    rows, phi = cross(model, data.molecules), cross(model, asked)
    kernel = kernel_of_landmarks(model)
    known = (phi * torch.linalg.solve(rows.T @ rows + 1e-4 * kernel, phi.T).T).sum(1)
    own = torch.stack([own_kernel(model, one) for one in asked])
    left = own - (phi * torch.linalg.solve(kernel, phi.T).T).sum(1)
    assert torch.allclose(model.variance(asked), model.noise * (known + left / 1e-4), rtol=1e-3)
    assert not torch.allclose(model.variance(asked), model.noise * known, rtol=0.5)


def own_kernel(model: SparseKernel, molecule: Molecules) -> Tensor:
    """k(A, A) of one molecule."""
    assert model.projection is not None
    kinds, x = model.projection.features.kinds(molecule), model.projection.features(molecule)
    total = torch.zeros((), dtype=torch.float64)
    for i in range(len(kinds)):
        for j in range(len(kinds)):
            if kinds[i] == kinds[j]:
                apart = (x[i] - x[j]) @ model.projection.axes[kinds[i]].double() / model.sigma
                total += torch.exp(-0.5 * apart @ apart)
    return total


def strange() -> Molecules:
    """Two hydrogen molecules 1.2 Å apart."""
    return Molecules.one(["H"] * 4, [[0, 0, 0], [0, 0, 0.74], [1.2, 0, 0], [1.2, 0, 0.74]])


def test_what_was_never_seen_is_novel_and_unsure() -> None:
    data = wobbly(24, seed=1)
    model = fitted(data, **ALL)
    novelty, variance = model.novelty(data.molecules), model.variance(data.molecules)
    assert float(novelty.max()) < 0.02  # the landmarks are these very atoms, in float16
    assert float(model.novelty(wobbly(8, seed=7).molecules).min()) > float(novelty.max())
    assert 0.2 < float(model.novelty(strange())) <= 1
    assert float(model.variance(strange())) > 100 * float(variance.max())
    one = fitted(data, landmarks=1)
    assert sorted(one.counts) == [0, 0, 0, 1]
    assert one.novelty(data.molecules).isinf().any()  # an element without a landmark


def test_a_variance_needs_the_fit_in_this_process() -> None:
    data = wobbly(8, seed=1)
    model = fitted(data)
    with pytest.raises(InputError, match="needs the factors of the fit, which are not saved"):
        SparseKernel().load_state(model.state()).variance(data.molecules)


# --- choosing ---------------------------------------------------------------------------------


def test_lambda_is_the_best_on_the_validation_part_which_is_never_fitted() -> None:
    train, valid, test = wobbly(40, seed=1), wobbly(20, seed=2), wobbly(20, seed=3)
    values = [1e-7, 1e-3, 10.0]
    alone = {value: fitted(train, regularization=value) for value in values}
    best = min(values, key=lambda value: mean_error(alone[value], valid))
    noise = 20 * torch.randn(20, generator=torch.Generator().manual_seed(0))
    noisy = valid.with_column(
        "pairs", replace(valid.columns["pairs"], values=valid.energies + noise)
    )
    for order in (values, values[::-1]):
        model = fitted(train, valid, regularization=order)
        assert model.chosen == {"sigma": 2.0, "regularization": best}
        assert torch.allclose(
            model.energies(test.molecules), alone[best].energies(test.molecules), atol=1e-6, rtol=0
        )
        assert torch.allclose(
            model.variance(test.molecules), alone[best].variance(test.molecules), rtol=1e-6
        )
    assert best != 10.0
    shifted = fitted(train, noisy, regularization=values)
    same = alone[shifted.regularization].energies(test.molecules)
    assert torch.allclose(shifted.energies(test.molecules), same, atol=1e-6, rtol=0)


def test_sigma_is_chosen_on_the_validation_part() -> None:
    train, valid = wobbly(60, seed=1), wobbly(20, seed=2)
    for sigmas in ([0.02, 4.0], [4.0, 0.02]):
        assert fitted(train, valid, sigma=sigmas).chosen["sigma"] == 4.0
    for lacking in ({"sigma": [1.0, 4.0]}, {"regularization": [1e-4, 1e-3]}):
        with pytest.raises(
            ConfigError, match="several values of sigma or regularization need a validation part"
        ):
            fitted(train, **lacking)


def test_sigma_is_tried_on_a_sample_not_on_what_stands_first() -> None:
    """Water stands first, and it alone says nothing of methanol."""
    data = wobbly(80, seed=1)
    ordered = data[[*range(0, 80, 4), *range(1, 80, 4), *range(2, 80, 4), *range(3, 80, 4)]]
    tried: list[tuple[list[int], float]] = []

    class Watched(SparseKernel):
        def _solve(self, train: Dataset, *rest: object) -> float:  # type: ignore[override]
            error = super()._solve(train, *rest)  # type: ignore[arg-type]
            tried.append((train.molecules.elements, error))
            return error

    Watched(sigma=[2.0, 4.0], landmarks=100, force_weight=0.0).fit(ordered, data[:8])
    assert len(tried) == 3
    assert all(elements == [1, 6, 7, 8] for elements, _ in tried)
    assert (
        max(error for _, error in tried) < 2
    )  # kcal/mol; tens where features are not those of their molecules


@pytest.mark.parametrize("sigma", [1e-3, 0.01, 0.1])
def test_a_small_sigma_makes_every_environment_a_landmark_once(sigma: float) -> None:
    data = wobbly(24, seed=1)
    model = fitted(data, sigma=sigma, landmarks=1000)
    assert len(model.weights) == len(data.molecules.numbers)
    assert len(model.known.unique(dim=0)) == len(model.known)


# --- keeping and refusing ---------------------------------------------------------------------


def test_what_is_stored_answers_bit_for_bit() -> None:
    data, asked = wobbly(12, seed=1), wobbly(8, seed=5).molecules
    model = fitted(data, basis={"eta3": 4.0}, rcut=4.0)
    state = model.state()
    assert state["known"].dtype == state["axes"].dtype == torch.float16
    loaded = SparseKernel(basis={"eta3": 4.0}, rcut=4.0).load_state(state)
    assert torch.equal(loaded.energies(asked), model.energies(asked))
    assert torch.equal(loaded.forces(asked), model.forces(asked))
    assert torch.equal(loaded.novelty(asked), model.novelty(asked))
    assert all(torch.equal(loaded.state()[name], value) for name, value in state.items())
    assert not torch.equal(
        SparseKernel(rcut=4.0).load_state(state).energies(asked), model.energies(asked)
    )


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"sigma": 0.0}, "`sigma` must be positive, got 0"),
        ({"sigma": []}, "`sigma` must be positive"),
        ({"regularization": [1e-4, -1.0]}, "`regularization` must be positive, got -1"),
        ({"landmarks": 0}, "`landmarks` must be positive, got 0"),
        ({"dims": -3}, "`dims` must be positive, got -3"),
        ({"rcut": -2.0}, "`rcut` must be positive, got -2"),
        ({"electronic": -0.5}, "`electronic` must not be negative, got -0.5"),
        ({"force_weight": -1.0}, r"`force_weight` \(Å²\) must not be negative, got -1"),
        (
            {"basis": {"eta_3": 5.0}},
            "no parameter of the FCHL19 basis 'eta_3'; did you mean 'eta3'?",
        ),
        ({"basis": {"elements": 5.0}}, "no parameter of the FCHL19 basis 'elements'"),
    ],
)
def test_settings_are_checked(settings: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        SparseKernel(**settings)  # type: ignore[arg-type]


def test_what_it_cannot_do_it_says() -> None:
    data = wobbly(8, seed=1)
    with pytest.raises(InputError, match="not fitted yet"):
        SparseKernel().energies(data.molecules)
    with pytest.raises(InputError, match="cannot describe S: not in the training data"):
        fitted(data).energies(
            Molecules.one(["S", "H", "H"], [[0, 0, 0], [0, 0.9, 0.9], [0, -0.9, 0.9]])
        )
    with pytest.raises(
        ConfigError, match="not positive definite at regularization 1e-300; raise it"
    ):
        fitted(data, regularization=1e-300)
    for sigma in (1e-7, 1e-20, 1e-300):  # below 1e-5 float16 holds no landmark
        with pytest.raises(
            ConfigError, match=f"not positive definite at sigma {sigma:g}; take one nearer to 4"
        ):
            fitted(data, sigma=sigma)
    with pytest.raises(ConfigError, match="at sigma 1e-07"):
        fitted(data, sigma=1e-7, landmarks=1)  # the kernel of one landmark is 1 wherever it lies
    assert data.forces is not None
    data.forces[3, 0] = torch.nan
    fitted(data)
    with pytest.raises(
        DataError, match="not all forces in 'pairs_forces' are finite; .* `force_weight: 0`"
    ):
        fitted(data, force_weight=1.0)


def test_electrons_are_kept_with_the_model_and_forces_are_differences_of_energies() -> None:
    model, molecules = fitted(wobbly(12, seed=1), electronic=0.5), wobbly(2, seed=2).molecules
    other = SparseKernel(electronic=0.5).load_state(model.state())
    assert torch.equal(other.energies(molecules), model.energies(molecules))
    assert not model.differentiable
    one = molecules[0]
    step = torch.zeros_like(one.positions)
    step[1, 0] = 1e-3
    up, down = (model.energies(one.moved(one.positions + sign * step)) for sign in (1, -1))
    assert float(model.forces(one)[1, 0]) == pytest.approx(float(down - up) / 2e-3, abs=0.05)


def test_electrons_change_the_answer() -> None:
    data = wobbly(12, seed=1)
    with_, without = fitted(data, electronic=0.5), fitted(data)
    molecules = wobbly(7, seed=2).molecules
    assert float((with_.energies(molecules) - without.energies(molecules)).abs().max()) > 1e-3


def test_forces_cannot_be_fitted_with_electrons() -> None:
    with pytest.raises(ConfigError, match="no slopes to fit forces"):
        fitted(wobbly(12, seed=1), electronic=0.5, force_weight=1.0)


def test_electrons_better_what_is_learned_on_gfn2() -> None:
    """With 126 molecules they take a third off the error."""
    data = datasets.load("qm9-small").dataset.aimed("b3lyp")[list(range(0, 1499, 8))]
    train, test = (
        data[list(range(0, 188, 3)) + list(range(1, 188, 3))],
        data[list(range(2, 188, 3))],
    )
    settings = {"sigma": 4.0, "regularization": 1e-4, "landmarks": 800}
    errors = []
    for weight in (0.0, 0.5):
        kernel = SparseKernel(electronic=weight, **settings)  # type: ignore[arg-type]
        model = Stack([Baseline("gfn2"), DressedAtoms(), kernel]).fit(train, train[:0])
        energies = model.energies(test.molecules, test.columns)
        errors.append(float((energies - test.energies).abs().mean()))
    assert errors[1] < 0.9 * errors[0]


def test_a_loaded_kernel_recalls_its_variance_from_its_training_molecules() -> None:
    data = datasets.load("mini").dataset.aimed("b3lyp")
    train, asked = data[:60], data[60:70].molecules
    fitted = SparseKernel(landmarks=60, dims=20, force_weight=0.0).fit(train, train[[]])
    loaded = SparseKernel(landmarks=60, dims=20, force_weight=0.0).load_state(fitted.state())
    with pytest.raises(InputError, match="call recall"):
        loaded.variance(asked)
    loaded.recall(train.molecules)
    # features are rounded to float32 in the fit, and both ways alike
    assert loaded.variance(asked) == pytest.approx(fitted.variance(asked), rel=1e-6)
    half = SparseKernel(landmarks=60, dims=20, force_weight=0.0).load_state(fitted.state())
    half.recall(train.molecules[::2], 0.5)
    ratio = half.variance(asked) / fitted.variance(asked)
    assert ((ratio > 0.3) & (ratio < 3.0)).all()


def test_energy_and_novelty_of_one_molecule_share_its_features(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = wobbly(12, seed=1)
    model = fitted(data, landmarks=30)
    assert model.projection is not None
    made: list[Molecules] = []
    features = model.projection.features

    class Counting:
        def __getattr__(self, name: str) -> Any:
            return getattr(features, name)

        def __call__(self, molecules: Molecules) -> torch.Tensor:
            made.append(molecules)
            return features(molecules)

    monkeypatch.setattr(model.projection, "features", Counting())
    one, other = data[3].molecules, data[5].molecules
    energy, novelty = model.energies(one), model.novelty(one)
    assert len(made) == 1
    model.energies(other)
    assert len(made) == 2
    assert torch.equal(model.energies(one), energy)
    assert torch.equal(model.novelty(one), novelty)
    moved = one.moved(one.positions + 0.1 * torch.rand_like(one.positions))
    assert not torch.equal(model.energies(moved), energy)  # the same atoms elsewhere
