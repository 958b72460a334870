r"""Ridge regression on products of random densities: minutes of one core for 10,000 molecules.

    E = Σ_i (e_{Z_i} + w_{Z_i} · p̂_i)
    e, w = argmin Σ_m ω_m (E_m − y_m)² + λ (|w|² + |e|²/900)

p̂_i are the products of `onekcal.features.density_products`, less their mean, in deviations among
atoms of the element (plus a tenth of that among all atoms). ω_m is 1, or s_y² / (s_y² + u_m²) for a
label of an uncertainty u_m of its own (`label_noise`). The equations XᵀX are added up block by
block. Where there are fewer molecules than weights, the dual problem is solved instead. The first
holds a few matrices (weights × weights); the dual holds X (molecules × weights) and a few matrices
(molecules × molecules).

Forces are slopes of the energy. They are not learned from.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

import torch
from torch import Tensor

from onekcal.data.dataset import Columns, Dataset
from onekcal.errors import ConfigError, InputError
from onekcal.features.density_products import DensityProducts
from onekcal.models.kernels.low_rank import solutions
from onekcal.models.limits import as_list, at_least, check_positive
from onekcal.models.model import Model, State
from onekcal.molecules import Molecules

FREE = 30.0
"""What the number of atoms counts beside products of deviation 1: λ hardly holds e_Z."""
COMMON = 0.1
"""Share of the deviation of all atoms that is added to that of an element, which may have few."""
SAMPLE = 1000
"""Molecules, drawn at random, whose atoms tell mean and deviation of the products."""
RARE = 100
"""Molecules of each element that are among them."""
BLOCK = 1024
"""Equations that are added up at a time."""
TOGETHER = 64
"""Molecules whose products are made at a time."""


class DensityRidge(Model):
    """Ridge regression on products of random densities; kcal/mol, forces in kcal/mol/Å.

    Parameters
    ----------
    densities
        Number C of random mixtures. Each element has nine weights for each. More of them need more
        molecules.
    cutoff
        r_c, Å.
    radial
        Number of radial functions.
    regularization
        λ, without unit. Of a list, the value of the lowest validation error is taken.
    electronic
        Whether products hold what GFN2-xTB knows of each atom, which is good for what is learned on
        GFN2-xTB. Forces are then differences.
    label_noise
        s_y, kcal/mol: the deviation that every label has. Labels for which the column
        `<target>_uncertainty` has more count less. 0: all count alike.
    seed
        Seed of the random mixtures.
    """

    def __init__(
        self,
        densities: int = 300,
        cutoff: float = 3.0,
        radial: int = 8,
        regularization: float | list[float] = 10.0,
        electronic: bool = False,
        label_noise: float = 0.0,
        seed: int = 0,
    ) -> None:
        at_least("density_ridge", ("densities", densities, 1), ("radial", radial, 1))
        check_positive("density_ridge", {"cutoff": cutoff}, "Å")
        check_positive("density_ridge", {"regularization": regularization})
        at_least("density_ridge", ("label_noise", label_noise, 0))
        self.densities, self.cutoff, self.radial = densities, cutoff, radial
        self.regularizations = as_list(regularization)
        self.regularization = self.regularizations[0]
        self.electronic, self.label_noise, self.seed = electronic, label_noise, seed
        self.differentiable = not electronic
        self.products: DensityProducts | None = None
        self.slopes = torch.zeros(0)  # (elements, P) kcal/mol for each product
        self.atoms = torch.zeros(0)  # (elements,) kcal/mol
        self.scale = torch.zeros(0)  # (2, elements, P) mean and deviation of the products

    @property
    def chosen(self) -> dict[str, float]:  # type: ignore[override]
        """The λ that `fit` took, for a fit to more data."""
        return {"regularization": self.regularization}

    # --- fitting ------------------------------------------------------------------------------

    def fit(self, train: Dataset, valid: Dataset) -> Self:
        """Draw mixtures and solve for the weights; `valid` decides among several λ."""
        if len(self.regularizations) > 1 and not len(valid):
            raise ConfigError(
                "density_ridge: several values of regularization need a validation part to choose "
                "on"
            )
        elements = tuple(train.molecules.elements)
        products = DensityProducts.drawn(
            elements, self.cutoff, self.densities, self.radial, self.seed
        )
        some = train.molecules[_some(train.molecules, self.seed)]
        if self.electronic:
            products = products.with_electrons(some, self.seed)
        self.products = products
        self.scale = self._measured(some)
        count = len(elements) * (products.size + 1)
        solve = _primal if len(train) > count else _dual
        solved = solve(self._equations(train), (len(train), count), self.regularizations)
        weights, best = torch.cat(list(solved.values()), 1), 0  # (count, λ)
        if len(self.regularizations) > 1:
            guess = torch.cat([rows @ weights for rows in self._rows(valid.molecules)])
            best = int((guess - valid.energies[:, None]).abs().mean(0).argmin())
        self.regularization = list(solved)[best]
        weights = weights[:, best].view(len(elements), -1)
        middle, width = self.scale
        self.slopes = weights[:, :-1] / width
        self.atoms = FREE * weights[:, -1] - (self.slopes * middle).sum(1)
        return self

    def _measured(self, molecules: Molecules) -> Tensor:
        """(2, elements, P) mean and deviation of the products of each element's atoms."""
        known = self._known()
        count = torch.zeros(len(known.elements), 1, dtype=torch.float64)
        first, second = (count.new_zeros(len(count), known.size) for _ in range(2))
        for block in _blocks(molecules):
            kinds, p = known.kinds(block), known(block)
            count.index_add_(0, kinds, torch.ones(len(kinds), 1, dtype=torch.float64))
            first.index_add_(0, kinds, p)
            second.index_add_(0, kinds, p.square())
        middle = first / count
        all_middle = first.sum(0) / count.sum()
        all_width = (second.sum(0) / count.sum() - all_middle.square()).clamp(min=0).sqrt()
        width = (second / count - middle.square()).clamp(min=0).sqrt() + COMMON * all_width
        return torch.stack([middle, torch.where(width > 0, width, 1.0)])

    def _equations(self, train: Dataset) -> Iterator[tuple[Tensor, Tensor]]:
        """Blocks of rows of √p X with √p y."""
        roots, first = train.weights(self.label_noise).sqrt(), 0
        for rows in self._rows(train.molecules):
            part = slice(first, first + len(rows))
            yield roots[part, None] * rows, roots[part] * train.energies[part]
            first += len(rows)

    def _rows(self, molecules: Molecules) -> Iterator[Tensor]:
        """X (M, elements·(P + 1)), what the energies are linear in, in blocks."""
        known = self._known()
        count = len(known.elements)
        for first in range(0, len(molecules), BLOCK):
            kept = []
            for block in _blocks(molecules[first : first + BLOCK]):
                kinds = known.kinds(block)
                middle, width = self.scale[:, kinds]
                p = (known(block) - middle) / width
                p = torch.cat([p, torch.full_like(p[:, :1], FREE)], 1)
                sums = p.new_zeros(len(block) * count, p.shape[1])
                sums.index_add_(0, block.owner * count + kinds, p)
                kept.append(sums.view(len(block), -1))
            yield torch.cat(kept)

    def _known(self) -> DensityProducts:
        if self.products is None:
            raise InputError("this model is not fitted yet; call fit(train, valid) first")
        return self.products

    # --- asking -------------------------------------------------------------------------------

    def energies(self, molecules: Molecules, columns: Columns | None = None) -> Tensor:
        """(M,) kcal/mol, with the graph of the positions."""
        out = [torch.zeros(0, dtype=torch.float64)]
        out += [block.sum_atoms(self._of_atoms(block)) for block in _blocks(molecules)]
        return torch.cat(out)

    def atomic_energies(self, molecules: Molecules) -> Tensor:
        """(A,) kcal/mol: what each atom adds; they sum to the energies."""
        out = [torch.zeros(0, dtype=torch.float64)]
        with torch.no_grad():
            out += [self._of_atoms(block) for block in _blocks(molecules)]
        return torch.cat(out)

    def _of_atoms(self, molecules: Molecules) -> Tensor:
        """(A,) kcal/mol of a few molecules."""
        known = self._known()
        kinds = known.kinds(molecules)
        return (known(molecules) * self.slopes[kinds]).sum(1) + self.atoms[kinds]

    # --- keeping ------------------------------------------------------------------------------

    def state(self) -> State:
        """Return mixtures, weights, and the λ that was taken."""
        known = self._known()
        state = {
            "elements": torch.tensor(known.elements),
            "mixtures": known.mixtures,
            "slopes": self.slopes,
            "atoms": self.atoms,
            "chosen": torch.tensor(self.regularization, dtype=torch.float64),
        }
        if known.electronic is not None and known.standard is not None:
            state |= {"electronic": known.electronic, "standard": known.standard}
        return state

    def load_state(self, state: State) -> Self:
        """Take back what `state` returned."""
        self.products = DensityProducts(
            tuple(state["elements"].tolist()),
            self.cutoff,
            state["mixtures"],
            state.get("electronic"),
            state.get("standard"),
        )
        self.slopes, self.atoms = state["slopes"], state["atoms"]
        self.regularization = float(state["chosen"])
        return self


def _blocks(molecules: Molecules) -> Iterator[Molecules]:
    """A few molecules at a time."""
    for first in range(0, len(molecules), TOGETHER):
        yield molecules[first : first + TOGETHER]


def _some(molecules: Molecules, seed: int) -> Tensor:
    """Row numbers of molecules drawn at random, with some of every element."""
    order = torch.randperm(len(molecules), generator=torch.Generator().manual_seed(seed))
    has = molecules.composition(molecules.elements)[order] > 0  # (M, elements)
    return torch.cat([order[:SAMPLE], *(order[own][:RARE] for own in has.T)]).unique()


Equations = Iterator[tuple[Tensor, Tensor]]
"""Blocks of rows of X and of y."""


def _primal(
    equations: Equations, size: tuple[int, int], regularizations: list[float]
) -> dict[float, Tensor]:
    """λ → (count, 1) weights, from the sums XᵀX and Xᵀy; X is of this size (M, count)."""
    gram = torch.zeros(size[1], size[1], dtype=torch.float64)
    right = torch.zeros(size[1], dtype=torch.float64)
    for rows, values in equations:
        gram.addmm_(rows.T, rows)
        right += rows.T @ values
    return solutions(gram, right, regularizations, "density_ridge")[0]


def _dual(
    equations: Equations, size: tuple[int, int], regularizations: list[float]
) -> dict[float, Tensor]:
    """λ → (count, 1) weights, Xᵀα with (XXᵀ + λ) α = y; X is of this size (M, count)."""
    X, y, first = torch.zeros(size, dtype=torch.float64), torch.zeros(size[0]).double(), 0
    for rows, values in equations:
        part = slice(first, first + len(rows))
        X[part], y[part] = rows, values
        first += len(rows)
    solved, _ = solutions(X @ X.T, y, regularizations, "density_ridge")
    return {each: X.T @ alpha for each, alpha in solved.items()}
