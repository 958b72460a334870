r"""How strange an environment is to a kernel on landmarks.

    u_a = 1 − kᵀ K⁻¹ k        k_j = k(x_a, z_j),  K_jl = k(z_j, z_l)

is the share of environment a that its nearest landmarks z of the same element do not explain: the
variance of a Gaussian process whose only data they are, in units of its prior variance. It is 0 at
a landmark and between landmarks that lie close together, and 1 far from all of them. The distance
to the nearest landmark alone cannot tell "between" from "beyond". With 24 landmarks u is so near to
what all of them give that large errors are found equally well; each atom costs 24³ operations.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from onekcal.models.kernels.landmarks import gaussian

NEAR = 24
"""Landmarks that are asked about an environment."""
JITTER = 1e-6
"""Added to the diagonal of K, whose landmarks may nearly coincide."""
BLOCK = 400
"""Environments at a time; their landmarks take 12 MB."""


def unexplained(kinds: Tensor, x: Tensor, known: Tensor, spans: list[slice]) -> Tensor:
    """Compute the share of each environment that its nearest landmarks do not explain.

    Parameters
    ----------
    kinds
        (A,) the element of each environment.
    x
        (A, dims) environments in units of the kernel's width.
    known
        (m, dims) landmarks in the same units.
    spans
        The landmarks of each element.

    Returns
    -------
    Tensor
        (A,) between 0 and 1; ∞ where an element has no landmark.
    """
    out = torch.full((len(x),), math.inf, dtype=torch.float64)
    for kind, span in enumerate(spans):
        landmarks = known[span].double()
        if not len(landmarks):
            continue
        for own in torch.nonzero(kinds == kind).flatten().split(BLOCK):
            out[own] = _of_one_element(x[own].double(), landmarks)
    return out


def _of_one_element(x: Tensor, landmarks: Tensor) -> Tensor:
    """(a,) the shares of environments (a, dims) of one element."""
    count = min(NEAR, len(landmarks))
    near = gaussian(x, landmarks).topk(count)
    around = landmarks[near.indices]  # (a, count, dims)
    kernel = torch.cdist(around, around).square().mul(-0.5).exp()
    lower = torch.linalg.cholesky(kernel + JITTER * torch.eye(count, dtype=torch.float64))
    seen = torch.linalg.solve_triangular(lower, near.values[:, :, None], upper=False)
    return (1 - seen.square().sum((1, 2))).clamp(min=0)
