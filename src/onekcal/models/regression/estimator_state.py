"""Fitted scikit-learn pipelines as tensors and JSON, never pickled.

Only the attributes named here are stored, and only estimators named here can be stored. In return
a model file contains no code that would run when it is read.
"""

from __future__ import annotations

import json

import numpy as np
import torch
from sklearn.pipeline import Pipeline

from onekcal.errors import DataError
from onekcal.models.model import State

FITTED = {
    "StandardScaler": ("mean_", "scale_", "var_", "n_samples_seen_", "n_features_in_"),
    "FunctionTransformer": ("n_features_in_",),
    "LinearRegression": ("coef_", "intercept_", "rank_", "n_features_in_"),
    "Ridge": ("coef_", "intercept_", "solver_", "n_features_in_"),
    "KernelRidge": ("dual_coef_", "X_fit_", "n_features_in_"),
    "KNeighborsRegressor": (
        "_fit_X",
        "_y",
        "_fit_method",
        "_tree",
        "n_samples_fit_",
        "n_features_in_",
        "effective_metric_",
        "effective_metric_params_",
    ),
    "SVR": (
        "support_",
        "support_vectors_",
        "_n_support",
        "dual_coef_",
        "_dual_coef_",
        "intercept_",
        "_intercept_",
        "_probA",
        "_probB",
        "_gamma",
        "_sparse",
        "shape_fit_",
        "fit_status_",
        "_num_iter",
        "n_features_in_",
    ),
}
"""Attributes that `predict` reads, by class (scikit-learn 1.6 to 1.9)."""


def save_estimator(pipeline: Pipeline) -> State:
    """Return the fitted attributes of every step of a pipeline.

    Parameters
    ----------
    pipeline
        A fitted pipeline of estimators that `FITTED` names.

    Returns
    -------
    dict
        Arrays as tensors, named step.attribute; under `plain` the rest, with the parameters, as one
        JSON text.

    Raises
    ------
    DataError
        An attribute is neither an array nor something that JSON can hold.
    """
    state: State = {}
    plain: dict[str, object] = {}
    for step, estimator in pipeline.steps:
        kept: dict[str, object] = {}
        for name in FITTED[type(estimator).__name__]:
            value = getattr(estimator, name, None)
            if isinstance(value, np.ndarray):
                state[f"{step}.{name}"] = torch.from_numpy(np.ascontiguousarray(value).copy())
            else:
                kept[name] = value
        plain[step] = {"fitted": kept, "parameters": estimator.get_params()}
    text = json.dumps(plain, default=_plain).encode()
    state["plain"] = torch.frombuffer(bytearray(text), dtype=torch.uint8)
    return state


def _plain(value: object) -> object:
    """Return a number of NumPy as one of Python, for JSON; refuse other values."""
    if isinstance(value, np.generic):
        return value.item()
    raise DataError(
        f"a fitted estimator holds {type(value).__name__}, which cannot be stored without pickling"
    )


def load_estimator(pipeline: Pipeline, state: State) -> None:
    """Put what `save_estimator` returned back into a pipeline, and nothing else.

    Parameters
    ----------
    pipeline
        An unfitted pipeline of the same steps.
    state
        What `save_estimator` returned.

    Raises
    ------
    DataError
        The state holds an attribute that the estimator does not have.
    """
    plain = json.loads(bytes(state["plain"].numpy()).decode())
    for step, estimator in pipeline.steps:
        known, kept = FITTED[type(estimator).__name__], plain[step]
        fitted = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in kept["fitted"].items()
        }
        prefix = f"{step}."
        fitted |= {
            key[len(prefix) :]: tensor.numpy()
            for key, tensor in state.items()
            if key.startswith(prefix)
        }
        strange = sorted(set(fitted) - set(known))
        if strange:
            raise DataError(
                f"the stored {type(estimator).__name__} holds {strange[0]!r}, which it does not "
                "have; the model file is damaged or was not written by onekcal: train it again"
            )
        estimator.set_params(
            **{key: value for key, value in kept["parameters"].items() if value is not None}
        )
        for name, value in fitted.items():
            setattr(estimator, name, value)
