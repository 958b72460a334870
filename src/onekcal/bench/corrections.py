"""Corrections to experiment, fitted to published energies and judged on molecules left out.

The energies of ppe_dev.npz have another zero. For H C N O F it is known (`PPE_OFFSET`). For the
other elements it is fitted together with the correction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from onekcal.bench.experiments import PPE_OFFSET, Heat, Published
from onekcal.features.bond_counts import bond_counts
from onekcal.models.bond_correction import COUNTED, BondCorrection, robust_ridge
from onekcal.molecules import Molecules

FREE = 10.0
"""Counts of the zero of ppe_dev.npz are multiplied by it, so that the ridge hardly holds it."""


def corrected(
    some: Sequence[Published], heats: Mapping[str, Heat], stage: BondCorrection
) -> dict[int, float]:
    """Fit a correction to ΔfH(experiment) − ΔfH(method).

    Parameters
    ----------
    some
        Species of one level that have a heat of formation.
    heats
        Identity → experiment.
    stage
        Its settings; its kinds and coefficients are set.

    Returns
    -------
    dict
        Nuclear charge → the zero of ppe_dev.npz that was found with it, kcal/mol an atom.
    """
    molecules = Molecules.concatenate([one.molecule for one in some])
    counts, stage.kinds = bond_counts(molecules, COUNTED[stage.counts])
    unknown = [z for z in molecules.elements if z not in PPE_OFFSET]
    both = torch.cat([counts, FREE * _zero(some, molecules, unknown)], 1)
    sigma = _column([heats[one.identity].stated for one in some]).clamp(min=stage.floor)
    solved, stage.trust = robust_ridge(
        both, residuals(some, heats), sigma, stage.regularization, stage.threshold
    )
    stage.coefficients = solved[: counts.shape[1]]
    return dict(zip(unknown, (FREE * solved[counts.shape[1] :]).tolist()))


def left_out(
    some: Sequence[Published],
    heats: Mapping[str, Heat],
    dealt: Mapping[str, int],
    stage: BondCorrection,
) -> tuple[np.ndarray, np.ndarray]:
    """Judge a correction on molecules that it was not fitted to.

    Parameters
    ----------
    some, heats
        As in `corrected`.
    dealt
        Identity → fold; all copies of a molecule are in one.
    stage
        Its settings.

    Returns
    -------
    tuple
        (n,) experiment − method without, and with the correction, kcal/mol.
    """
    before = residuals(some, heats)
    after, fold = before.clone(), torch.tensor([dealt[one.identity] for one in some])
    for k in fold.unique().tolist():
        rows = (fold == k).nonzero().flatten().tolist()
        own = BondCorrection(**stage.settings)  # type: ignore[arg-type]
        zero = corrected([one for one in some if dealt[one.identity] != k], heats, own)
        molecules = Molecules.concatenate([some[row].molecule for row in rows])
        shift = _zero([some[row] for row in rows], molecules, list(zero))
        before[rows] -= shift @ _column(list(zero.values()))
        after[rows] = before[rows] - own.energies(molecules)
    return before.numpy(), after.numpy()


def residuals(some: Sequence[Published], heats: Mapping[str, Heat]) -> Tensor:
    """Return ΔfH(experiment) − ΔfH(method) of each species, kcal/mol.

    Parameters
    ----------
    some, heats
        As in `corrected`.
    """
    return _column([heats[one.identity].formation - one.formation for one in some])


def _zero(some: Sequence[Published], molecules: Molecules, elements: list[int]) -> Tensor:
    """(n, elements) atoms of ppe_dev.npz whose zero is not known."""
    there = _column([float(one.file == "ppe_dev") for one in some])
    return molecules.composition(elements) * there[:, None]


def _column(values: Sequence[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)
