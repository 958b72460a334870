r"""Low-rank kernel ridge regression on atomic environments: all of QM9 on a laptop, forces
included.

    E = Σ_a Σ_j δ(Z_a, Z_j) w_j k(x_a, z_j)             k(x, z) = exp(−|x − z|² / 2σ²)

with m landmark environments z_j instead of every environment of every training molecule. x is
FCHL19 projected, element by element, on its leading principal components. With Φ_ij = Σ_{a∈i}
k(x_a, z_j) and K the landmarks' own kernel,

    w = argmin |y − Φw|² + λ wᵀKw  (+ ρ |F + ∂Φ/∂R w|²  where there are forces F)
    var E = s² φᵀ(ΦᵀΦ + λK)⁻¹φ + s²/λ (k(A, A) − φᵀK⁻¹φ)

mean and variance of the projected process (Quiñonero-Candela & Rasmussen, JMLR 6, 1939, 2005),
computed in the basis L⁻¹Φᵀ, K = LLᵀ, in blocks: memory does not grow with the number of molecules
beyond their projected features. Costs N·m² once. Landmarks by randomly pivoted Cholesky
(`landmarks.py`). FCHL19: Christensen et al., J. Chem. Phys. 152, 044107 (2020).

σ and λ may be lists: λ is chosen on the validation part, σ there too, on a smaller problem.
Landmarks and projections are rounded to float16 before the fit, so that the file is small and
nothing is lost on saving. Plain torch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import fields
from typing import Any, Self

import torch
from torch import Tensor
from torch.autograd import forward_ad

from onekcal.data.dataset import Columns, Dataset
from onekcal.errors import ConfigError, DataError, InputError, unknown
from onekcal.features.fchl_torch import Fchl19
from onekcal.models.kernels.landmark_kernel import (
    RARE,
    cholesky,
    farthest,
    kernel_factor,
    molecule_kernel,
    own_kernel,
    pools,
    principal_axes,
    slopes,
    spans_of,
    turn,
    whitened,
)
from onekcal.models.kernels.landmarks import choose
from onekcal.models.model import Model, State
from onekcal.molecules import Molecules

BLOCK = 1024
"""Equations at a time, in fitting."""
FEATURES = 64
"""Molecules at a time, where features are made."""
SAMPLE = 4000
"""Molecules the principal components are found on."""
TRIAL = 4
"""σ is chosen with this many times fewer molecules and landmarks."""


class SparseKernel(Model):
    """Local Gaussian kernel on landmarks in FCHL19 features; kcal/mol, forces in kcal/mol/Å.

    Parameters
    ----------
    sigma
        Width σ of the Gaussian; it has no unit, as the features have none. Of a list, the value of
        the lowest validation error is taken.
    regularization
        λ, without unit. Of a list, the value of the lowest validation error is taken.
    landmarks
        Number m of landmark environments, at most. The time of a fit grows as m².
    dims
        Number of principal axes of each element's features that are kept.
    rcut
        Cut-off of the features of two atoms, Å.
    acut
        Cut-off of the features of three atoms, Å.
    force_weight
        Weight ρ of the forces beside the energies, Å². 0 fits energies alone.
    seed
        Seed of all random choices, such as the landmarks.
    basis
        Parameters of the features to change, by name: `nRs2` and `nRs3` (numbers of radii), `eta2`
        (Å²), `eta3` (Å⁻²), `two_body_decay`, `three_body_decay`, `three_body_weight`. None keeps
        the published values.
    """

    differentiable = True

    def __init__(
        self,
        sigma: float | list[float] = 4.0,
        regularization: float | list[float] = 5e-5,
        landmarks: int = 6000,
        dims: int = 160,
        rcut: float = 6.0,
        acut: float = 6.0,
        force_weight: float = 1.0,
        seed: int = 0,
        basis: dict[str, float] | None = None,
    ) -> None:
        self.sigmas = [sigma] if isinstance(sigma, (int, float)) else list(sigma)
        self.regularizations = (
            [regularization] if isinstance(regularization, (int, float)) else list(regularization)
        )
        for name, value in (
            ("sigma", min(self.sigmas, default=0)),
            ("landmarks", landmarks),
            ("dims", dims),
            ("regularization", min(self.regularizations, default=0)),
        ):
            if value <= 0:
                raise ConfigError(f"sparse_kernel: `{name}` must be positive, got {value}")
        if force_weight < 0:
            raise ConfigError(
                f"sparse_kernel: `force_weight` (Å²) must not be negative, got {force_weight}"
            )
        self.landmarks, self.dims = landmarks, dims
        self.settings: dict[str, Any] = {"rcut": rcut, "acut": acut, **(basis or {})}
        known = [each.name for each in fields(Fchl19) if each.name != "elements"]
        for name in self.settings:
            if name not in known:
                unknown("parameter of the FCHL19 basis", name, known, ConfigError)
        Fchl19((), **self.settings)  # refuses what is not positive
        self.force_weight, self.seed = force_weight, seed
        self.sigma, self.regularization = self.sigmas[0], self.regularizations[0]
        self.features: Fchl19 | None = None
        self.middle = torch.zeros(0)  # (elements, d) what is subtracted from the features
        self.axes = torch.zeros(0)  # (elements, d, dims) principal axes
        self.known = torch.zeros(0)  # (m, dims) landmarks, in units of σ, sorted by element
        self.counts: list[int] = []  # landmarks of each element
        self.weights = torch.zeros(0)  # (m,) kcal/mol
        self.noise = math.nan  # kcal²/mol², maximum likelihood
        # L, and the Cholesky factor of L⁻¹ΦᵀΦL⁻ᵀ + λ: for the variance
        self._factors: tuple[Tensor, Tensor] | None = None

    @property
    def chosen(self) -> dict[str, Any]:  # type: ignore[override]
        """The settings a fit chose out of lists."""
        return {"sigma": self.sigma, "regularization": self.regularization}

    # --- fitting ------------------------------------------------------------------------------

    def fit(self, train: Dataset, valid: Dataset) -> Self:
        if self._several and not len(valid):
            raise ConfigError(
                "sparse_kernel: several values of sigma or regularization need a validation part "
                "to choose on"
            )
        forces = self._forces_of(train)
        if forces is not None and not forces.isfinite().all():
            raise DataError(
                f"not all forces in '{train.target}_forces' are finite; "
                "drop these molecules or say `force_weight: 0`"
            )
        molecules = train.molecules
        self.features = Fchl19(tuple(molecules.elements), **self.settings)
        draw = torch.Generator().manual_seed(self.seed)
        order = torch.randperm(len(train), generator=draw)
        has = molecules.composition(molecules.elements)[order] > 0  # (M, elements)
        rare = [order[own][:RARE] for own in has.T] + [order[turn(molecules.sizes[order]) < RARE]]
        self._find_axes(molecules[torch.cat([order[:SAMPLE], *rare]).unique()])
        known, asked = (
            self._projected(molecules),
            self._projected(valid.molecules[: len(valid) * self._several]),
        )
        if len(self.sigmas) > 1:
            few = order[: max(len(train) // TRIAL, 1)]
            part, atoms = train[few], molecules.atoms_of(few)
            count = max(self.landmarks // TRIAL, 1)
            errors = [
                self._solve(part, known[atoms], valid, asked, sigma, count, draw)
                for sigma in self.sigmas
            ]
            self.sigma = self.sigmas[errors.index(min(errors))]
        self._solve(train, known, valid, asked, self.sigma, self.landmarks, draw)
        return self

    @property
    def _several(self) -> bool:
        return len(self.sigmas) > 1 or len(self.regularizations) > 1

    def _forces_of(self, train: Dataset) -> Tensor | None:
        """(A, 3) kcal/mol/Å, where there are any and they are to be fitted."""
        return train.forces if self.force_weight > 0 else None

    def _solve(
        self,
        train: Dataset,
        known: Tensor,
        valid: Dataset,
        asked: Tensor,
        sigma: float,
        count: int,
        draw: torch.Generator,
    ) -> float:
        """Landmarks and weights for one σ and the best λ; the validation error (kcal/mol) where
        there is a choice.
        """
        self.sigma = sigma
        lower = self._place_landmarks(train.molecules, known, count, draw)
        gram, right, square, equations = self._normal_equations(train, known, lower)
        solved = {}
        for regularization in self.regularizations:
            factor = cholesky(gram, regularization)
            if factor is not None:
                solved[regularization] = torch.cholesky_solve(right[:, None], factor)
        if not solved:
            raise ConfigError(
                f"sparse_kernel: the equations of {len(gram):,} landmarks are not positive "
                f"definite at regularization {max(self.regularizations):g}; raise it"
            )
        inner = torch.cat(list(solved.values()), 1)  # (m, λ)
        weights = torch.linalg.solve_triangular(lower.T, inner, upper=True)
        best, error = 0, 0.0
        if self._several:
            guess = torch.cat(
                [rows @ weights for _, rows in self._rows(valid.molecules, asked)]
            )  # (M, λ)
            errors = (guess - valid.energies[:, None]).abs().mean(0)
            best, error = int(errors.argmin()), float(errors.min())
        self.weights, self.regularization = weights[:, best].contiguous(), list(solved)[best]
        if len(self.regularizations) > 1:
            factor = cholesky(gram, self.regularization)
        assert factor is not None
        self._factors = (lower, factor)
        self.noise = max(float(square - right @ inner[:, best]), 0.0) / equations
        return error

    def _find_axes(self, molecules: Molecules) -> None:
        """Mean and principal axes of each element's features."""
        assert self.features is not None
        blocks = ((kinds, x) for _, kinds, x in self._raw(molecules))
        count, size = len(self.features.elements), self.features.size
        mean, axes = principal_axes(blocks, count, size, min(self.dims, size))
        self.middle, self.axes = mean.half(), axes.half().contiguous()

    def _place_landmarks(
        self, molecules: Molecules, known: Tensor, count: int, draw: torch.Generator
    ) -> Tensor:
        """Choose landmarks among the environments; the Cholesky factor L of their kernel (m, m)."""
        assert self.features is not None
        order = torch.randperm(len(known), generator=draw)
        sizes = molecules.sizes[molecules.owner]
        rows_of = pools(self._kinds(molecules), sizes, order, len(self.features.elements))
        points = [known[own].double() / self.sigma for own in rows_of]
        rows = choose(points, count, draw)
        self.counts = [len(own) for own in rows]
        self.known = torch.cat([x[own] for x, own in zip(points, rows)]).half()
        lower = kernel_factor(self.known, self._spans())
        if lower is None:  # also where a landmark is beyond what float16 holds
            raise ConfigError(
                "sparse_kernel: the kernel of the landmarks is not positive definite at sigma "
                f"{self.sigma:g}; take one nearer to 4"
            )
        return lower

    def _normal_equations(
        self, train: Dataset, known: Tensor, lower: Tensor
    ) -> tuple[Tensor, Tensor, float, int]:
        """ΦᵀΦ (m, m) and Φᵀy (m,) in the whitened basis, yᵀy, and how many equations these are."""
        gram, right, square, count = torch.zeros_like(lower), lower.new_zeros(len(lower)), 0.0, 0
        for rows, values in self._equations(train, known):
            rows = whitened(rows, lower, self._spans())
            gram.addmm_(rows.T, rows)
            right += rows.T @ values.double()
            square += float(values.double().square().sum())
            count += len(values)
        return gram, right, square, count

    def _equations(self, train: Dataset, known: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Blocks of rows of Φ with their energies, then of −√ρ ∂Φ/∂R with √ρ F."""
        for first, rows in self._rows(train.molecules, known):
            yield rows, train.energies[first : first + len(rows)]
        forces = self._forces_of(train)
        if forces is None:
            return
        root, offsets, first = math.sqrt(self.force_weight), train.molecules.offsets, 0
        blocks = torch.unique_consecutive(3 * offsets[:-1] // BLOCK, return_counts=True)[1]
        for stop in blocks.cumsum(0).tolist():
            rows = torch.cat(
                [self._force_rows(molecule) for molecule in train.molecules[first:stop]]
            )
            yield root * rows, root * forces[offsets[first] : offsets[stop]].flatten()
            first = stop

    # --- features -----------------------------------------------------------------------------

    def _kinds(self, molecules: Molecules) -> Tensor:
        assert self.features is not None
        return self.features.kinds(molecules)

    def _spans(self) -> list[slice]:
        """The landmarks of each element."""
        return spans_of(self.counts)

    def _raw(self, molecules: Molecules) -> Iterator[tuple[Molecules, Tensor, Tensor]]:
        """Blocks of molecules, their kinds (A,) and features (A, d)."""
        assert self.features is not None
        for first in range(0, len(molecules), FEATURES):
            block = molecules[first : first + FEATURES]
            yield block, self._kinds(block), self.features(block)

    def _project(self, kinds: Tensor, x: Tensor) -> Tensor:
        """(A, dims) features in the axes of each atom's element."""
        out = x.new_zeros(len(x), self.axes.shape[2])
        for kind in kinds.unique().tolist():
            own = torch.nonzero(kinds == kind).flatten()
            out = out.index_copy(
                0, own, (x[own] - self.middle[kind].to(x.dtype)) @ self.axes[kind].to(x.dtype)
            )
        return out

    def _projected(self, molecules: Molecules) -> Tensor:
        """(A, dims) float32: rounding moves an environment by 1e-7, the same for every landmark."""
        out = [torch.zeros(0, self.axes.shape[2])]
        out += [self._project(kinds, x).float() for _, kinds, x in self._raw(molecules)]
        return torch.cat(out)

    def _kernel(self, kinds: Tensor, x: Tensor, owner: Tensor, molecules: int) -> Tensor:
        """(molecules, m) Φ of environments x (A, dims) in units of σ."""
        return molecule_kernel(kinds, x, owner, molecules, self.known, self._spans())

    def _rows(self, molecules: Molecules, projected: Tensor) -> Iterator[tuple[int, Tensor]]:
        """Blocks of (first molecule, Φ)."""
        for first in range(0, len(molecules), BLOCK):
            block = molecules[first : first + BLOCK]
            atoms = slice(int(molecules.offsets[first]), int(molecules.offsets[first + len(block)]))
            x = projected[atoms].double() / self.sigma
            yield first, self._kernel(self._kinds(block), x, block.owner, len(block))

    def _force_rows(self, molecule: Molecules) -> Tensor:
        """(3n, m) −∂Φ/∂R of one molecule, 1/Å; the features' slopes by forward differentiation,
        one copy a coordinate.
        """
        assert self.features is not None
        n, kinds = len(molecule.numbers), self._kinds(molecule)
        copies = Molecules.concatenate([molecule] * (3 * n))
        with forward_ad.dual_level():
            tangent = torch.eye(3 * n, dtype=torch.float64).reshape(-1, 3)
            moving = copies.moved(forward_ad.make_dual(copies.positions, tangent))
            value, slope = forward_ad.unpack_dual(
                self._project(self._kinds(copies), self.features(moving))
            )
        x = value[:n] / self.sigma  # (n, dims)
        slope = slope.reshape(3 * n, n, -1) / self.sigma  # (3n, n, dims)
        return slopes(kinds, x, slope, self.known, self._spans())

    # --- asking -------------------------------------------------------------------------------

    def energies(self, molecules: Molecules, columns: Columns | None = None) -> Tensor:
        """(M,) kcal/mol; keeps the graph of the positions."""
        out = [torch.zeros(0, dtype=torch.float64)]
        for x, kinds, block in self._asked(molecules):
            out.append(self._kernel(kinds, x, block.owner, len(block)) @ self.weights)
        return torch.cat(out)

    def _asked(self, molecules: Molecules) -> Iterator[tuple[Tensor, Tensor, Molecules]]:
        if self.features is None:
            raise InputError("this kernel is not fitted yet; call fit(train, valid) first")
        for block, kinds, x in self._raw(molecules):
            yield self._project(kinds, x) / self.sigma, kinds, block

    def novelty(self, molecules: Molecules) -> Tensor:
        """(M,) distance of each molecule's strangest atom to its nearest landmark, in units of σ;
        ∞ where there is none.
        """
        out = [torch.zeros(0, dtype=torch.float64)]
        with torch.no_grad():
            for x, kinds, block in self._asked(molecules):
                out.append(farthest(kinds, x, block.owner, len(block), self.known, self._spans()))
        return torch.cat(out)

    def variance(self, molecules: Molecules) -> Tensor:
        """(M,) kcal²/mol² posterior variance of the energy, without the noise s², which is found
        by maximum likelihood.

        Only after a fit in this process: the factor it needs (m², hundreds of MB) is not saved.
        """
        if self._factors is None:
            raise InputError(
                "the posterior variance needs the factors of the fit, which are not saved with the "
                "model; fit it again in this process"
            )
        lower, factor = self._factors
        out = [torch.zeros(0, dtype=torch.float64)]
        with torch.no_grad():
            for x, kinds, block in self._asked(molecules):
                phi = self._kernel(kinds, x, block.owner, len(block))
                rows = whitened(phi, lower, self._spans())
                known = torch.linalg.solve_triangular(factor, rows.T, upper=False).square().sum(0)
                # far from all landmarks φ vanishes: without this term the strangest molecule would
                # be the surest
                unknown = own_kernel(kinds, x, block.owner, len(block)) - rows.square().sum(1)
                out.append(known + unknown.clamp(min=0) / self.regularization)
        return self.noise * torch.cat(out)

    # --- keeping ------------------------------------------------------------------------------

    def state(self) -> State:
        assert self.features is not None
        return {
            "elements": torch.tensor(self.features.elements),
            "middle": self.middle,
            "axes": self.axes,
            "known": self.known,
            "counts": torch.tensor(self.counts),
            "weights": self.weights,
            "chosen": torch.tensor([self.sigma, self.regularization], dtype=torch.float64),
        }

    def load_state(self, state: State) -> Self:
        self.features = Fchl19(tuple(state["elements"].tolist()), **self.settings)
        self.middle, self.axes, self.known = state["middle"], state["axes"], state["known"]
        self.counts, self.weights = state["counts"].tolist(), state["weights"]
        self.sigma, self.regularization = state["chosen"].tolist()
        self.noise, self._factors = math.nan, None
        return self
