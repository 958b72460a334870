"""The adapter between features, scikit-learn and the model protocol."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from onekcal.errors import ConfigError, InputError
from onekcal.features.coulomb import coulomb_matrix, sorted_eigenvalues
from onekcal.models.regression import regression
from onekcal.models.regression.regression import Regression
from support.molecules import wobbly


def test_the_adapter_is_scikit_learn_s_own_pipeline() -> None:
    train, test = wobbly(40, seed=1), wobbly(8, seed=2)
    ours = (
        Regression("sorted_eigenvalues", "krr", alpha=1e-3, gamma=0.1)
        .fit(train, train[:0])
        .energies(test.molecules)
    )
    x, new = (sorted_eigenvalues(coulomb_matrix(d.molecules, 6)).numpy() for d in (train, test))
    theirs = make_pipeline(StandardScaler(), KernelRidge(alpha=1e-3, gamma=0.1, kernel="rbf"))
    assert np.allclose(ours.numpy(), theirs.fit(x, train.energies.numpy()).predict(new), atol=1e-9)


def test_the_search_sees_the_training_part_only_and_picks_what_grid_search_picks() -> None:
    train = wobbly(40, seed=1)
    grid = {"alpha": [1e-6, 1.0, 100.0]}
    model = Regression("sorted_eigenvalues", "krr", gamma=0.1, search=grid, folds=4, seed=3).fit(
        train, train[:0]
    )
    x = sorted_eigenvalues(coulomb_matrix(train.molecules)).numpy()
    pipeline = make_pipeline(StandardScaler(), KernelRidge(gamma=0.1, kernel="rbf"))
    theirs = GridSearchCV(
        pipeline,
        {"kernelridge__alpha": grid["alpha"]},
        scoring="neg_mean_absolute_error",
        cv=KFold(4, shuffle=True, random_state=3),
    ).fit(x, train.energies.numpy())
    assert model.pipeline["estimator"].alpha == theirs.best_params_["kernelridge__alpha"]
    assert model.pipeline["estimator"].alpha != 100.0


def test_a_larger_molecule_than_any_in_training_is_refused_by_name() -> None:
    train = wobbly(24, seed=1)
    small = train[train.molecules.sizes < 6]
    model = Regression().fit(small, small[:0])
    with pytest.raises(InputError, match="'wobbly 3'.* has 6 atoms; at most 5"):
        model.energies(train.molecules)
    assert Regression(size=9).fit(small, small[:0]).energies(train.molecules).shape == (24,)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"features": "sorted_eigenvalue"}, "did you mean 'sorted_eigenvalues'"),
        ({"estimator": "svm"}, "no estimator 'svm'"),
        ({"estimator": "krr", "alfa": 1}, "did you mean 'alpha'"),
        ({"estimator": "krr", "search": {"gama": [1]}}, "did you mean 'gamma'"),
        ({"estimator": "krr", "search": {"features": ["coulomb"]}}, "krr has no 'features'"),
        (
            {"estimator": "krr", "search": {"alpha": 1.0}},
            "alpha takes a list of values to try, got 1.0",
        ),
        ({"features": "random_coulomb", "orderings": 0}, "`orderings` must be at least 1, got 0"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_refused_with_a_hint(
    settings: dict, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        Regression(**settings)


def test_random_orderings_are_the_sorted_matrix_without_noise_and_depend_on_the_seed_with_it() -> (
    None
):
    train, test = wobbly(40, seed=1), wobbly(12, seed=2)

    def answers(features: str, **more: Any) -> torch.Tensor:
        model = Regression(features, "krr", alpha=1e-6, gamma=0.01, **more).fit(train, train[:0])
        return model.energies(test.molecules)

    plain = answers("sorted_coulomb")
    assert torch.allclose(answers("random_coulomb", orderings=1, noise=0.0), plain, atol=1e-9)
    noisy = [answers("random_coulomb", orderings=4, noise=10.0, seed=seed) for seed in (0, 0, 1000)]
    assert torch.equal(noisy[0], noisy[1])
    assert not torch.allclose(noisy[0], noisy[2], atol=1e-3)
    assert not torch.allclose(noisy[0], plain, atol=1e-3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alpha": "x"}, "on 24 molecules: The 'alpha' parameter of KernelRidge must be"),
        ({"estimator": "knn", "n_neighbors": 50}, "n_neighbors = 50, n_samples_fit = 24"),
        (
            {"search": {"alpha": [1.0]}, "folds": 50},
            "n_splits=50 greater than the number of samples: n_samples=24",
        ),
    ],
)
def test_a_value_the_estimator_cannot_use_is_an_error_of_the_experiment(
    settings: dict, message: str
) -> None:
    train = wobbly(24, seed=1)
    with pytest.raises(ConfigError, match=message):
        Regression(**settings).fit(train, train[:0])


def test_an_unfitted_regression_says_so() -> None:
    with pytest.raises(InputError, match="not fitted yet"):
        Regression().energies(wobbly(4).molecules)


def test_fitting_again_forgets_the_first_fit() -> None:
    train = wobbly(24, seed=1)
    small = train[train.molecules.sizes < 6]
    again = Regression().fit(small, small[:0]).fit(train, train[:0])
    fresh = Regression().fit(train, train[:0])
    assert torch.equal(again.energies(train.molecules), fresh.energies(train.molecules))


def test_predictions_do_not_depend_on_how_many_are_asked_for_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    train, new = wobbly(24, seed=1), wobbly(11, seed=2).molecules
    model = Regression(gamma=0.01).fit(train, train[:0])
    whole = model.energies(new)
    monkeypatch.setattr(regression, "BATCH", 3)
    assert torch.allclose(
        model.energies(new), whole, atol=1e-8
    )  # matrix products of other shapes round otherwise
    assert model.energies(new[:0]).shape == (0,)


def test_copies_of_a_molecule_never_stand_on_both_sides_of_a_search(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []

    class Spy(GridSearchCV):
        def fit(self, X: np.ndarray, y: np.ndarray) -> Spy:  # type: ignore[override]
            seen.extend((y[a], y[b]) for a, b in self.cv)
            return super().fit(X, y)

    monkeypatch.setattr(regression, "GridSearchCV", Spy)
    train = wobbly(24, seed=1)
    Regression("random_coulomb", "ridge", orderings=3, search={"alpha": [1.0, 2.0]}, folds=4).fit(
        train, train[:0]
    )
    assert [len(held) for _, held in seen] == [18] * 4
    assert all(set(fitted).isdisjoint(held) for fitted, held in seen)
    # the control: folds drawn over copies would mix
    mixed = KFold(4, shuffle=True, random_state=0).split(np.arange(72))
    assert any(set(a % 24) & set(b % 24) for a, b in mixed)
