"""Features and a scikit-learn estimator as a model: the only file that adapts one to the other.

    regression: {features: sorted_coulomb, estimator: krr, alpha: 1.0e-4, gamma: 1.0e-4}

The pipeline is features → StandardScaler → estimator. Further keys are the estimator's own
parameters. With `search`, a grid of those parameters is searched by cross-validation inside the
training part (mean absolute error), and the best combination is fitted to all of it. Validation and
test parts are not used.

`random_coulomb` trains on `orderings` randomly sorted copies of every molecule and predicts the
mean over as many. `column_sorted_coulomb` sorts columns without rows. It is there only because a
published number was made with it.

The target is learned in kcal/mol and is not scaled, as in the study that this file repeats.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from joblib import parallel_config
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVR
from torch import Tensor

from onekcal.data.dataset import Columns, Dataset
from onekcal.errors import ConfigError, InputError, did_you_mean, unknown
from onekcal.features.coulomb import (
    coulomb_matrix,
    packed,
    sorted_by_norm,
    sorted_columns_only,
    sorted_eigenvalues,
)
from onekcal.models.model import Model, State
from onekcal.models.regression.estimator_state import load_estimator, save_estimator
from onekcal.molecules import Molecules

Feature = Callable[[Tensor, int, float], Tensor]


def _random(matrices: Tensor, copy: int, noise: float) -> Tensor:
    """One ordering of each matrix.

    The draw depends on the copy alone, so that a molecule's answer does not depend on the other
    molecules. Sorting without noise first makes it independent of the order of atoms.
    """
    draw = torch.randn(
        matrices.shape[1], generator=torch.Generator().manual_seed(copy), dtype=torch.float64
    )
    return packed(sorted_by_norm(sorted_by_norm(matrices), noise * draw.expand(matrices.shape[:2])))


FEATURES: dict[str, Feature] = {
    "coulomb": lambda matrices, copy, noise: packed(matrices),
    "sorted_eigenvalues": lambda matrices, copy, noise: sorted_eigenvalues(matrices),
    "sorted_coulomb": lambda matrices, copy, noise: packed(sorted_by_norm(matrices)),
    "sorted_coulomb_full": lambda matrices, copy, noise: sorted_by_norm(matrices).flatten(1),
    "column_sorted_coulomb": lambda matrices, copy, noise: packed(
        sorted_columns_only(matrices).transpose(1, 2)
    ),
    "random_coulomb": _random,
}
ESTIMATORS: dict[str, tuple[type[BaseEstimator], dict[str, object]]] = {
    "linear": (LinearRegression, {}),
    "ridge": (Ridge, {}),
    "knn": (KNeighborsRegressor, {"algorithm": "brute"}),  # a tree is no plain array to store
    "krr": (KernelRidge, {"kernel": "rbf"}),
    "svr": (SVR, {"cache_size": 1000}),
}
BATCH = 4096
"""Molecules predicted at a time: a kernel matrix has no more rows than this."""


def _check_parameters(
    estimator: str, parameters: dict[str, object], search: Mapping[str, Sequence[object]]
) -> None:
    """Refuse keys that the estimator does not have, and values to search that are no list."""
    own = sorted(ESTIMATORS[estimator][0]().get_params())
    mine = [
        name
        for name, p in inspect.signature(Regression).parameters.items()
        if p.kind is not p.VAR_KEYWORD
    ]
    for key in parameters:
        if key not in own:
            raise ConfigError(
                f"regression with {estimator} takes no {key!r}{did_you_mean(key, [*mine, *own])}"
            )
    for key, values in search.items():
        if key not in own:
            raise ConfigError(f"search: {estimator} has no {key!r}{did_you_mean(key, own)}")
        if not isinstance(values, (list, tuple)) or not values:
            raise ConfigError(f"search: {key} takes a list of values to try, got {values!r}")


class Regression(Model):
    """Features of the Coulomb matrix and a scikit-learn estimator; kcal/mol in and out.

    Parameters
    ----------
    features
        What is made of the Coulomb matrix: `coulomb`, `sorted_eigenvalues`, `sorted_coulomb`,
        `sorted_coulomb_full`, `column_sorted_coulomb` or `random_coulomb`.
    estimator
        `linear`, `ridge`, `knn`, `krr` (kernel ridge regression) or `svr`.
    size
        Atoms that the matrix has room for. None means those of the largest training molecule.
    standardize
        Whether each feature is shifted and scaled to mean 0 and deviation 1 on the training part.
    search
        Lists of values by the name of the estimator's parameter, such as {alpha: [1.0e-6, 1.0e-3]}.
        Every combination is tried by cross-validation. None tries nothing.
    folds
        Number of parts of the cross-validation of `search`.
    orderings
        Random orderings of each molecule, in training and in answers (`random_coulomb` only).
    noise
        Standard deviation of what is added to the norms that `random_coulomb` sorts by, Hartree.
    seed
        Seed of the random orderings and of the parts of the cross-validation.
    **parameters
        Parameters of the estimator, by scikit-learn's names, such as `alpha`, `gamma`,
        `n_neighbors`.
    """

    def __init__(
        self,
        features: str = "sorted_eigenvalues",
        estimator: str = "krr",
        size: int | None = None,
        standardize: bool = True,
        search: Mapping[str, Sequence[object]] | None = None,
        folds: int = 5,
        orderings: int = 8,
        noise: float = 1.0,
        seed: int = 0,
        **parameters: object,
    ) -> None:
        if features not in FEATURES:
            unknown("features", features, FEATURES, ConfigError)
        if estimator not in ESTIMATORS:
            unknown("estimator", estimator, ESTIMATORS, ConfigError)
        self.features, self.size, self.search, self.folds = features, size, search, folds
        self.padded_to = size  # atoms; of the largest training molecule where no size is given
        self.noise, self.seed = noise, seed
        self.orderings = orderings if features == "random_coulomb" else 1
        if self.orderings < 1:
            raise ConfigError(f"regression: `orderings` must be at least 1, got {orderings}")
        _check_parameters(estimator, parameters, search or {})
        cls, defaults = ESTIMATORS[estimator]
        scale = StandardScaler() if standardize else FunctionTransformer()
        self.pipeline = Pipeline(
            [("scale", scale), ("estimator", cls(**{**defaults, **parameters}))]
        )

    def fit(self, train: Dataset, valid: Dataset) -> Self:
        """Fit to `train`; `valid` is not used."""
        self.padded_to = self.size or int(train.molecules.sizes.max())
        table = np.concatenate(
            [self._table(train.molecules, copy) for copy in range(self.orderings)]
        )
        energies = np.tile(train.energies.numpy(), self.orderings)
        try:
            if self.search:
                self.pipeline = self._searched(table, energies)
            # neighbours are counted only at the first prediction
            self.pipeline.fit(table, energies).predict(table[:1])
        except ValueError as problem:  # scikit-learn refuses a parameter
            raise ConfigError(f"regression on {len(train)} molecules: {problem}") from None
        return self

    def _searched(
        self, table: npt.NDArray[np.float64], energies: npt.NDArray[np.float64]
    ) -> Pipeline:
        grid = {f"estimator__{key}": values for key, values in (self.search or {}).items()}
        # copies of one molecule must not stand on both sides, so folds are drawn over molecules
        count = len(table) // self.orderings
        rows = np.arange(len(table)).reshape(self.orderings, count)
        parts = KFold(self.folds, shuffle=True, random_state=self.seed).split(np.arange(count))
        folds = [(rows[:, a].ravel(), rows[:, b].ravel()) for a, b in parts]
        found = GridSearchCV(
            self.pipeline,
            grid,
            scoring="neg_mean_absolute_error",
            cv=folds,
            refit=False,
            error_score="raise",
        )
        # threads: the solvers run outside the interpreter's lock, and processes would need
        # copies of the table
        with parallel_config("threading", n_jobs=min(torch.get_num_threads(), 4)):
            found.fit(table, energies)
        return self.pipeline.set_params(**found.best_params_)

    def energies(self, molecules: Molecules, columns: Columns | None = None) -> Tensor:
        """(M,) kcal/mol, the mean over orderings."""
        parts = [
            self._predicted(molecules[first : first + BATCH])
            for first in range(0, len(molecules), BATCH)
        ]
        return torch.from_numpy(np.concatenate([np.zeros(0), *parts]))

    def _predicted(self, molecules: Molecules) -> npt.NDArray[np.float64]:
        try:
            with torch.no_grad():
                answers = [
                    self.pipeline.predict(self._table(molecules, copy))
                    for copy in range(self.orderings)
                ]
        except NotFittedError:
            raise InputError(
                "this regression is not fitted yet; call fit(train, valid) first"
            ) from None
        return np.mean(answers, axis=0).astype(np.float64)

    def _table(self, molecules: Molecules, copy: int) -> npt.NDArray[np.float64]:
        matrices = coulomb_matrix(molecules, self.padded_to)
        return FEATURES[self.features](matrices, self.seed + copy, self.noise).numpy()

    def state(self) -> State:
        """Return the size of the matrix and the fitted pipeline."""
        return {"size": torch.tensor(self.padded_to), **save_estimator(self.pipeline)}

    def load_state(self, state: State) -> Self:
        """Take back what `state` returned."""
        self.padded_to = int(state["size"])
        load_estimator(self.pipeline, state)
        return self
