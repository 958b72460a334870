r"""Kernel ridge regression with a local Gaussian kernel on FCHL19 features, on energies or on
energies and forces.

    k(A, B) = Σ_{a∈A} Σ_{b∈B}  δ(Z_a, Z_b) · exp(−|x_a − x_b|² / 2σ²)

    energies             K = k                                    y = E             E(A) = Σ_B k(A,
    B) α_B energies and forces  K = [[k, ∂k/∂r'], [∂k/∂r, ∂²k/∂r∂r']]    y = [E, −F]       E(A) =
    Σ_B k α_B + ∂k/∂r_B · α'_B

    α = (K + λ)⁻¹ y        F(A) = −∂E(A)/∂r_A        var E(A) = yᵀα/rows · (k(A, A) − kᵀ (K + λ)⁻¹
    k)

Christensen, Bratholm, Faber, von Lilienfeld, J. Chem. Phys. 152, 044107 (2020); forces as Gaussian
process regression: Christensen, von Lilienfeld, Mach. Learn.: Sci. Technol. 1, 045018 (2020). The
kernel of energies alone is made by `local_kernel`; features, kernels with derivatives and the
Cholesky solve are kernelforge's. Kernels are packed to half the size; the memory a fit takes is
predicted before it begins, and refused with advice where it will not fit.

Deliberate deviations: `rcut` and `acut` default to 6 Å instead of 8. σ and λ may be lists: each
pair is fitted on the training part and judged on the validation part, or by leaving out each
training molecule in turn (its energy and its forces together), in closed form.

What is stored are the training molecules and α: features are computed again when the model is
loaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, Self

import numpy as np
import torch
from torch import Tensor

from onekcal.data.dataset import Columns, Dataset
from onekcal.errors import ConfigError, InputError
from onekcal.features.fchl import Environments, environments, environments_and_gradients
from onekcal.models.kernels.fchl_fit import (
    atoms,
    check_memory,
    check_settings,
    diagonal,
    error_left_out,
    gradient_elements,
    has_forces,
    observed_in,
    own_kernel,
    relative_error,
)
from onekcal.models.kernels.local_kernel import (
    Atoms,
    Axes,
    Projected,
    matvec,
    rectangular,
    symmetric,
)
from onekcal.models.kernels.packed_cholesky import check_rows, explained, solve
from onekcal.models.model import Model, State
from onekcal.molecules import Molecules

BLOCK = 512
"""Molecules predicted at a time."""
GRADIENT_BYTES = 256 * 2**20
"""Of feature gradients held at a time, where not all are needed at once."""


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
        self.sigmas = [sigma] if isinstance(sigma, (int, float)) else list(sigma)
        self.regularizations = (
            [regularization] if isinstance(regularization, (int, float)) else list(regularization)
        )
        positive = {
            "sigma": min(self.sigmas),
            "regularization": min(self.regularizations),
            "rcut (Å)": rcut,
            "acut (Å)": acut,
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
        self.padded_to = 0
        self.elements: list[int] = []
        self.weights = np.zeros(0)  # (N,) or (N + 3A,) α, kcal/mol and kcal/mol·Å
        self.factor: np.ndarray | None = None  # packed
        self.amplitude = 0.0  # yᵀα/rows
        self.trained: Molecules | None = None
        # training environments, for the kernel of energies and for its derivatives
        self._near: tuple[Axes, Projected] | None = None
        self._known: tuple[Environments, np.ndarray] | None = None

    def fit(self, train: Dataset, valid: Dataset) -> Self:
        """Exact solve; where several σ or λ are given, with the pair of the lowest error
        (`choose`).
        """
        self.padded_to = int(train.molecules.sizes.max())
        self.elements = train.molecules.elements
        forces = has_forces(train, self.wants_forces)
        check_memory(
            len(train),
            self.padded_to,
            len(self.elements),
            atoms=len(train.molecules.numbers) * forces,
        )
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
        """The settings that `fit` took, for a fit to more data."""
        return {"sigma": self.sigma, "regularization": self.regularization}

    def _chosen(self, train: Dataset, valid: Dataset, forces: bool) -> tuple[float, float]:
        """σ and λ of the lowest error: of energies, plus of forces where they are fitted, each
        over its spread.
        """
        if self.choose == "valid" and not len(valid):
            raise ConfigError(
                "fchl_kernel: several values of sigma or regularization need a validation part to "
                "choose on, or choose: loo"
            )
        rows = (1 + 3 * train.molecules.sizes * forces).cumsum(0)  # (N,)
        part = train[: max(2, int((rows <= self.choose_on).sum()))]
        check_memory(
            len(part),
            self.padded_to,
            len(self.elements),
            copies=1 + (len(self.regularizations) > 1),
            atoms=len(part.molecules.numbers) * forces,
        )
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

    @property
    def fits_forces(self) -> bool:
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
        from kernelforge import local_kernels

        known, pulls = self._learned()
        asked = self._features(molecules)
        weights = self.weights[: len(known.sizes)]
        others = (asked.charges, known.charges, asked.sizes, known.sizes, self.sigma)
        return torch.from_numpy(
            local_kernels.kernel_gaussian_local_matvec(
                asked.features, known.features, weights, *others
            )
            + local_kernels.kernel_gaussian_local_jacobian_t_matvec(
                asked.features, known.features, pulls, *others
            )
        )

    def forces(self, molecules: Molecules, columns: Columns | None = None) -> Tensor:
        """(A, 3) kcal/mol/Å, analytic."""
        from kernelforge import local_kernels

        known, pulls = self._learned()
        out = [np.zeros(0)]
        for _, asked, gradients in self._with_gradients(molecules):
            _, slopes = local_kernels.kernel_gaussian_local_full_matvec(
                asked.features,
                gradients,
                known.features,
                pulls,
                self.weights[: len(known.sizes)],
                asked.charges,
                known.charges,
                asked.sizes,
                known.sizes,
                self.sigma,
            )  # (3 × atoms,)
            out.append(-slopes)
        return torch.from_numpy(np.concatenate(out).reshape(-1, 3))

    def variance(self, molecules: Molecules) -> Tensor:
        """(M,) kcal²/mol² posterior variance of the energy, without the noise λ; needs
        `keep_factor`.
        """
        self._learned_from()
        if self.factor is None:
            raise InputError(
                "the variance needs the Cholesky factor, which this kernel did not keep; fit it "
                "with keep_factor: true"
            )
        out = [np.zeros(0)]
        for first in range(0, len(molecules), BLOCK):
            some = molecules[first : first + BLOCK]
            asked = self._features(some)
            cross = [
                rectangular(*self._projected(some)).numpy(),
                *(self._slopes(asked) if self.fits_forces else []),
            ]
            prior = np.array([own_kernel(asked, m, self.sigma) for m in range(len(asked.sizes))])
            out.append(prior - explained(self.factor, np.concatenate(cross, axis=1)))
        return torch.from_numpy(self.amplitude * np.concatenate(out).clip(min=0.0))

    def _slopes(self, asked: Environments) -> Iterator[np.ndarray]:
        """(M, 3·atoms) derivatives of the kernel by the positions of a few training molecules at a
        time.
        """
        from kernelforge import local_kernels

        for _, some, gradients in self._with_gradients(self._learned_from()):
            yield local_kernels.kernel_gaussian_jacobian(
                asked.features,
                some.features,
                gradients,
                asked.charges,
                some.charges,
                asked.sizes,
                some.sizes,
                self.sigma,
            )

    def _packed_kernel(self, molecules: Molecules, forces: bool) -> np.ndarray:
        """K of the training molecules, packed."""
        from kernelforge import local_kernels

        self._near = None
        if not forces:
            self._near = self._axes(molecules)
            return symmetric(self._near[1])
        found, gradients = self._features_and_gradients(molecules)
        return local_kernels.kernel_gaussian_full_symm_rfp(
            found.features, gradients, found.charges, found.sizes, self.sigma
        )

    def _projected(self, molecules: Molecules) -> tuple[Projected, Projected]:
        """Environments of these molecules, and of the training molecules."""
        if self._near is None:
            self._near = self._axes(self._learned_from())
        axes, known = self._near
        return axes.project(self._atoms(molecules), len(molecules)), known

    def _axes(self, molecules: Molecules) -> tuple[Axes, Projected]:
        """Axes of training molecules, and their environments along these."""
        blocks = list(self._atoms(molecules))
        axes = Axes(blocks, len(self.elements), self.sigma)
        return axes, axes.project(blocks, len(molecules))

    def _atoms(self, molecules: Molecules) -> Iterator[Atoms]:
        """Features without padding, a few molecules at a time."""
        for first in range(0, len(molecules), BLOCK):
            yield atoms(self._features(molecules[first : first + BLOCK]), self.elements, first)

    def _learned(self) -> tuple[Environments, np.ndarray]:
        """Training environments, and Σ_r ∂x/∂r α'_r (N, n, d): what the weights of forces come to
        in feature space.
        """
        from kernelforge import local_kernels

        trained = self._learned_from()
        if self._known is None:
            known = self._features(trained)
            pulls = np.zeros_like(known.features)
            if self.fits_forces:
                first = len(known.sizes) + 3 * trained.offsets.numpy()
                for rows, some, gradients in self._with_gradients(trained):
                    weights = self.weights[first[rows.start] : first[rows.stop]]
                    pulls[rows] = local_kernels.kernel_gaussian_local_compute_alpha_desc(
                        gradients, some.charges, some.sizes, weights
                    )
            self._known = known, pulls
        return self._known

    def _learned_from(self) -> Molecules:
        if self.trained is None:
            raise InputError("this kernel is not fitted yet; call fit(train, valid) first")
        return self.trained

    def _features(self, molecules: Molecules) -> Environments:
        return environments(molecules, self.elements, self._room(molecules), **self.basis)

    def _features_and_gradients(self, molecules: Molecules) -> tuple[Environments, np.ndarray]:
        return environments_and_gradients(
            molecules, self.elements, self._room(molecules), **self.basis
        )

    def _room(self, molecules: Molecules) -> int:
        """Atoms features are padded to: those of the largest molecule, trained on or asked for."""
        return max([self.padded_to, *molecules.sizes.tolist()])

    def _with_gradients(
        self, molecules: Molecules
    ) -> Iterator[tuple[slice, Environments, np.ndarray]]:
        """A few molecules at a time: which, their features, the gradients of these."""
        each = 8 * gradient_elements(1, self._room(molecules), len(self.elements))
        block = max(1, int(GRADIENT_BYTES / each))
        for first in range(0, len(molecules), block):
            rows = slice(first, min(first + block, len(molecules)))
            yield rows, *self._features_and_gradients(molecules[rows])

    def state(self) -> State:
        assert self.trained is not None
        state = {
            "numbers": self.trained.numbers,
            "positions": self.trained.positions,
            "offsets": self.trained.offsets,
            "weights": torch.from_numpy(np.array(self.weights)),
            "sigma": torch.tensor(self.sigma, dtype=torch.float64),
            "elements": torch.tensor(self.elements),
            "padded_to": torch.tensor(self.padded_to),
        }
        if self.factor is not None:
            state["factor"] = torch.from_numpy(self.factor)
            state["amplitude"] = torch.tensor(self.amplitude, dtype=torch.float64)
        return state

    def load_state(self, state: State) -> Self:
        self.trained = Molecules(state["numbers"], state["positions"], state["offsets"])
        self.weights, self.sigma = state["weights"].numpy(), float(state["sigma"])
        self.elements, self.padded_to = state["elements"].tolist(), int(state["padded_to"])
        if "factor" in state:
            self.factor, self.amplitude = state["factor"].numpy(), float(state["amplitude"])
        self._near = self._known = None
        return self
