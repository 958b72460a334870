r"""Low-rank kernel ridge regression on atomic environments: all of QM9, with forces, on a laptop.

    E = Σ_a Σ_j δ(Z_a, Z_j) w_j k(x_a, z_j)             k(x, z) = exp(−|x − z|² / 2σ²)

with m landmark environments z_j instead of every environment of every training molecule. x is
FCHL19 projected, element by element, on its leading principal components. K is the landmarks' own
kernel.

    Φ_ij = Σ_{a∈i} k(x_a, z_j)
    w = argmin Σ_i p_i (y − Φw)_i² + λ wᵀKw  (+ ρ |F + ∂Φ/∂R w|²  where there are forces F)
    var E = s² φᵀ(ΦᵀΦ + λK)⁻¹φ + s²/λ (k(A, A) − φᵀK⁻¹φ)

p_i is 1, or s_y² / (s_y² + u_i²) for a label of an uncertainty u_i of its own (`label_noise`).

These are mean and variance of the projected process (Quiñonero-Candela & Rasmussen, JMLR 6, 1939,
2005). They are computed in the basis L⁻¹Φᵀ, K = LLᵀ, in blocks, so that memory grows with the
number N of molecules only by their projected features. The time of a fit grows as N·m². Landmarks
are found by randomly pivoted Cholesky (`landmarks.py`). FCHL19: Christensen et al., J. Chem. Phys.
152, 044107 (2020).

σ and λ may be lists. Both are chosen on the validation part, σ in a smaller problem. Landmarks and
projections are rounded to float16 before the fit: the file is small, and saving loses nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Self

import torch
from torch import Tensor

from onekcal.data.dataset import Columns, Dataset
from onekcal.errors import ConfigError, DataError, InputError
from onekcal.models.kernels import low_rank
from onekcal.models.kernels.landmark_kernel import (
    RARE,
    molecule_kernel,
    own_kernel,
    pools,
    slopes,
    spans_of,
    turn,
)
from onekcal.models.kernels.landmarks import choose
from onekcal.models.kernels.projected_features import ProjectedFeatures, features_of
from onekcal.models.kernels.unexplained import unexplained
from onekcal.models.limits import as_list, check_positive
from onekcal.models.model import Model, State
from onekcal.molecules import Molecules

BLOCK = 1024
"""Equations at a time in a fit."""
SAMPLE = 4000
"""Molecules whose environments give the principal components."""
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
    electronic
        Weight of what GFN2-xTB knows of each atom (`onekcal.features.electrons`) beside its
        geometry, in standard deviations among the atoms of its element. 0 leaves it out. 0.5 is
        good for what is learned on GFN2-xTB. Forces are then differences.
    label_noise
        s_y, kcal/mol: the deviation that every label has. Labels for which the column
        `<target>_uncertainty` has more count less. 0: all count alike.
    """

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
        electronic: float = 0.0,
        label_noise: float = 0.0,
    ) -> None:
        self.sigmas, self.regularizations = as_list(sigma), as_list(regularization)
        check_positive("sparse_kernel", {"sigma": sigma, "regularization": regularization})
        check_positive("sparse_kernel", {"landmarks": landmarks, "dims": dims})
        for name, value in (
            ("`force_weight` (Å²)", force_weight),
            ("`electronic`", electronic),
            ("`label_noise` (kcal/mol)", label_noise),
        ):
            if value < 0:
                raise ConfigError(f"sparse_kernel: {name} must not be negative, got {value}")
        self.landmarks, self.dims = landmarks, dims
        self.basis = {"rcut": rcut, "acut": acut, **(basis or {})}
        features_of((), self.basis)  # refuses what cannot be
        self.electronic, self.differentiable = electronic, electronic == 0
        self.label_noise = label_noise
        self.force_weight, self.seed = force_weight, seed
        self.sigma, self.regularization = self.sigmas[0], self.regularizations[0]
        self.projection: ProjectedFeatures | None = None
        self.known = torch.zeros(0)  # (m, dims) landmarks, in units of σ, sorted by element
        self.counts: list[int] = []  # landmarks of each element
        self.weights = torch.zeros(0)  # (m,) kcal/mol
        self.noise = math.nan  # kcal²/mol², maximum likelihood
        # L, and the Cholesky factor of L⁻¹ΦᵀΦL⁻ᵀ + λ: for the variance
        self._factors: tuple[Tensor, Tensor] | None = None

    @property
    def chosen(self) -> dict[str, float]:  # type: ignore[override]
        """The σ and λ that `fit` took, for a fit to more data."""
        return {"sigma": self.sigma, "regularization": self.regularization}

    # --- fitting ------------------------------------------------------------------------------

    def fit(self, train: Dataset, valid: Dataset) -> Self:
        """Choose landmarks and solve for their weights; `valid` decides among lists."""
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
        draw = torch.Generator().manual_seed(self.seed)
        order = torch.randperm(len(train), generator=draw)
        has = molecules.composition(molecules.elements)[order] > 0  # (M, elements)
        rare = [order[own][:RARE] for own in has.T] + [order[turn(molecules.sizes[order]) < RARE]]
        self.projection = ProjectedFeatures.found_on(
            features_of(molecules.elements, self.basis),
            molecules[torch.cat([order[:SAMPLE], *rare]).unique()],
            self.dims,
            self.electronic,
        )
        known = self.projection.rounded(molecules)
        asked = self.projection.rounded(valid.molecules[: len(valid) * self._several])
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
        if self.force_weight == 0 or train.forces is None:
            return None
        if self.electronic:
            raise ConfigError(
                "sparse_kernel: `electronic` has no slopes to fit forces with; say "
                "`force_weight: 0` or `electronic: 0`"
            )
        return train.forces

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
        """Landmarks and weights for one σ and the best λ; the validation error, kcal/mol, or 0."""
        self.sigma = sigma
        lower = self._place_landmarks(train.molecules, known, count, draw)
        gram, right, square, equations = low_rank.normal_equations(
            self._equations(train, known), lower, self._spans()
        )
        solved, factor = low_rank.solutions(gram, right, self.regularizations, "sparse_kernel")
        inner = torch.cat(list(solved.values()), 1)  # (m, λ)
        weights = torch.linalg.solve_triangular(lower.T, inner, upper=True)
        best, error = 0, 0.0
        if self._several:
            rows = [rows @ weights for _, rows in self._rows(valid.molecules, asked)]
            guess = torch.cat(rows)  # (M, λ)
            errors = (guess - valid.energies[:, None]).abs().mean(0)
            best, error = int(errors.argmin()), float(errors.min())
        self.weights, self.regularization = weights[:, best].contiguous(), list(solved)[best]
        if len(self.regularizations) > 1:
            factor = low_rank.cholesky(gram, self.regularization)
        assert factor is not None
        self._factors = (lower, factor)
        self.noise = max(float(square - right @ inner[:, best]), 0.0) / equations
        return error

    def _place_landmarks(
        self, molecules: Molecules, known: Tensor, count: int, draw: torch.Generator
    ) -> Tensor:
        """Choose landmarks among the environments; the Cholesky factor L of their kernel (m, m)."""
        features = self._fitted().features
        order = torch.randperm(len(known), generator=draw)
        sizes = molecules.sizes[molecules.owner]
        rows_of = pools(features.kinds(molecules), sizes, order, len(features.elements))
        points = [known[own].double() / self.sigma for own in rows_of]
        rows = choose(points, count, draw)
        self.counts = [len(own) for own in rows]
        self.known = torch.cat([x[own] for x, own in zip(points, rows)]).half()
        # where float16 does not hold them, the processor decides which entries are numbers
        held = bool(self.known.isfinite().all())
        lower = low_rank.kernel_factor(self.known, self._spans()) if held else None
        if lower is None:
            raise ConfigError(
                "sparse_kernel: the kernel of the landmarks is not positive definite at sigma "
                f"{self.sigma:g}; take one nearer to 4"
            )
        return lower

    def _equations(self, train: Dataset, known: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Blocks of rows of √p Φ with √p y, then of −√ρ ∂Φ/∂R with √ρ F."""
        roots = train.weights(self.label_noise).sqrt()
        for first, rows in self._rows(train.molecules, known):
            block = slice(first, first + len(rows))
            yield roots[block, None] * rows, roots[block] * train.energies[block]
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

    # --- kernels ------------------------------------------------------------------------------

    def _fitted(self) -> ProjectedFeatures:
        if self.projection is None:
            raise InputError("this kernel is not fitted yet; call fit(train, valid) first")
        return self.projection

    def _spans(self) -> list[slice]:
        """The landmarks of each element."""
        return spans_of(self.counts)

    def _kernel(self, kinds: Tensor, x: Tensor, owner: Tensor, molecules: int) -> Tensor:
        """(molecules, m) Φ of environments x (A, dims) in units of σ."""
        return molecule_kernel(kinds, x, owner, molecules, self.known, self._spans())

    def _rows(self, molecules: Molecules, projected: Tensor) -> Iterator[tuple[int, Tensor]]:
        """Blocks of (first molecule, Φ)."""
        features = self._fitted().features
        for first in range(0, len(molecules), BLOCK):
            block = molecules[first : first + BLOCK]
            atoms = slice(int(molecules.offsets[first]), int(molecules.offsets[first + len(block)]))
            x = projected[atoms].double() / self.sigma
            yield first, self._kernel(features.kinds(block), x, block.owner, len(block))

    def _force_rows(self, molecule: Molecules) -> Tensor:
        """(3n, m) −∂Φ/∂R of one molecule, 1/Å."""
        kinds, x, slope = self._fitted().with_slopes(molecule)
        return slopes(kinds, x / self.sigma, slope / self.sigma, self.known, self._spans())

    # --- asking -------------------------------------------------------------------------------

    def energies(self, molecules: Molecules, columns: Columns | None = None) -> Tensor:
        """(M,) kcal/mol, with the graph of the positions."""
        out = [torch.zeros(0, dtype=torch.float64)]
        for x, kinds, block in self.environments(molecules):
            out.append(self._kernel(kinds, x, block.owner, len(block)) @ self.weights)
        return torch.cat(out)

    def atomic_energies(self, molecules: Molecules) -> Tensor:
        """(A,) kcal/mol: what each atom's environment adds; they sum to the energies."""
        out = [torch.zeros(0, dtype=torch.float64)]
        with torch.no_grad():
            for x, kinds, _ in self.environments(molecules):
                own = torch.arange(len(kinds))  # each atom as a molecule of its own
                out.append(self._kernel(kinds, x, own, len(kinds)) @ self.weights)
        return torch.cat(out)

    def environments(self, molecules: Molecules) -> Iterator[tuple[Tensor, Tensor, Molecules]]:
        """Give blocks of environments in units of σ (A, dims), their kinds (A,) and molecules."""
        for block, kinds, x in self._fitted().blocks(molecules):
            yield x / self.sigma, kinds, block

    def novelty(self, molecules: Molecules) -> Tensor:
        """(M,) root mean share of the atoms that the landmarks do not explain: 0 to 1, or ∞."""
        return (molecules.sum_atoms(self.unexplained(molecules)) / molecules.sizes).sqrt()

    def unexplained(self, molecules: Molecules) -> Tensor:
        """(A,) the share of each atom that the nearest landmarks do not explain, 0 to 1, or ∞."""
        out = [torch.zeros(0, dtype=torch.float64)]
        with torch.no_grad():
            for x, kinds, _ in self.environments(molecules):
                out.append(unexplained(kinds, x, self.known, self._spans()))
        return torch.cat(out)

    def variance(self, molecules: Molecules) -> Tensor:
        """(M,) kcal²/mol² posterior variance of the energy, without the noise s² of a label.

        The noise is found by maximum likelihood. A fit in this process or `recall` leaves factors.
        """
        if self._factors is None:
            raise InputError(
                "the posterior variance needs the factors of the fit, which are not saved; fit it "
                "again in this process, or call recall(molecules) with its training molecules"
            )
        lower, factor = self._factors
        out = [torch.zeros(0, dtype=torch.float64)]
        with torch.no_grad():
            for first in range(0, len(molecules), BLOCK):  # whitening copies the factor each time
                few = self.environments(molecules[first : first + BLOCK])
                each = [(kinds, x, block.owner, len(block)) for x, kinds, block in few]
                phi = torch.cat([self._kernel(*one) for one in each])
                own = torch.cat([own_kernel(*one) for one in each])
                rows = low_rank.whitened(phi, lower, self._spans())
                out.append(low_rank.posterior(rows, factor, own, self.regularization))
        return self.noise * torch.cat(out)

    def recall(self, molecules: Molecules, share: float = 1.0) -> None:
        """Compute again the factors that `variance` needs, of energies that all count alike.

        Parameters
        ----------
        molecules
            The training molecules, or some of them drawn at random.
        share
            The share of the training molecules that they are.
        """
        rows = self._rows(molecules, self._fitted().rounded(molecules))
        blocks = ((phi, phi.new_zeros(len(phi))) for _, phi in rows)
        lower = low_rank.kernel_factor(self.known, self._spans())
        assert lower is not None  # it was factorised in the fit
        gram = low_rank.normal_equations(blocks, lower, self._spans()).gram
        factor = low_rank.cholesky(gram.div_(share), self.regularization)
        assert factor is not None
        self._factors = (lower, factor)

    # --- keeping ------------------------------------------------------------------------------

    def state(self) -> State:
        """Return projections, landmarks, their weights, and the σ and λ that were taken."""
        projection = self._fitted()
        return {
            "elements": torch.tensor(projection.features.elements),
            "middle": projection.middle,
            "axes": projection.axes,
            "known": self.known,
            "counts": torch.tensor(self.counts),
            "weights": self.weights,
            "chosen": torch.tensor([self.sigma, self.regularization], dtype=torch.float64),
            "noise": torch.tensor(self.noise, dtype=torch.float64),
        }

    def load_state(self, state: State) -> Self:
        """Take back what `state` returned."""
        features = features_of(state["elements"].tolist(), self.basis)
        self.projection = ProjectedFeatures(
            features, state["middle"], state["axes"], self.electronic
        )
        self.known = state["known"]
        self.counts, self.weights = state["counts"].tolist(), state["weights"]
        self.sigma, self.regularization = state["chosen"].tolist()
        self.noise = float(state.get("noise", 1.0))  # kcal²/mol²; older files have none
        self._factors = None
        return self
