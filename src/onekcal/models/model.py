"""The one model protocol, and everything else that a model may offer, with defaults.

Every model has four methods: `fit(train, valid)`, `energies(molecules, columns)`, `state()` and
`load_state(state)`. Energies are kcal/mol relative to free atoms, negative when bound. A model that
needs a column (a tabulated baseline, say) raises an error when the column is absent.

All the rest is optional. `Model` holds a default for each capability, so that callers use it
without asking whether it is there:

    forces            −dE/dx, by autograd where `differentiable`, else by central differences
    energies_and_forces  both, in one pass where that is cheaper
    variance          how sure the model is of each energy; the default refuses
    novelty           how unlike the training data a molecule is; None where the model cannot tell
    terms             further values of each molecule; none
    atomic_energies   how the energy is shared among atoms; None where the model does not tell
    check             refuses molecules that no model can answer
    chosen            settings that the fit chose among several; none
    get_params, score  settings and R², as scikit-learn has them
    summary           figures of the last fit, for the metrics of a run; none
    differentiable    whether `energies` keeps the graph of the positions; no
    of_atoms          whether answers are one value an atom; no
    fits_atoms        whether total energies whose free atoms are unknown can be learned; no

A model is a class that inherits from `Model`. Another class needs only the four methods: the
registry completes it with these defaults (`completed`).

A model stores itself as tensors and plain settings: the keyword arguments of its class are its
settings and must be JSON. Nothing is pickled.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Self

import torch
from torch import Tensor

from onekcal.data.dataset import Columns, Dataset
from onekcal.errors import InputError
from onekcal.models.parameters import parameters, recorded
from onekcal.molecules import Molecules

State = dict[str, Tensor]

NEEDED = ("fit", "energies", "state", "load_state")
"""Methods that every model must have itself."""
DIFFERENTIATED = 16
"""Molecules at a time whose forces are derived: the graph of a kernel takes 5 to 10 MB a molecule.
"""
STEP = 5e-3
"""Å; step of central differences. Energies in float64 are smooth to about 1e-9 kcal/mol."""


class Model:
    """What can be fitted to energies and asked for them.

    A class that inherits from this one has the methods `fit`, `energies`, `state` and `load_state`.
    """

    differentiable: bool = False
    """Does `energies` keep the graph of the positions?"""
    of_atoms: bool = False
    """Does it answer for every atom (A,) instead of for every molecule (M,)?"""
    fits_atoms: bool = False
    """Can it learn total energies whose free atoms are not known?"""
    chosen: Mapping[str, object] = MappingProxyType({})
    """The settings that `fit` chose among several, for a fit to more data."""
    summary: Mapping[str, object] = MappingProxyType({})
    """Figures of the last fit, which a run keeps among its metrics."""

    def __init_subclass__(cls, **more: object) -> None:
        """Let a new class of models keep its settings."""
        super().__init_subclass__(**more)
        if "__init__" in vars(cls) or not issubclass(cls.__mro__[1], Model):
            cls.__init__ = recorded(cls.__init__)  # type: ignore[method-assign]

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    # --- as scikit-learn's estimators ---------------------------------------------------------

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the settings that the model was made with, defaults included.

        Parameters
        ----------
        deep
            Whether those of the stages of a stack are there, too.
        """
        return parameters(self)

    def score(self, data: Dataset) -> float:
        """Return R² of the energies: 1 is best, 0 is no better than their mean.

        Parameters
        ----------
        data
            Molecules and the target column.
        """
        errors = self.energies(data.molecules, data.columns).detach() - data.energies
        spread = data.energies - data.energies.mean()
        return 1.0 - float((errors**2).sum() / (spread**2).sum())

    # --- what every model has -----------------------------------------------------------------

    def fit(self, train: Dataset, valid: Dataset) -> Self:
        """Learn the energies of `train`.

        Parameters
        ----------
        train
            Molecules and the target column, in kcal/mol (or the target's own unit).
        valid
            Molecules by which the model may stop or choose settings. It never fits to them. May be
            empty.
        """
        raise NotImplementedError

    def energies(self, molecules: Molecules, columns: Columns | None = None) -> Tensor:
        """Return the energies of molecules.

        Parameters
        ----------
        molecules
            M molecules with A atoms in all.
        columns
            Columns of the data set that the molecules come from, for models that read some.

        Returns
        -------
        Tensor
            (M,) float64 kcal/mol relative to free atoms; (A,) where `of_atoms`.
        """
        raise NotImplementedError

    def state(self) -> State:
        """Return everything that was fitted, as tensors by name."""
        raise NotImplementedError

    def load_state(self, state: State) -> Self:
        """Take back what `state` returned.

        Parameters
        ----------
        state
            Tensors by name.
        """
        raise NotImplementedError

    # --- what a model may have ----------------------------------------------------------------

    def forces(self, molecules: Molecules, columns: Columns | None = None) -> Tensor:
        """Return the forces −dE/dx.

        Parameters
        ----------
        molecules, columns
            As in `energies`.

        Returns
        -------
        Tensor
            (A, 3) kcal/mol/Å.
        """
        if not self.differentiable:
            return central_differences(self, molecules)
        return _slopes(self, molecules, columns)[1]

    def energies_and_forces(
        self, molecules: Molecules, columns: Columns | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return what `energies` and `forces` return, together.

        Parameters
        ----------
        molecules, columns
            As in `energies`.

        Returns
        -------
        tuple of Tensor
            (M,) kcal/mol and (A, 3) kcal/mol/Å.
        """
        if self.differentiable:
            return _slopes(self, molecules, columns)
        with torch.no_grad():
            energies = self.energies(molecules, columns)
        return energies, self.forces(molecules, columns)

    def portions(self, molecules: Molecules) -> Iterator[Tensor]:
        """Give the row numbers of the molecules whose forces are derived together.

        Parameters
        ----------
        molecules
            M molecules.
        """
        yield from torch.arange(len(molecules)).split(DIFFERENTIATED) if len(molecules) else ()

    def variance(self, molecules: Molecules) -> Tensor:
        """Return how sure the model is of each energy.

        Parameters
        ----------
        molecules
            M molecules.

        Returns
        -------
        Tensor
            (M,) kcal²/mol².

        Raises
        ------
        InputError
            The model has no variance.
        """
        raise InputError(f"{type(self).__name__} gives no variance of its energies")

    def novelty(self, molecules: Molecules) -> Tensor | None:
        """Return how unlike the training data each molecule is.

        Parameters
        ----------
        molecules
            M molecules.

        Returns
        -------
        Tensor or None
            (M,), in the model's own unit; None where the model cannot tell.
        """
        return None

    def terms(self, molecules: Molecules) -> dict[str, Tensor]:
        """Return further values of each molecule by name.

        Parameters
        ----------
        molecules
            M molecules.

        Returns
        -------
        dict
            (M,) or (M, k) each.
        """
        return {}

    def atomic_energies(self, molecules: Molecules) -> Tensor | None:
        """Return the energy that each atom contributes.

        Parameters
        ----------
        molecules
            Molecules with A atoms in all.

        Returns
        -------
        Tensor or None
            (A,) kcal/mol; None where the model does not tell.
        """
        return None

    def check(self, molecules: Molecules) -> None:
        """Refuse molecules that the model cannot answer.

        Parameters
        ----------
        molecules
            M molecules.

        Raises
        ------
        InputError
            Names the molecules and what is wrong with them.
        """
        refuse_unsound(molecules)


@cache
def completed(cls: type) -> type[Model]:
    """Return a model class that has the defaults of `Model`.

    Parameters
    ----------
    cls
        A class with the methods in `NEEDED`.

    Returns
    -------
    type
        The class itself where it inherits from `Model`, otherwise a new class on top of both.
    """
    if issubclass(cls, Model):
        return cls
    return type(cls.__name__, (cls, Model), {"__module__": cls.__module__, "__doc__": cls.__doc__})


def refuse_unsound(molecules: Molecules) -> None:
    """Refuse coordinates that are not finite, and nuclei on one point.

    Parameters
    ----------
    molecules
        M molecules.

    Raises
    ------
    InputError
        Names the first three molecules.
    """
    with torch.no_grad():
        problems = molecules.check() if len(molecules) else []
    if problems:
        more = f" (and {len(problems) - 3} more)" if len(problems) > 3 else ""
        raise InputError("; ".join(problems[:3]) + more)


def _slopes(model: Model, molecules: Molecules, columns: Columns | None) -> tuple[Tensor, Tensor]:
    """Energies (M,) and forces (A, 3) by autograd, as many molecules at a time as fit."""
    whole = Dataset(molecules, dict(columns or {}))
    energies = torch.zeros(len(molecules), dtype=torch.float64)
    forces = torch.zeros_like(molecules.positions, dtype=torch.float64)
    for rows in model.portions(molecules):
        data = whole[rows]
        positions = data.molecules.positions.detach().clone().requires_grad_(True)
        with torch.enable_grad():
            some = model.energies(data.molecules.moved(positions), data.columns)
            slope = torch.autograd.grad(some.sum(), positions)[0]
        energies[rows] = some.detach().to(energies)
        forces[molecules.atoms_of(rows)] = -slope.to(forces)
    return energies, forces


def central_differences(model: Model, molecules: Molecules) -> Tensor:
    """Return forces from steps of every coordinate, one batch a molecule.

    Columns belong to the geometry that they were computed at. So none are passed, and a model that
    needs one raises an error.

    Parameters
    ----------
    model
        What gives the energies.
    molecules
        Molecules with A atoms in all.

    Returns
    -------
    Tensor
        (A, 3) kcal/mol/Å.
    """
    out = [torch.zeros(0, 3, dtype=torch.float64)]
    for molecule in molecules:
        count = 3 * len(molecule.numbers)
        steps = STEP * torch.eye(count, dtype=torch.float64).reshape(count, -1, 3)
        moved = Molecules.concatenate(
            [molecule.moved(molecule.positions + sign * step) for sign in (1, -1) for step in steps]
        )
        up, down = model.energies(moved).reshape(2, count)
        out.append(-(up - down).reshape(-1, 3) / (2 * STEP))
    return torch.cat(out)
