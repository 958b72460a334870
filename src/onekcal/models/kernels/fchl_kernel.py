r"""Kernel ridge regression with a local Gaussian kernel on FCHL19 features.

    k(A, B) = Σ_{a∈A} Σ_{b∈B}  δ(Z_a, Z_b) · exp(−|x_a − x_b|² / 2σ²)

    energies alone        K = k                                    y = E
                          E(A) = Σ_B k(A, B) α_B
    energies and forces   K = [[k, ∂k/∂r'], [∂k/∂r, ∂²k/∂r∂r']]    y = [E, −F]
                          E(A) = Σ_B [k(A, B) α_B + ∂k/∂r_B · α'_B]

    α = (K + λ)⁻¹ y       F(A) = −∂E(A)/∂r_A
    var E(A) = yᵀα/rows · (k(A, A) − kᵀ (K + λ)⁻¹ k)

Christensen, Bratholm, Faber, von Lilienfeld, J. Chem. Phys. 152, 044107 (2020); forces as Gaussian
process regression: Christensen, von Lilienfeld, Mach. Learn.: Sci. Technol. 1, 045018 (2020). The
kernel of energies alone is made by `local_kernel`. The features, the kernels with derivatives and
the Cholesky solution are kernelforge's. Kernels are packed to half their size. The memory of a fit
is predicted before the fit begins, and a fit that needs more than is free is refused with advice.

Deliberate deviations: `rcut` and `acut` default to 6 Å instead of 8. σ and λ may be lists. Each
pair is then fitted to the training part and judged on the validation part, or by leaving out each
training molecule in turn (its energy and its forces together), in closed form.

A stored model holds the training molecules and α. Features are computed again when it is loaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, Self

import numpy as np
import torch
from torch import Tensor

from onekcal.data.dataset import Columns, Dataset
from onekcal.errors import ConfigError, InputError
from onekcal.features.fchl import Environments
from onekcal.models.kernels import derivative_kernel
from onekcal.models.kernels.fchl_features import BLOCK, FchlFeatures
from onekcal.models.kernels.fchl_fit import (
    check_memory,
    check_settings,
    diagonal,
    error_left_out,
    has_forces,
    observed_in,
    relative_error,
)
from onekcal.models.kernels.local_kernel import Axes, Projected, matvec, rectangular, symmetric
from onekcal.models.kernels.packed_cholesky import Array, check_rows, explained, solve
from onekcal.models.limits import as_list
from onekcal.models.model import Model, State
from onekcal.molecules import Molecules


class FchlKernel(Model):
    """Exact local Gaussian kernel on FCHL19 features; energies in kcal/mol, forces in kcal/mol/Å.

    Parameters
    ----------
    sigma
        Width σ of the Gaussian; it has no unit, as the features have none. Of a list, the value of
        the lowest error is taken.
    regularization
        λ, without unit, added to the diagonal of the kernel of energies. Of a list, the value of
        the lowest error is taken.
    rcut
        Cut-off of the features of two atoms, Å.
    acut
        Cut-off of the features of three atoms, Å.
    forces
        Whether forces are fitted as well as energies. None fits them where the data have them.
    force_regularization
        The same as λ for the kernel of forces, Å⁻². None takes the number of λ.
    choose
        How σ and λ are chosen from lists: `valid` takes the errors on the validation part, `loo`
        the errors of each training molecule, predicted from all the others.
    choose_on
        How many energies and force components the choice is fitted to, at most. They belong to the
        first training molecules.
    keep_factor
        Whether the Cholesky factor is kept and stored. `variance` needs it.
    basis
        Parameters of the features to change, by name: `eta2` and `eta3` (Å⁻²), `two_body_decay`,
        `three_body_decay`, `three_body_weight`. None keeps the published values.
    """

    def __init__(
        self,
        sigma: float | list[float] = 4.0,
        regularization: float | list[float] = 1e-6,
        rcut: float = 6.0,
        acut: float = 6.0,
        forces: bool | None = None,
        force_regularization: float | None = None,
        choose: Literal["valid", "loo"] = "valid",
        choose_on: int = 10_000,
        keep_factor: bool = False,
        basis: dict[str, float] | None = None,
    ) -> None:
        self.sigmas, self.regularizations = as_list(sigma), as_list(regularization)
        positive = {
            "sigma": sigma,
            "regularization": regularization,
            "rcut": rcut,
            "acut": acut,
            "choose_on": choose_on,
            "force_regularization": force_regularization,
        }
        check_settings(positive, choose, basis or {})
        self.basis = {"rcut": rcut, "acut": acut, **(basis or {})}
        self.wants_forces = forces
        self.force_regularization = force_regularization
        self.choose, self.choose_on = choose, choose_on
        self.keep_factor = keep_factor
        self.sigma, self.regularization = self.sigmas[0], self.regularizations[0]
        self.features = FchlFeatures([], 0, self.basis)
        self.weights: Array = np.zeros(0)  # (N,) or (N + 3A,) α, kcal/mol and kcal/mol·Å
        self.factor: Array | None = None  # packed
        self.amplitude = 0.0  # yᵀα/rows
        self.trained: Molecules | None = None
        # training environments, for the kernel of energies and for its derivatives
        self._near: tuple[Axes, Projected] | None = None
        self._known: tuple[Environments, Array] | None = None

    def fit(self, train: Dataset, valid: Dataset) -> Self:
        """Solve exactly; of several σ and λ, take those of the lowest error (`choose`)."""
        self.features = FchlFeatures(
            train.molecules.elements, int(train.molecules.sizes.max()), self.basis
        )
        forces = has_forces(train, self.wants_forces)
        self._check_memory(train, forces)
        if len(self.sigmas) * len(self.regularizations) > 1:
            self.sigma, self.regularization = self._chosen(train, valid, forces)
        observed = observed_in(train, forces)
        if self.keep_factor:
            check_rows(len(observed))
        packed = self._packed_kernel(train.molecules, forces)
        self.weights = solve(packed, observed, diagonal(self, len(train), len(observed)))
        self.amplitude = float(observed @ self.weights) / len(observed)
        self.factor = packed if self.keep_factor else None
        self.trained, self._known = train.molecules, None
        return self

    @property
    def chosen(self) -> dict[str, float]:  # type: ignore[override]
        """The σ and λ that `fit` took, for a fit to more data."""
        return {"sigma": self.sigma, "regularization": self.regularization}

    def _check_memory(self, data: Dataset, forces: bool, copies: int = 1) -> None:
        check_memory(
            len(data),
            self.features.padded_to,
            len(self.features.elements),
            copies,
            atoms=len(data.molecules.numbers) * forces,
        )

    def _chosen(self, train: Dataset, valid: Dataset, forces: bool) -> tuple[float, float]:
        """σ and λ of the lowest error: of energies, plus of forces where they are fitted."""
        if self.choose == "valid" and not len(valid):
            raise ConfigError(
                "fchl_kernel: several values of sigma or regularization need a validation part to "
                "choose on, or choose: loo"
            )
        rows = (1 + 3 * train.molecules.sizes * forces).cumsum(0)  # (N,)
        part = train[: max(2, int((rows <= self.choose_on).sum()))]
        self._check_memory(part, forces, copies=1 + (len(self.regularizations) > 1))
        observed = observed_in(part, forces)
        best, why = (np.inf, 0.0, 0.0), ""
        for sigma in self.sigmas:
            self.sigma = sigma
            kernel = self._packed_kernel(part.molecules, forces)
            for regularization in self.regularizations:
                self.regularization = regularization
                packed = kernel if regularization == self.regularizations[-1] else kernel.copy()
                try:
                    self.weights = solve(packed, observed, diagonal(self, len(part), len(observed)))
                except ConfigError as problem:
                    why = str(problem)
                    continue
                error = (
                    error_left_out(packed, self.weights, part)
                    if self.choose == "loo"
                    else self._error_on(valid, part)
                )
                best = min(best, (error, sigma, regularization))
        if best[0] == np.inf:
            raise ConfigError(
                f"fchl_kernel: none of the pairs of sigma and regularization can be solved: {why}"
            )
        return best[1:]

    def _error_on(self, valid: Dataset, part: Dataset) -> float:
        self.trained, self._known = part.molecules, None
        pull = np.zeros(0)
        if self.fits_forces and valid.forces is not None:
            pull = (self.forces(valid.molecules) - valid.forces).numpy()
        return relative_error(
            valid, (self.energies(valid.molecules) - valid.energies).numpy(), pull
        )

    def _packed_kernel(self, molecules: Molecules, forces: bool) -> Array:
        """K of the training molecules, packed."""
        self._near = None
        if not forces:
            self._near = self._axes(molecules)
            return symmetric(self._near[1])
        return derivative_kernel.full_kernel(*self.features.with_gradients(molecules), self.sigma)

    # --- asking -------------------------------------------------------------------------------

    @property
    def fits_forces(self) -> bool:
        """Whether the fit was to energies and forces."""
        return self.trained is not None and len(self.weights) > len(self.trained)

    def energies(self, molecules: Molecules, columns: Columns | None = None) -> Tensor:
        """(M,) kcal/mol."""
        out = [torch.zeros(0, dtype=torch.float64)]
        for first in range(0, len(molecules), BLOCK):
            asked = molecules[first : first + BLOCK]
            if self.fits_forces:
                out.append(self._energies_by_derivatives(asked))
            else:
                out.append(matvec(*self._projected(asked), torch.from_numpy(self.weights)))
        return torch.cat(out)

    def _energies_by_derivatives(self, molecules: Molecules) -> Tensor:
        known, pulls = self._learned()
        weights = self.weights[: len(known.sizes)]
        asked = self.features.of(molecules)
        return torch.from_numpy(
            derivative_kernel.energies(asked, known, weights, pulls, self.sigma)
        )

    def forces(self, molecules: Molecules, columns: Columns | None = None) -> Tensor:
        """(A, 3) kcal/mol/Å, analytic."""
        known, pulls = self._learned()
        weights = self.weights[: len(known.sizes)]
        out = [np.zeros(0)]
        for _, asked, gradients in self.features.parts_with_gradients(molecules):
            out.append(
                -derivative_kernel.energy_slopes(
                    asked, gradients, known, weights, pulls, self.sigma
                )
            )
        return torch.from_numpy(np.concatenate(out).reshape(-1, 3))

    def variance(self, molecules: Molecules) -> Tensor:
        """(M,) kcal²/mol² posterior variance without the noise λ; it needs `keep_factor`."""
        self._learned_from()
        if self.factor is None:
            raise InputError(
                "the variance needs the Cholesky factor, which this kernel did not keep; fit it "
                "with keep_factor: true"
            )
        out = [np.zeros(0)]
        for first in range(0, len(molecules), BLOCK):
            some = molecules[first : first + BLOCK]
            asked = self.features.of(some)
            cross = [
                rectangular(*self._projected(some)).numpy(),
                *(self._slopes(asked) if self.fits_forces else []),
            ]
            prior = derivative_kernel.own_kernel(asked, self.sigma)
            out.append(prior - explained(self.factor, np.concatenate(cross, axis=1)))
        return torch.from_numpy(self.amplitude * np.concatenate(out).clip(min=0.0))

    def _slopes(self, asked: Environments) -> Iterator[Array]:
        """(M, 3·atoms) Å⁻¹ slopes of the kernel, for a few training molecules at a time."""
        for _, known, gradients in self.features.parts_with_gradients(self._learned_from()):
            yield derivative_kernel.kernel_slopes(asked, known, gradients, self.sigma)

    def _projected(self, molecules: Molecules) -> tuple[Projected, Projected]:
        """Environments of these molecules, and of the training molecules."""
        if self._near is None:
            self._near = self._axes(self._learned_from())
        axes, known = self._near
        return axes.project(self.features.atoms(molecules), len(molecules)), known

    def _axes(self, molecules: Molecules) -> tuple[Axes, Projected]:
        """Axes of training molecules, and their environments along these."""
        blocks = list(self.features.atoms(molecules))
        axes = Axes(blocks, len(self.features.elements), self.sigma)
        return axes, axes.project(blocks, len(molecules))

    def _learned(self) -> tuple[Environments, Array]:
        """Training environments, and their pulls (N, n, d)."""
        trained = self._learned_from()
        if self._known is None:
            known = self.features.of(trained)
            pulls = np.zeros_like(known.features)
            if self.fits_forces:
                first = len(known.sizes) + 3 * trained.offsets.numpy()
                for rows, some, gradients in self.features.parts_with_gradients(trained):
                    weights = self.weights[first[rows.start] : first[rows.stop]]
                    pulls[rows] = derivative_kernel.pulls_of(some, gradients, weights)
            self._known = known, pulls
        return self._known

    def _learned_from(self) -> Molecules:
        if self.trained is None:
            raise InputError("this kernel is not fitted yet; call fit(train, valid) first")
        return self.trained

    # --- storing ------------------------------------------------------------------------------

    def state(self) -> State:
        """Return the training molecules, α, σ and, where it is kept, the Cholesky factor."""
        assert self.trained is not None
        state = {
            "numbers": self.trained.numbers,
            "positions": self.trained.positions,
            "offsets": self.trained.offsets,
            "weights": torch.from_numpy(np.array(self.weights)),
            "sigma": torch.tensor(self.sigma, dtype=torch.float64),
            "elements": torch.tensor(self.features.elements),
            "padded_to": torch.tensor(self.features.padded_to),
        }
        if self.factor is not None:
            state["factor"] = torch.from_numpy(self.factor)
            state["amplitude"] = torch.tensor(self.amplitude, dtype=torch.float64)
        return state

    def load_state(self, state: State) -> Self:
        """Take back what `state` returned."""
        self.trained = Molecules(state["numbers"], state["positions"], state["offsets"])
        self.weights, self.sigma = state["weights"].numpy(), float(state["sigma"])
        self.features = FchlFeatures(
            state["elements"].tolist(), int(state["padded_to"]), self.basis
        )
        if "factor" in state:
            self.factor, self.amplitude = state["factor"].numpy(), float(state["amplitude"])
        self._near = self._known = None
        return self
