r"""Bond correction: what bonds, atoms and neighbours add to a model's energies, from experiment.

    ΔE(molecule) = Σ_k  n_k · c_k

n_k are the counts of `features/bond_counts.py` at the geometry, c_k one number in kcal/mol each.
As a last stage it is fitted to what the earlier ones left, ΔfH(experiment) − ΔfH(model). That
equals the difference of the energies relative to free atoms, for all other terms of the two are the
same. The fit is a robust ridge over molecules m of uncertainty u_m, with σ_m = max(u_m, floor):

    min over c   Σ_m h_m (y_m − Σ_k n_mk c_k)² / σ_m²  +  λ Σ_k c_k²
    h_m = min(1, t s / |e_m|),   e_m = (y_m − Σ_k n_mk c_k) / σ_m,   s = 1.4826 median |e_m|

Huber's h_m is found by iteration. It keeps single wrong experiments from moving the coefficients.

Corrections of this form: Petersson, Malick, Wilson, Ochterski, Montgomery, Frisch, J. Chem. Phys.
109, 10570 (1998), one number for each type of bond; Anantharaman, Melius, J. Phys. Chem. A 109,
1734 (2005), with lengths and neighbours.

Deviations from both: types of bonds are pairs of elements, and their order enters as a number from
the length; the ridge; Huber's weights; no term for the spin.
"""

from __future__ import annotations

from typing import Literal, Self

import torch
from torch import Tensor

from onekcal.data.dataset import Columns, Dataset
from onekcal.errors import ConfigError, unknown
from onekcal.features.bond_counts import Kind, What, bond_counts
from onekcal.models.model import Model, State
from onekcal.molecules import Molecules

Counts = Literal["bonds", "bonds and atoms", "bonds, atoms and neighbours"]
COUNTED: dict[str, tuple[What, ...]] = {
    "bonds": ("bond", "order"),
    "bonds and atoms": ("bond", "order", "atom"),
    "bonds, atoms and neighbours": ("bond", "order", "atom", "neighbours"),
}
ROUNDS, SETTLED = 100, 1e-9
"""Huber's weights are renewed until no coefficient (kcal/mol) moves by more, or so often."""


class BondCorrection(Model):
    """A sum over bonds, atoms and neighbours, fitted to experiment; a last stage.

    A lone atom has none. The corrections of two far molecules add up. What no training molecule
    has adds nothing.

    Parameters
    ----------
    counts
        What is counted: "bonds" (each with its order), "bonds and atoms", or "bonds, atoms and
        neighbours".
    regularization
        λ, mol²/kcal². A coefficient is taken to be about 1/√λ kcal/mol where the data say nothing.
    floor
        kcal/mol. A smaller uncertainty counts as this one, the error of the form itself.
    threshold
        t of Huber's weights, in standard deviations: larger errors pull as if they were this large.
    """

    differentiable = True

    def __init__(
        self,
        counts: Counts = "bonds and atoms",
        regularization: float = 5.0,
        floor: float = 0.3,
        threshold: float = 1.5,
    ) -> None:
        if counts not in COUNTED:
            unknown("counts", counts, COUNTED, ConfigError)
        for name, value in (
            ("regularization", regularization),
            ("floor", floor),
            ("threshold", threshold),
        ):
            if not value > 0:
                raise ConfigError(f"bond_correction: `{name}` must be above 0, got {value}")
        self.counts: Counts = counts
        self.regularization = regularization
        self.floor, self.threshold = floor, threshold
        self.kinds: list[Kind] = []
        self.coefficients = torch.zeros(0, dtype=torch.float64)  # (k,) kcal/mol
        self.trust = torch.zeros(0, dtype=torch.float64)
        """(M,) Huber's weight of each training molecule after the fit; not stored."""

    @property
    def settings(self) -> dict[str, object]:
        """The keyword arguments that make an equal one, unfitted."""
        return {
            "counts": self.counts,
            "regularization": self.regularization,
            "floor": self.floor,
            "threshold": self.threshold,
        }

    def fit(self, train: Dataset, valid: Dataset) -> Self:
        """Fit the coefficients; `valid` is not used.

        Raises
        ------
        DataError
            An uncertainty is negative or no number.
        """
        counts, self.kinds = bond_counts(train.molecules, COUNTED[self.counts])
        sigma = self._sigma(train)
        self.coefficients, self.trust = robust_ridge(
            counts, train.energies, sigma, self.regularization, self.threshold
        )
        return self

    def _sigma(self, data: Dataset) -> Tensor:
        sigma = data.uncertainties
        if sigma is None:
            return torch.full((len(data),), self.floor, dtype=torch.float64)
        return sigma.to(torch.float64).clamp(min=self.floor)

    def energies(self, molecules: Molecules, columns: Columns | None = None) -> Tensor:
        """(M,) kcal/mol."""
        counts, _ = bond_counts(molecules, COUNTED[self.counts], self.kinds)
        return counts @ self.coefficients

    def state(self) -> State:
        """Return the kinds and their coefficients."""
        kinds = torch.tensor(self.kinds, dtype=torch.int64).reshape(-1, 4)
        return {"kinds": kinds, "coefficients": self.coefficients}

    def load_state(self, state: State) -> Self:
        """Take back what `state` returned."""
        self.kinds = [(a, b, c, d) for a, b, c, d in state["kinds"].tolist()]
        self.coefficients = state["coefficients"]
        return self


def robust_ridge(
    counts: Tensor, target: Tensor, sigma: Tensor, regularization: float, threshold: float
) -> tuple[Tensor, Tensor]:
    """Solve the robust ridge in the head of this file.

    Parameters
    ----------
    counts
        (M, k).
    target, sigma
        (M,) kcal/mol.
    regularization
        λ, mol²/kcal².
    threshold
        t of Huber's weights.

    Returns
    -------
    tuple of Tensor
        Coefficients (k,) kcal/mol and Huber's weights (M,).
    """
    target, trust = target.to(torch.float64), torch.ones_like(sigma)
    ridge = regularization * torch.eye(counts.shape[1], dtype=torch.float64)
    coefficients = torch.zeros(counts.shape[1], dtype=torch.float64)
    for _ in range(ROUNDS):
        weighted = counts * (trust / sigma.square())[:, None]
        before = coefficients
        coefficients = torch.linalg.solve(weighted.T @ counts + ridge, weighted.T @ target)
        errors = ((target - counts @ coefficients) / sigma).abs()
        scale = 1.4826 * errors.median() if len(errors) else errors.sum()
        trust = (threshold * scale / errors.clamp(min=1e-12)).clamp(max=1.0)
        if len(before) == 0 or float((coefficients - before).abs().amax()) < SETTLED:
            break
    return coefficients, trust
