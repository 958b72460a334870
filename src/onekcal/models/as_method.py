"""A fitted model as a `Method`: what relaxes, vibrates and moves with GFN2-xTB does with a model.

`method_of("runs/ethanol")` is a method whose calculations ask the model of that run folder. Its
energies have the model's own zero: free atoms for atomization energies, nothing for totals.
"""

from __future__ import annotations

import hashlib
import math
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from onekcal.errors import DataError, InputError
from onekcal.models.artefact import Artefact
from onekcal.models.domain import strange_nuclei
from onekcal.models.force_meaning import check_forces
from onekcal.models.shipped import load_model
from onekcal.molecules import Molecules
from onekcal.quantum.free_atoms import free_atoms_of
from onekcal.quantum.method import LabelError, Method, Point, formula_of
from onekcal.quantum.named import method
from onekcal.units import BOHR, HARTREE


class ModelProgram:
    """What makes the calculations of a fitted model.

    Parameters
    ----------
    artefact
        The model.
    """

    package = "onekcal"

    def __init__(self, artefact: Artefact) -> None:
        self.artefact = artefact

    def __call__(self, method: Method, molecule: Molecules) -> ModelCalculation:
        """Return a calculation of one molecule; refuse one that the model cannot know."""
        return ModelCalculation(self.artefact, molecule)

    @staticmethod
    def version() -> str:
        """Return onekcal's version."""
        return version("onekcal")


class ModelCalculation:
    """One molecule under a fitted model.

    Parameters
    ----------
    artefact
        The model.
    molecule
        One molecule; its positions are not used.

    Raises
    ------
    InputError
        The model has never seen its elements, or knows no ions or radicals.
    """

    def __init__(self, artefact: Artefact, molecule: Molecules) -> None:
        self.artefact, self.molecule = artefact, molecule
        # a neutral free atom is the zero of atomization energies, whatever the model has seen
        self.zero = (
            len(molecule.numbers) == 1
            and artefact.kind == "atomization"
            and not int(molecule.charges[0])
        )
        if not self.zero and (strange := strange_nuclei(artefact, molecule)):
            raise InputError(f"{formula_of(molecule)}: {'; '.join(strange)}")

    def at(self, positions: np.ndarray, gradient: bool = True) -> Point:
        """Return the energy, and the gradient where wanted, at one geometry.

        Parameters
        ----------
        positions
            (n, 3) Å.
        gradient
            Whether the gradient is needed.

        Raises
        ------
        InputError
            The gradient of this model is no force.
        LabelError
            The model gives no finite number.
        """
        if gradient:
            check_forces(self.artefact)
        if self.zero:
            return Point(0.0, np.zeros((1, 3)) if gradient else None)
        molecule = self.molecule.moved(torch.tensor(positions, dtype=torch.float64))
        model, push = self.artefact.model, None
        if gradient:
            energies, forces = model.energies_and_forces(molecule)
            push = -forces.numpy() / (HARTREE / BOHR)
        else:
            with torch.no_grad():
                energies = model.energies(molecule)
        energy = float(energies[0]) / HARTREE
        if not math.isfinite(energy) or (push is not None and not np.isfinite(push).all()):
            raise LabelError(f"the model gives no finite number for {formula_of(self.molecule)}")
        return Point(energy, push)


def method_of(model: str | Path | Artefact | Method, forces: bool = True) -> Method:
    """Return a fitted model or a quantum method as a method.

    Parameters
    ----------
    model
        A run folder, a model file, a model that ships, or what `load_model` returned; or the name
        of a quantum method, such as "gfn2". A file or folder comes before a method of that name.
    forces
        Whether a model whose gradient is no force is refused at once.

    Raises
    ------
    InputError
        There is neither a model nor a method of that name, the model gives no energies, or its
        gradient is no force.
    """
    if isinstance(model, Method):
        return model
    artefact = model if isinstance(model, Artefact) else _found(model)
    if isinstance(artefact, Method):
        return artefact
    if artefact.kind in ("charges", "property", "forces"):
        raise InputError(f"this model gives {artefact.kind} in {artefact.unit} and no energies")
    if forces:
        check_forces(artefact)
    name = repr(artefact) if isinstance(model, Artefact) else str(model)
    return Method(name, artefact.level, "model", digest(artefact), ModelProgram(artefact))


def _found(name: str | Path) -> Artefact | Method:
    """The model of that name, or else the method."""
    try:
        return load_model(name)
    except DataError as no_model:
        if Path(name).exists():
            raise
        try:
            return method(str(name))
        except InputError as no_method:
            raise InputError(f"{no_model}; {no_method}") from None


def artefact_of(how: Method) -> Artefact | None:
    """Return the fitted model behind a method; None where it is a quantum method.

    Parameters
    ----------
    how
        What `method_of` returned.
    """
    return how.program.artefact if isinstance(how.program, ModelProgram) else None


def zero_of(how: Method, molecule: Molecules) -> float:
    """Return the energy from which energies of a method are counted, Hartree.

    Parameters
    ----------
    how
        What `method_of` returned.
    molecule
        One molecule.

    Returns
    -------
    float
        The free atoms of a quantum method; 0 for a fitted model, which has its own zero.
    """
    if isinstance(how.program, ModelProgram):
        return 0.0
    return float(free_atoms_of(how, molecule.elements).energies(molecule)[0]) / HARTREE


def meaning_of(how: Method) -> dict[str, str]:
    """Return kind, temperature and level of a method's energies, as extended xyz names them.

    Parameters
    ----------
    how
        What `method_of` returned.
    """
    artefact = artefact_of(how)
    kind, at = (artefact.kind, artefact.at) if artefact else ("atomization", "electronic")
    return {"kind": kind, "at": at, "level": how.level}


def digest(artefact: Artefact) -> str:
    """Return a hash of a model's stages and weights.

    Parameters
    ----------
    artefact
        The model.
    """
    total = hashlib.sha256(repr(list(artefact.stages)).encode())
    for name, tensor in sorted(artefact.model.state().items()):
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        total.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return total.hexdigest()
