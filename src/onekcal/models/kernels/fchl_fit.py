"""What an FCHL19 kernel is fitted to, how a fit is judged, and the memory that it takes."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch

from onekcal.data.dataset import Dataset
from onekcal.errors import ConfigError, DataError, unknown
from onekcal.features.fchl import Environments, width
from onekcal.models.kernels.local_kernel import Atoms
from onekcal.models.kernels.packed_cholesky import left_out
from onekcal.system.memory import check_free


def has_forces(train: Dataset, wanted: bool | None) -> bool:
    """Are forces fitted? `wanted`: None where the data decide."""
    if wanted is False or (wanted is None and train.forces is None):
        return False
    if train.forces is None:
        raise DataError(
            f"`forces: true` needs the column '{train.target}_forces', there is: "
            f"{', '.join(train.columns)}"
        )
    missing = int((~torch.isfinite(train.forces)).any(1).sum())
    if missing:
        raise DataError(
            f"the forces on {missing} of {len(train.forces)} atoms in '{train.target}_forces' "
            "are not finite; drop these molecules or say `forces: false`"
        )
    return True


def observed_in(train: Dataset, forces: bool) -> np.ndarray:
    """[E] or [E, −F] in one row: the kernel's derivatives are gradients, not forces."""
    if not forces:
        return train.energies.numpy()
    assert train.forces is not None
    return np.concatenate([train.energies.numpy(), -train.forces.numpy().ravel()])


def relative_error(data: Dataset, energies: np.ndarray, forces: np.ndarray) -> float:
    """Mean absolute residual of the energies over their spread, plus that of the forces over their
    size.
    """
    spread = float((data.energies - data.energies.mean()).abs().mean()) or 1.0
    error = float(np.abs(energies).mean()) / spread
    if len(forces):
        assert data.forces is not None
        error += float(np.abs(forces).mean()) / (float(data.forces.abs().mean()) or 1.0)
    return error


def error_left_out(factor: np.ndarray, weights: np.ndarray, part: Dataset) -> float:
    """The relative error of each molecule, predicted from all the others."""
    count = len(part)
    alone = [np.array([m]) for m in range(count)]
    if len(weights) > count:
        first = (count + 3 * part.molecules.offsets).tolist()
        alone = [np.r_[m, first[m] : first[m + 1]] for m in range(count)]
    residuals = left_out(factor, weights, alone)
    return relative_error(part, residuals[:count], residuals[count:])


def gradient_elements(count: int, size: int, elements: int) -> int:
    """Numbers in the padded feature gradients of `count` molecules."""
    return count * size * width(elements) * 3 * size


def memory_needed(count: int, size: int, elements: int, copies: int = 1, atoms: int = 0) -> float:
    """Bytes an exact fit takes at most, float64.

    Features and their projections; then `copies` of the packed kernel in the place of the features.
    Where the forces on `atoms` atoms are fitted too, the kernel has count + 3·atoms rows and stands
    beside the gradients of the features.

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
    """Refuse a fit that will not fit, before it begins."""
    what = f" and the forces on their {atoms:,} atoms" if atoms else ""
    advice = "lower data.train" + (", or say `forces: false`" if atoms else "")
    advice += ", or give one value of `regularization` or a lower `choose_on`" if copies > 1 else ""
    check_free(
        memory_needed(count, size, elements, copies, atoms),
        f"{count:,} molecules of up to {size} atoms{what}",
        advice,
        available,
    )


def atoms(found: Environments, elements: list[int], first: int = 0) -> Atoms:
    """Environments without padding, of molecules `first`, `first` + 1 …"""
    molecule, place = found.charges.nonzero()
    kinds = np.searchsorted(elements, found.charges[molecule, place])
    return Atoms(*map(torch.from_numpy, (found.features[molecule, place], kinds, first + molecule)))


BASIS = ("eta2", "eta3", "two_body_decay", "three_body_decay", "three_body_weight")
"""What `basis` may change: widths of the radial functions (Å⁻²), exponents of the damping, weight
of the three-body part. Not nFourier: above 1, kernelforge 1.1's features with gradients are not
those without.
"""


def check_settings(positive: dict[str, float | None], choose: str, basis: dict[str, float]) -> None:
    """Refuse settings of an `fchl_kernel` that cannot be used.

    Parameters
    ----------
    positive
        Settings by name that must be above 0; None stands for a setting that is left out.
    choose
        How σ and λ are chosen: "valid" or "loo".
    basis
        Parameters of the features to change.
    """
    for name, value in positive.items():
        if value is not None and value <= 0:
            raise ConfigError(f"fchl_kernel: `{name}` must be positive, got {value}")
    if choose not in ("valid", "loo"):
        raise ConfigError(f"fchl_kernel: `choose` must be 'valid' or 'loo', got {choose!r}")
    for name in basis:
        if name not in BASIS:
            unknown("parameter of the FCHL19 basis", name, BASIS, ConfigError)


class Ridge(Protocol):
    """The regularization of a kernel."""

    regularization: float
    force_regularization: float | None


def diagonal(ridge: Ridge, energies: int, rows: int) -> np.ndarray:
    """(rows,) what is added to the diagonal: λ of the energies, then that of the forces."""
    added = np.full(rows, ridge.regularization)
    added[energies:] = ridge.force_regularization or ridge.regularization
    return added


def own_kernel(asked: Environments, m: int, sigma: float) -> float:
    """k(A, A) of molecule `m`."""
    from kernelforge import local_kernels

    one = Environments(*(array[m : m + 1] for array in asked))
    return float(local_kernels.kernel_gaussian_symm_rfp(*one, sigma)[0])
