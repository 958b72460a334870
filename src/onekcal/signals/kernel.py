r"""What kernels doubt: the variance of their posterior, and what landmarks leave unexplained.

The variance is the kernel's own (`Model.variance`). A low-rank kernel needs its training molecules
for it (subset of regressors with the Nyström remainder, Quiñonero-Candela & Rasmussen, JMLR 6,
1939, 2005), for its file does not hold the factors of the fit.

The remainder alone needs landmarks z only, and tells of each atom a:

    u_a = 1 − k(x_a, z) K⁻¹ k(z, x_a),   s = √Σ_a u_a

It is 0 where an environment is one that the landmarks span, and 1 where it is like none of them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from onekcal.errors import InputError
from onekcal.models.blend import Blend, every_stage
from onekcal.models.kernels import low_rank
from onekcal.models.kernels.landmark_kernel import spans_of
from onekcal.models.kernels.landmarks import gaussian
from onekcal.models.kernels.sparse_kernel import SparseKernel
from onekcal.models.model import Model
from onekcal.molecules import Molecules
from onekcal.networks.model import NetworkModel
from onekcal.signals.signal import Absent, Asked, Doubt, Signal

ATOMS = 4096
"""Environments of one element at a time: their kernel with 5,000 landmarks takes 160 MB."""


def _variance(asked: Asked) -> Doubt:
    why = "holds no kernel with a variance"
    for stage in every_stage(asked.model):
        if isinstance(stage, (NetworkModel, Blend)) or type(stage).variance is Model.variance:
            continue
        try:
            return Doubt(_of_kernel(stage, asked).clamp(min=0).sqrt())
        except InputError as problem:
            why = str(problem)
    raise Absent(why)


def _of_kernel(stage: Model, asked: Asked) -> Tensor:
    try:
        return stage.variance(asked.data.molecules)
    except InputError:
        if not isinstance(stage, SparseKernel):
            raise
    trained = asked.need_trained()
    stage.recall(trained.data.molecules, trained.share)
    return stage.variance(asked.data.molecules)


def _unexplained(asked: Asked) -> Doubt:
    for stage in asked.stages(SparseKernel):
        molecules = asked.data.molecules
        atoms = unexplained(stage, molecules)
        return Doubt(molecules.sum_atoms(atoms).sqrt(), atoms)
    raise Absent("holds no sparse_kernel")


def unexplained(stage: SparseKernel, molecules: Molecules) -> Tensor:
    """Compute the share of each environment that the landmarks do not explain.

    Parameters
    ----------
    stage
        A fitted kernel.
    molecules
        Molecules with A atoms in all.

    Returns
    -------
    Tensor
        (A,) between 0 and 1.
    """
    spans = spans_of(stage.counts)
    factors = [_factor(stage.known[span].double()) for span in spans]
    out = [torch.zeros(0, dtype=torch.float64)]
    for x, kinds, _ in stage.environments(molecules):
        left = torch.ones(len(kinds), dtype=torch.float64)
        for kind, (span, lower) in enumerate(zip(spans, factors)):
            for own in torch.nonzero(kinds == kind).flatten().split(ATOMS):
                near = gaussian(x[own], stage.known[span].double())  # (a, landmarks)
                seen = torch.linalg.solve_triangular(lower, near.T, upper=False)
                left[own] -= seen.square().sum(0)
        out.append(left.clamp(min=0))
    return torch.cat(out)


def _factor(landmarks: Tensor) -> Tensor:
    """(m, m) the Cholesky factor of the landmarks' kernel."""
    lower = low_rank.kernel_factor(landmarks, [slice(0, len(landmarks))])
    assert lower is not None  # it was factorised in the fit
    return lower


VARIANCE = Signal("standard deviation of a kernel's posterior", "kcal/mol", _variance)
UNEXPLAINED = Signal("what a kernel's landmarks do not explain of the atoms", "", _unexplained)
