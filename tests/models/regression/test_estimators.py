"""Our transformers as scikit-learn's kind, and fitted estimators as plain tensors."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from onekcal.errors import DataError
from onekcal.features.coulomb import (
    RandomlySortedCoulomb,
    SortedCoulomb,
    SortedEigenvalues,
    coulomb_matrix,
    packed,
    sorted_by_norm,
    sorted_eigenvalues,
)
from onekcal.models.regression.regression import ESTIMATORS, Regression
from support.molecules import wobbly

CHECKS = """
import warnings
warnings.simplefilter("ignore")
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.estimator_checks import check_estimator
from onekcal.features.coulomb import RandomlySortedCoulomb, SortedCoulomb, SortedEigenvalues

class Careless(SortedEigenvalues):
    def fit(self, X, y=None):
        return self

ours = (
    SortedEigenvalues(), SortedCoulomb(), SortedCoulomb(full=True), RandomlySortedCoulomb(),
    Careless(),
)
for estimator in ours:
    for found in check_estimator(estimator, on_fail=None):
        if found["status"] != "passed":
            print(type(estimator).__name__, found["check_name"], found["status"], sep="\t")
"""


def test_our_transformers_pass_every_one_of_scikit_learn_s_checks_and_a_careless_one_does_not() -> (
    None
):
    """In a process of its own: the array-API check is skipped unless SciPy is told at its
    import.
    """
    environment = {**os.environ, "SCIPY_ARRAY_API": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", CHECKS], env=environment, capture_output=True, text=True, check=True
    )
    complaints = [line.split("\t") for line in done.stdout.splitlines()]
    assert [line for line in complaints if line[0] != "Careless"] == []
    assert any(line[0] == "Careless" and line[2] == "failed" for line in complaints)


def table(count: int = 12) -> np.ndarray:
    return packed(coulomb_matrix(wobbly(count, seed=4).molecules)).numpy()


def test_transformers_give_what_the_functions_of_molecules_give() -> None:
    matrices = coulomb_matrix(wobbly(12, seed=4).molecules)
    assert np.array_equal(
        SortedEigenvalues().fit_transform(table()), sorted_eigenvalues(matrices).numpy()
    )
    assert np.array_equal(
        SortedCoulomb().fit_transform(table()), packed(sorted_by_norm(matrices)).numpy()
    )
    assert np.array_equal(
        SortedCoulomb(full=True).fit_transform(table()), sorted_by_norm(matrices).flatten(1).numpy()
    )


def test_transformers_work_inside_a_grid_search_over_their_own_parameters() -> None:
    energies = wobbly(12, seed=4).energies.numpy()
    pipeline = make_pipeline(RandomlySortedCoulomb(random_state=1), Ridge(alpha=1e-3))
    found = GridSearchCV(pipeline, {"randomlysortedcoulomb__noise": [0.0, 50.0]}, cv=3).fit(
        table(), energies
    )
    assert set(found.best_params_) == {"randomlysortedcoulomb__noise"}
    again = clone(found.best_estimator_).fit(table(), energies)
    assert np.array_equal(again.predict(table()), found.best_estimator_.predict(table()))


def test_a_row_is_transformed_alike_alone_and_among_others() -> None:
    for transformer in (SortedEigenvalues(), SortedCoulomb(), RandomlySortedCoulomb(noise=5.0)):
        together = transformer.fit_transform(table())
        assert np.allclose(
            np.vstack([transformer.transform(row[None]) for row in table()]), together, atol=1e-12
        )


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("standardize", [True, False])
def test_every_estimator_comes_back_from_its_tensors_bit_for_bit(
    estimator: str, standardize: bool
) -> None:
    train, new = wobbly(24, seed=1), wobbly(9, seed=5).molecules
    settings = {"features": "sorted_coulomb", "estimator": estimator, "standardize": standardize}
    model = Regression(**settings).fit(train, train[:0])
    state = {name: tensor.clone() for name, tensor in model.state().items()}
    assert all(isinstance(tensor, torch.Tensor) for tensor in state.values())
    assert torch.equal(Regression(**settings).load_state(state).energies(new), model.energies(new))


def test_what_a_search_chose_is_stored_with_the_weights() -> None:
    train = wobbly(24, seed=1)
    settings = {"estimator": "krr", "gamma": 0.1, "search": {"alpha": [1e-6, 10.0]}, "folds": 3}
    model = Regression(**settings).fit(train, train[:0])
    loaded = Regression(**settings).load_state(model.state())
    assert loaded.pipeline["estimator"].alpha == model.pipeline["estimator"].alpha == 1e-6
    assert torch.equal(loaded.energies(train.molecules), model.energies(train.molecules))


def test_a_state_that_brings_foreign_attributes_is_refused() -> None:
    train = wobbly(24, seed=1)
    model = Regression(estimator="ridge").fit(train, train[:0])
    foreign = {**model.state(), "estimator.predict": torch.zeros(1)}
    with pytest.raises(DataError, match="Ridge holds 'predict'.*damaged"):
        Regression(estimator="ridge").load_state(foreign)
    another = Regression(estimator="krr").fit(train, train[:0])
    with pytest.raises(DataError, match="Ridge holds"):
        Regression(estimator="ridge").load_state(another.state())


def test_what_is_no_plain_number_or_text_is_not_stored() -> None:
    train = wobbly(24, seed=1)
    model = Regression(estimator="knn", weights=lambda distance: 1 / (1 + distance)).fit(
        train, train[:0]
    )
    with pytest.raises(DataError, match="function, which cannot be stored without pickling"):
        model.state()
