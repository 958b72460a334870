"""What an FCHL19 kernel is fitted to, how a fit is judged, and the memory that it takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np
import torch

from onekcal.data.dataset import Dataset
from onekcal.errors import ConfigError, DataError, unknown
from onekcal.features.fchl import width
from onekcal.models.kernels.fchl_features import gradient_elements
from onekcal.models.kernels.packed_cholesky import Array, left_out
from onekcal.models.limits import check_positive
from onekcal.system.memory import check_free


def has_forces(train: Dataset, wanted: bool | None) -> bool:
    """Tell whether forces are fitted.

    Parameters
    ----------
    train
        The training data.
    wanted
        The setting `forces`; None leaves the decision to the data.

    Raises
    ------
    DataError
        Forces are to be fitted, and the data have none or some that are not finite.
    """
    if wanted is False or (wanted is None and train.forces is None):
        return False
    if train.forces is None:
        raise DataError(
            f"`forces: true` needs the column '{train.target}_forces', available: "
            f"{', '.join(train.columns)}"
        )
    missing = int((~torch.isfinite(train.forces)).any(1).sum())
    if missing:
        raise DataError(
            f"the forces on {missing} of {len(train.forces)} atoms in '{train.target}_forces' "
            "are not finite; drop these molecules or say `forces: false`"
        )
    return True


def observed_in(train: Dataset, forces: bool) -> Array:
    """Return what the kernel is fitted to.

    Parameters
    ----------
    train
        N molecules with A atoms in all.
    forces
        Whether forces are fitted.

    Returns
    -------
    ndarray
        (N,) E in kcal/mol, or (N + 3A,) E and −F (kcal/mol/Å): the derivatives of a kernel are
        gradients, and forces are their negatives.
    """
    if not forces:
        return train.energies.numpy()
    assert train.forces is not None
    return np.concatenate([train.energies.numpy(), -train.forces.numpy().ravel()])


def relative_error(data: Dataset, energies: Array, forces: Array) -> float:
    """Return one number for the errors of energies and forces.

    Parameters
    ----------
    data
        M molecules with their energies and, where they are fitted, their forces.
    energies
        (M,) errors, kcal/mol.
    forces
        Errors of the force components, kcal/mol/Å; empty where no forces are fitted.

    Returns
    -------
    float
        The mean absolute error of the energies in units of their mean absolute deviation, plus that
        of the forces in units of their mean size.
    """
    spread = float((data.energies - data.energies.mean()).abs().mean()) or 1.0
    error = float(np.abs(energies).mean()) / spread
    if len(forces):
        assert data.forces is not None
        error += float(np.abs(forces).mean()) / (float(data.forces.abs().mean()) or 1.0)
    return error


def error_left_out(factor: Array, weights: Array, part: Dataset) -> float:
    """Return the relative error of each molecule, predicted from all the others.

    Parameters
    ----------
    factor
        The packed Cholesky factor of K + λ; it is overwritten.
    weights
        (rows,) α of the fit to all of `part`.
    part
        The molecules of the fit.
    """
    count = len(part)
    alone = [np.array([m]) for m in range(count)]
    if len(weights) > count:
        first = (count + 3 * part.molecules.offsets).tolist()
        alone = [np.r_[m, first[m] : first[m + 1]] for m in range(count)]
    residuals = left_out(factor, weights, alone)
    return relative_error(part, residuals[:count], residuals[count:])


def memory_needed(count: int, size: int, elements: int, copies: int = 1, atoms: int = 0) -> float:
    """Return the bytes that an exact fit takes at most, in float64.

    The features and their projections come first. Later `copies` of the packed kernel take the
    place of the features. Where the forces on `atoms` atoms are fitted too, the kernel has
    count + 3·atoms rows and is held together with the gradients of the features.

    Parameters
    ----------
    count, size, elements
        Training molecules, atoms in the largest, different elements.
    copies
        Kernels held at the same time.
    atoms
        Atoms whose forces are fitted.
    """
    rows = count + 3 * atoms
    features, kernel = count * size * width(elements), copies * rows * (rows + 1) / 2
    if atoms:
        return 8.0 * (features + gradient_elements(count, size, elements) + kernel)
    return 8.0 * (features + max(features, kernel))


def check_memory(
    count: int,
    size: int,
    elements: int,
    copies: int = 1,
    available: float | None = None,
    atoms: int = 0,
) -> None:
    """Refuse a fit that needs more memory than there is, before it begins.

    Parameters
    ----------
    count, size, elements, copies, atoms
        As in `memory_needed`.
    available
        Bytes; None asks the system how many are free.

    Raises
    ------
    ConfigError
        The message says how much is needed, and what to change.
    """
    what = f" and the forces on their {atoms:,} atoms" if atoms else ""
    advice = "lower data.train" + (", or say `forces: false`" if atoms else "")
    advice += ", or give one value of `regularization` or a lower `choose_on`" if copies > 1 else ""
    check_free(
        memory_needed(count, size, elements, copies, atoms),
        f"{count:,} molecules of up to {size} atoms{what}",
        advice,
        available,
    )


BASIS = ("eta2", "eta3", "two_body_decay", "three_body_decay", "three_body_weight")
"""What `basis` may change: the widths of the radial functions (Å⁻²), the exponents of the damping,
and the weight of the three-body part. nFourier is not among them: above 1, kernelforge 1.1 gives
other features together with gradients than without them.
"""


def check_settings(
    positive: Mapping[str, float | Sequence[float] | None], choose: str, basis: Iterable[str]
) -> None:
    """Refuse settings of an `fchl_kernel` that cannot be used.

    Parameters
    ----------
    positive
        Settings by name that must be above 0; None stands for a setting that is left out.
    choose
        How σ and λ are chosen: "valid" or "loo".
    basis
        Names of the parameters of the features to change.

    Raises
    ------
    ConfigError
        Names the setting, and what it may be.
    """
    check_positive("fchl_kernel", positive)
    if choose not in ("valid", "loo"):
        raise ConfigError(f"fchl_kernel: `choose` must be 'valid' or 'loo', got {choose!r}")
    for name in basis:
        if name not in BASIS:
            unknown("parameter of the FCHL19 basis", name, BASIS, ConfigError)


class Ridge(Protocol):
    """The regularization of a kernel."""

    regularization: float
    force_regularization: float | None


def diagonal(ridge: Ridge, energies: int, rows: int) -> Array:
    """Return what is added to the diagonal of a kernel.

    Parameters
    ----------
    ridge
        λ of the energies and that of the forces (None: the same number).
    energies, rows
        Rows that are energies, and all rows.

    Returns
    -------
    ndarray
        (rows,) λ of the energies, then that of the forces.
    """
    added = np.full(rows, ridge.regularization)
    added[energies:] = ridge.force_regularization or ridge.regularization
    return added
