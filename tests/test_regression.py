"""The adapter between features, scikit-learn and the model protocol."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from conftest import wobbly
from onekcal.errors import ConfigError, InputError
from onekcal.features.coulomb import coulomb_matrix, sorted_eigenvalues
from onekcal.models.regression import Regression


def test_the_adapter_is_scikit_learn_s_own_pipeline() -> None:
    train, test = wobbly(40, seed=1), wobbly(8, seed=2)
    ours = Regression("sorted_eigenvalues", "krr", alpha=1e-3, gamma=0.1).fit(train, train[:0]).energies(test.molecules)
    x, new = (sorted_eigenvalues(coulomb_matrix(d.molecules, 6)).numpy() for d in (train, test))
    theirs = make_pipeline(StandardScaler(), KernelRidge(alpha=1e-3, gamma=0.1, kernel="rbf"))
    assert np.allclose(ours.numpy(), theirs.fit(x, train.energies.numpy()).predict(new), atol=1e-9)


def test_the_search_sees_the_training_part_only_and_picks_what_grid_search_picks() -> None:
    train = wobbly(40, seed=1)
    grid = {"alpha": [1e-6, 1.0, 100.0]}
    model = Regression("sorted_eigenvalues", "krr", gamma=0.1, search=grid, folds=4, seed=3).fit(train, train[:0])
    x = sorted_eigenvalues(coulomb_matrix(train.molecules)).numpy()
    pipeline = make_pipeline(StandardScaler(), KernelRidge(gamma=0.1, kernel="rbf"))
    theirs = GridSearchCV(pipeline, {"kernelridge__alpha": grid["alpha"]}, scoring="neg_mean_absolute_error",
                          cv=KFold(4, shuffle=True, random_state=3)).fit(x, train.energies.numpy())
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
    ],
)
def test_a_mistyped_setting_is_met_with_the_nearest(settings: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Regression(**settings)


def test_more_orderings_give_a_steadier_prediction() -> None:
    """Predictions of two seeds differ less when each is the mean over more orderings."""
    train, test = wobbly(60, seed=1), wobbly(40, seed=2)

    def spread(orderings: int) -> float:
        answers = [
            Regression("random_coulomb", "krr", alpha=1e-6, gamma=0.01, orderings=orderings, noise=10.0, seed=seed)
            .fit(train, train[:0]).energies(test.molecules)
            for seed in (0, 1000)
        ]
        return float((answers[0] - answers[1]).abs().mean())

    assert spread(16) < 0.8 * spread(1)
