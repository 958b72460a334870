r"""Kernel ridge regression with one vector a molecule: SLATM or the sorted Coulomb matrix.

    K(A, B) = exp(−|x_A − x_B|₂² / 2σ²)  or  exp(−|x_A − x_B|₁ / σ)        α = (K + λ·1)⁻¹ y
              or  exp(−|x_A − x_B|₂ / 2σ²)
    E(A) = Σ_B K(A, B) α_B

Rupp et al., Phys. Rev. Lett. 108, 058301 (2012); Huang, von Lilienfeld, Nature Chem. 12, 945
(2020). The third kernel, `exponential`, is equation 1 of the AtomCloudNet paper as it is printed:
the norm is not squared. There is no offset: a stage of dressed atoms before this one takes the
mean.

σ and λ may be lists. Without a σ, multiples of the median distance are tried. The pair with the
lowest mean absolute leave-one-out error on the training data is taken. That error is known in
closed form, α_i / [(K + λ·1)⁻¹]_ii; of more than `choose_on` molecules, as many are drawn at random
for it. Validation and test parts are not used. As a Gaussian process the kernel has the amplitude
yᵀα / N, which gives `variance` its unit.

A stored model holds the training molecules and α. Features are computed again when it is loaded.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Self

import torch
from torch import Tensor

from onekcal.data.dataset import Columns, Dataset
from onekcal.errors import ConfigError, InputError, unknown
from onekcal.features.coulomb import coulomb_matrix, packed, sorted_by_norm
from onekcal.features.slatm import blocks, slatm
from onekcal.models.limits import as_list, check_positive
from onekcal.models.model import Model, State
from onekcal.molecules import Molecules
from onekcal.system.memory import check_free

MULTIPLES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
"""Where no σ is given, these multiples of the median distance of training molecules are tried."""
REGULARIZATIONS = [1e-10, 1e-8, 1e-6]
"""These λ are tried where none is given."""
TINY = 1e-18
"""Squares of distances below this one count as 0: the root has no slope there."""
BLOCK = 512
"""Molecules predicted at a time."""


class GlobalKernel(Model):
    """Gaussian, Laplacian or exponential kernel on one vector a molecule; energies in kcal/mol.

    Parameters
    ----------
    features
        The vector: `slatm` or `coulomb` (the Coulomb matrix, sorted by the norms of its rows).
    kernel
        `gaussian`, `laplacian` or `exponential`.
    sigma
        Width σ, in the unit of the features (Hartree for the Coulomb matrix). Of a list, the value
        of the lowest error is taken. None tries 0.5 to 64 times the median distance between
        training molecules.
    regularization
        λ, without unit, added to the diagonal of the kernel. Of a list, the value of the lowest
        error is taken.
    size
        Atoms that the Coulomb matrix has room for. None means those of the largest training
        molecule.
    choose_on
        How many training molecules σ and λ are chosen on, at most. They are drawn at random.
    """

    differentiable = True

    def __init__(
        self,
        features: str = "slatm",
        kernel: str = "gaussian",
        sigma: float | list[float] | None = None,
        regularization: float | list[float] = REGULARIZATIONS,
        size: int | None = None,
        choose_on: int = 3000,
    ) -> None:
        if features not in ("slatm", "coulomb"):
            unknown("features", features, ("slatm", "coulomb"), ConfigError)
        if kernel not in DISTANCES:
            unknown("kernel", kernel, DISTANCES, ConfigError)
        self.sigmas, self.regularizations = (
            as_list([] if sigma is None else sigma),
            as_list(regularization),
        )
        check_positive(
            "global_kernel",
            {
                "sigma": self.sigmas or None,
                "regularization": regularization,
                "choose_on": choose_on,
            },
        )
        self.features, self.kernel, self.size, self.choose_on = features, kernel, size, choose_on
        self.sigma = self.regularization = self.amplitude = float("nan")
        self.padded_to = 0
        self.elements: list[int] = []
        self.weights = torch.zeros(0, dtype=torch.float64)  # (N,) α, kcal/mol
        self.trained: Molecules | None = None
        self._known: Tensor | None = None  # (N, d)
        self._factor: Tensor | None = None  # (N, N) lower Cholesky factor of K + λ·1

    def fit(self, train: Dataset, valid: Dataset) -> Self:
        """Solve exactly, with the σ and λ of the lowest leave-one-out error, without `valid`."""
        self.padded_to = max(self.size or 0, int(train.molecules.sizes.max()))
        self.elements = train.molecules.elements
        check_memory(len(train), sum(self._blocks()), min(self.choose_on, len(train)))
        self.trained, self._known = train.molecules, self._features(train.molecules)
        energies = train.energies.to(torch.float64)
        distances = self._among(self._known)
        self.sigma, self.regularization = self._chosen(distances, energies)
        self._factor = self._factorised(distances)
        self.weights = torch.cholesky_solve(energies[:, None], self._factor)[:, 0]
        self.amplitude = float(energies @ self.weights) / len(train)
        return self

    def energies(self, molecules: Molecules, columns: Columns | None = None) -> Tensor:
        """(M,) kcal/mol."""
        parts = [
            self._against(molecules[m : m + BLOCK]) @ self.weights
            for m in range(0, len(molecules), BLOCK)
        ]
        return torch.cat([torch.zeros(0, dtype=torch.float64), *parts])

    def variance(self, molecules: Molecules) -> Tensor:
        """(M,) kcal²/mol² posterior variance of the energy, without the noise of a label."""
        self._need_features()
        if self._factor is None:
            assert self._known is not None
            self._factor = self._factorised(self._among(self._known))
        out = [torch.zeros(0, dtype=torch.float64)]
        for m in range(0, len(molecules), BLOCK):
            seen = torch.linalg.solve_triangular(
                self._factor, self._against(molecules[m : m + BLOCK]).T, upper=False
            )
            out.append(self.amplitude * (1 - seen.square().sum(0)).clamp_min(0))
        return torch.cat(out)

    # --- features and kernels -----------------------------------------------------------------

    def _features(self, molecules: Molecules) -> Tensor:
        """(M, d)."""
        if self.features == "slatm":
            return slatm(molecules, self.elements)
        return packed(sorted_by_norm(coulomb_matrix(molecules, self.padded_to)))

    def _blocks(self) -> list[int]:
        return (
            blocks(self.elements)
            if self.features == "slatm"
            else [self.padded_to * (self.padded_to + 1) // 2]
        )

    def _need_features(self) -> Tensor:
        if self.trained is None:
            raise InputError("this kernel is not fitted yet; call fit(train, valid) first")
        if self._known is None:
            self._known = self._features(self.trained)
        return self._known

    def _against(self, molecules: Molecules) -> Tensor:
        """(M, N) kernel with the training molecules."""
        known = self._need_features()
        return self._similarity(
            DISTANCES[self.kernel](self._features(molecules), known, self._blocks()), self.sigma
        )

    def _among(self, known: Tensor) -> Tensor:
        """(N, N) distances between the training molecules, every pair computed once."""
        out = known.new_empty(len(known), len(known))
        for m in range(0, len(known), BLOCK):
            some = DISTANCES[self.kernel](
                known[m : m + BLOCK], known[m:], self._blocks()
            )  # (block, N − m)
            out[m : m + BLOCK, m:], out[m:, m : m + BLOCK] = some, some.T
        return out

    def _similarity(self, distances: Tensor, sigma: float) -> Tensor:
        """The kernel, in the place of `distances`."""
        return distances.mul_(
            -1 / sigma if self.kernel == "laplacian" else -1 / (2 * sigma**2)
        ).exp_()

    def _factorised(self, distances: Tensor) -> Tensor:
        """(N, N) Cholesky factor of K + λ·1; `distances` are overwritten."""
        kernel = self._similarity(distances, self.sigma)
        kernel.diagonal().add_(self.regularization)
        factor, failed = torch.linalg.cholesky_ex(kernel)
        if failed:
            raise ConfigError(
                f"global_kernel: the kernel is singular at sigma {self.sigma:.4g} and "
                f"regularization {self.regularization:.1e}; raise `regularization` or lower `sigma`"
            )
        return factor

    def _chosen(self, distances: Tensor, energies: Tensor) -> tuple[float, float]:
        """σ and λ."""
        if len(self.sigmas) == len(self.regularizations) == 1:
            return self.sigmas[0], self.regularizations[0]
        draw = torch.randperm(len(energies), generator=torch.Generator().manual_seed(0))[
            : self.choose_on
        ]
        some, labels = distances[draw][:, draw], energies[draw]
        pairs = list(product(self.sigmas or self._multiples(some), self.regularizations))
        errors = [
            left_out(self._similarity(some.clone(), sigma), labels, noise).abs().mean()
            for sigma, noise in pairs
        ]
        best = int(torch.stack(errors).argmin())
        if not torch.isfinite(errors[best]):
            raise ConfigError(
                "global_kernel: the kernel is singular at every sigma and regularization given "
                f"(largest {max(self.regularizations):.1e}); raise `regularization`"
            )
        return pairs[best]

    def _multiples(self, distances: Tensor) -> list[float]:
        """Multiples of the median distance between different molecules, or of 1 without one."""
        count = len(distances)
        i, j = torch.tril_indices(count, count, -1)
        median = float(distances[i, j].median()) if count > 1 else 0.0
        scale = (median if self.kernel == "laplacian" else median**0.5) or 1.0
        if self.kernel == "exponential":  # 2σ² is a multiple of the median
            return [(multiple / 2) ** 0.5 * scale for multiple in MULTIPLES]
        return [multiple * scale for multiple in MULTIPLES]

    # --- storing ------------------------------------------------------------------------------

    def state(self) -> State:
        """Return the training molecules, α, σ, λ and the amplitude."""
        assert self.trained is not None
        numbers = {name: torch.tensor(getattr(self, name), dtype=torch.float64) for name in NUMBERS}
        return {
            "numbers": self.trained.numbers,
            "positions": self.trained.positions,
            "offsets": self.trained.offsets,
            "weights": self.weights,
            "elements": torch.tensor(self.elements),
            "padded_to": torch.tensor(self.padded_to),
            **numbers,
        }

    def load_state(self, state: State) -> Self:
        """Take back what `state` returned."""
        self.trained = Molecules(state["numbers"], state["positions"], state["offsets"])
        self.weights, self.elements = state["weights"], state["elements"].tolist()
        self.padded_to = int(state["padded_to"])
        self.sigma, self.regularization, self.amplitude = (float(state[name]) for name in NUMBERS)
        self._known = self._factor = None
        return self


NUMBERS = ("sigma", "regularization", "amplitude")


def squared(a: Tensor, b: Tensor, parts: list[int]) -> Tensor:
    """Return squared Euclidean distances of rows.

    Parameters
    ----------
    a, b
        (A, d) and (B, d).
    parts
        Not read; it is there so that both distances are called in one way.

    Returns
    -------
    Tensor
        (A, B).
    """
    return (a.norm(dim=1).square()[:, None] + b.norm(dim=1).square() - 2 * a @ b.T).clamp_min(0)


def euclidean(a: Tensor, b: Tensor, parts: list[int]) -> Tensor:
    """Return Euclidean distances of rows; where two rows are equal, the slope is 0.

    Parameters
    ----------
    a, b, parts
        As in `squared`.

    Returns
    -------
    Tensor
        (A, B).
    """
    # the backward pass of pow keeps its input: the result may be overwritten, that of sqrt may not
    return squared(a, b, parts).clamp_min(TINY).pow(0.5)


def manhattan(a: Tensor, b: Tensor, parts: list[int]) -> Tensor:
    """Return sums of absolute differences of rows.

    Many stretches of a row are zero throughout: with SLATM, those of elements that the molecule
    does not have. Two rows are compared only along stretches where both have something. Elsewhere
    the difference is the norm of the row that has something. On QM9 that is a sixth of the work.

    Parameters
    ----------
    a, b
        (A, d) and (B, d).
    parts
        Lengths of the stretches, d in all.

    Returns
    -------
    Tensor
        (A, B).
    """
    out = a.norm(p=1, dim=1)[:, None] + b.norm(p=1, dim=1)
    for left, right in zip(a.split(parts, 1), b.split(parts, 1)):
        left_norm, right_norm = left.norm(p=1, dim=1), right.norm(p=1, dim=1)
        i, j = left_norm.nonzero()[:, 0], right_norm.nonzero()[:, 0]
        if len(i) and len(j):
            both = torch.cdist(left[i], right[j], p=1) - left_norm[i, None] - right_norm[j]
            out = out.index_put_((i[:, None], j), both, accumulate=True)
    return out.clamp_min(0)


DISTANCES: dict[str, Callable[[Tensor, Tensor, list[int]], Tensor]] = {
    "gaussian": squared,
    "laplacian": manhattan,
    "exponential": euclidean,
}


def left_out(kernel: Tensor, energies: Tensor, regularization: float) -> Tensor:
    """Return the error at each molecule of the model that is fitted to all the others.

    Parameters
    ----------
    kernel
        (N, N).
    energies
        (N,) kcal/mol.
    regularization
        λ.

    Returns
    -------
    Tensor
        (N,) kcal/mol; infinite where the kernel is singular.
    """
    regular = kernel + regularization * torch.eye(len(kernel), dtype=kernel.dtype)
    factor, failed = torch.linalg.cholesky_ex(regular)
    if failed:
        return torch.full_like(energies, torch.inf)
    inverse = torch.cholesky_inverse(factor)
    return (inverse @ energies) / inverse.diagonal()


def memory_needed(count: int, width: int, chosen_on: int) -> float:
    """Return the bytes that an exact fit takes at most, in float64.

    Features are joined from parts, which makes one copy for a moment. Later they are held together
    with the distances and with either the Cholesky factor or what the leave-one-out errors take. A
    few blocks of rows come on top.

    Parameters
    ----------
    count
        Training molecules.
    width
        Features of each.
    chosen_on
        Molecules whose leave-one-out errors are computed.
    """
    beside = max(count * width, count**2 + max(count**2, 7 * chosen_on**2))
    return 8.0 * (count * width + beside + 2 * BLOCK * (width + 3 * count))


def check_memory(count: int, width: int, chosen_on: int, available: float | None = None) -> None:
    """Refuse a fit that needs more memory than there is, before it begins.

    Parameters
    ----------
    count, width, chosen_on
        As in `memory_needed`.
    available
        Bytes; None asks the system how many are free.

    Raises
    ------
    ConfigError
        The message says how much is needed, and what to change.
    """
    check_free(
        memory_needed(count, width, chosen_on),
        f"{count:,} molecules of {width:,} features each",
        "lower data.train",
        available,
    )
