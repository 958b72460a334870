"""Errors of predictions, in kcal/mol where they are energies."""

from __future__ import annotations

import math

import torch
from torch import Tensor

KCAL = "kcal/mol"


def metrics(reference: Tensor, predicted: Tensor, unit: str = KCAL) -> dict[str, float]:
    """MAE, RMSE, median and largest absolute error in `unit`, share above 1 kcal/mol (of
    energies), mean signed error.

    Predictions that are not finite are counted in `failed` and make every other figure infinite: a
    model that fails on a molecule has no mean error.
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
