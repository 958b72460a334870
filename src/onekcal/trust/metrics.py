"""Errors of predictions; those of energies are in kcal/mol."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

KCAL = "kcal/mol"
Metrics = dict[str, Any]
"""What is known of a test by name: errors and counts (numbers), units and remarks (text)."""


def metrics(reference: Tensor, predicted: Tensor, unit: str = KCAL) -> dict[str, float]:
    """Compute the errors of predictions.

    A model that fails on one molecule has no mean error: if a prediction is not finite, every
    error is infinite.

    Parameters
    ----------
    reference, predicted
        (M,) values in `unit`.
    unit
        The unit of both.

    Returns
    -------
    dict
        "mae", "rmse", "median" and "max" of the absolute error, and "bias", the mean signed error,
        in `unit`; "above_1", the share of errors above 1 kcal/mol, of energies only; "count"; and
        "failed", the number of predictions that are not finite.
    """
    error = (predicted - reference).to(torch.float64)
    size = error.abs()
    failed = int((~torch.isfinite(error)).sum())
    if len(error) == 0 or failed:
        empty = math.nan if len(error) == 0 else math.inf
        figures = dict.fromkeys(("mae", "rmse", "median", "max", "above_1", "bias"), empty)
    else:
        figures = {
            "mae": float(size.mean()),
            "rmse": float(error.square().mean().sqrt()),
            "median": float(size.quantile(0.5)),
            "max": float(size.max()),
            "above_1": float((size > 1.0).to(torch.float64).mean()),
            "bias": float(error.mean()),
        }
    if unit != KCAL:
        del figures["above_1"]
    return {"count": len(error), **figures, "failed": failed}
