"""Minima and vibrations of a molecule under a fitted model or a quantum method."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import torch

from onekcal.data.dataset import Column, Dataset
from onekcal.energies import At, Kind
from onekcal.geometry.minimum import minimum
from onekcal.geometry.relax import FORCE
from onekcal.models.artefact import Artefact
from onekcal.models.as_method import meaning_of, method_of, zero_of
from onekcal.molecules import Molecules
from onekcal.quantum.method import Method
from onekcal.system.threads import on_one_thread
from onekcal.thermo.frequencies import Frequencies, frequencies
from onekcal.units import HARTREE

TIGHT = 0.002
"""eV/Å; how far a geometry is relaxed before its vibrations are computed."""


@dataclass(frozen=True)
class Minimum:
    """A relaxed molecule.

    Parameters
    ----------
    molecule
        The molecule at its minimum, Å.
    energy
        kcal/mol, as the model gives it; of a quantum method, relative to free atoms.
    force
        The largest force on an atom that is left, eV/Å.
    steps
        How many energies and gradients were computed.
    saddles
        Saddle points that were left behind on the way.
    changes
        Bonds broken or formed.
    """

    molecule: Molecules
    energy: float
    force: float
    steps: int
    saddles: int
    changes: tuple[str, ...] = ()


@on_one_thread
def relaxed(
    molecule: Molecules,
    model: str | Path | Artefact | Method = "gfn2",
    force: float = FORCE,
    keep_bonds: bool = True,
) -> Minimum:
    """Relax one molecule to a minimum.

    Parameters
    ----------
    molecule
        One molecule (Å).
    model
        A model whose energies have forces, or the name of a quantum method.
    force
        The largest force on an atom at the end, eV/Å.
    keep_bonds
        Whether broken or formed bonds are an error; otherwise they are listed.

    Raises
    ------
    InputError
        The model has no forces or does not know the molecule.
    LabelError
        No minimum was reached.
    """
    how = method_of(model)
    found, saddles = minimum(molecule, how, force, keep_bonds)
    energy = (found.point.energy - zero_of(how, molecule)) * HARTREE
    return Minimum(found.molecule, energy, found.force, found.steps, saddles, tuple(found.changes))


@on_one_thread
def vibrations(
    molecule: Molecules,
    model: str | Path | Artefact | Method = "gfn2",
    keep_geometry: bool = False,
) -> tuple[Molecules, Frequencies]:
    """Compute the harmonic vibrations of one molecule.

    Parameters
    ----------
    molecule
        One molecule (Å).
    model
        A model whose energies have forces, or the name of a quantum method.
    keep_geometry
        Whether the geometry stays as it is; otherwise it is relaxed to a minimum first.

    Returns
    -------
    tuple
        The molecule at the geometry that vibrates, and its vibrations.
    """
    how = method_of(model)
    if not keep_geometry and len(molecule.numbers) > 1:
        molecule = relaxed(molecule, how, TIGHT).molecule
    return molecule, frequencies(molecule, how)


def dataset_of(minima: list[Minimum], model: str | Path | Artefact | Method) -> Dataset:
    """Return minima with their energies, as they are written to files.

    Parameters
    ----------
    minima
        Relaxed molecules, at least one.
    model
        What they were relaxed with.
    """
    words = meaning_of(method_of(model))
    energies = torch.tensor([one.energy for one in minima], dtype=torch.float64)
    column = Column(
        energies, level=words["level"], kind=cast(Kind, words["kind"]), at=cast(At, words["at"])
    )
    molecules = Molecules.concatenate([one.molecule for one in minima])
    names = np.array([str(name) for name in molecules.names])
    return Dataset(replace(molecules, name=names), {"energy": column}, "energy")
