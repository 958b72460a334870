"""One molecule's labels: what is asked, what travels to a worker, and what comes back (plain
numbers, JSON).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from onekcal.errors import OnekcalError
from onekcal.molecules import Molecules
from onekcal.quantum.method import Method
from onekcal.system.threads import one_thread

LABELS_FORMAT = 1
TIGHT = 0.002
"""eV/Å; how far a geometry is relaxed when its frequencies are asked for."""


@dataclass(frozen=True)
class LabelRequest:
    """What is to be computed of every molecule.

    Parameters
    ----------
    method
        The quantum method.
    relax
        Relax the geometry first.
    forces, frequencies, charges
        Compute these too.
    """

    method: Method
    relax: bool = False
    forces: bool = False
    frequencies: bool = False
    charges: bool = False


def key_of(molecule: Molecules, request: LabelRequest) -> str:
    """Return a hash of nuclei, charge, spin, method and options: equal keys mean equal labels.

    Parameters
    ----------
    molecule
        One molecule.
    request
        What is to be computed.
    """
    digest = hashlib.sha256()
    options = f"{request.relax} {request.forces} {request.frequencies}" + (
        " charges" if request.charges else ""
    )
    digest.update(
        f"{LABELS_FORMAT} {request.method.level} {options} "
        f"{int(molecule.charges[0])} {int(molecule.spins[0])}".encode()
    )
    digest.update(molecule.numbers.numpy().astype("<i8").tobytes())
    digest.update(molecule.positions.numpy().astype("<f8").tobytes())
    return digest.hexdigest()


def package(molecule: Molecules, request: LabelRequest, key: str) -> dict[str, Any]:
    """Return a job that another process can read: arrays and settings, no tensors.

    Parameters
    ----------
    molecule
        One molecule.
    request
        What is to be computed.
    key
        From `key_of`.
    """
    return {
        "format": LABELS_FORMAT,
        "key": key,
        "request": request,
        "numbers": molecule.numbers.numpy().tolist(),
        "positions": molecule.positions.numpy(),
        "charge": int(molecule.charges[0]),
        "spin": int(molecule.spins[0]),
        "name": str(molecule.names[0]),
    }


def compute(job: dict[str, Any]) -> dict[str, Any]:
    """Compute the labels of one job.

    Parameters
    ----------
    job
        From `package`.

    Returns
    -------
    dict
        Plain numbers by name. Whatever goes wrong with a molecule becomes its `error`, in one line.
    """
    record: dict[str, Any] = {"format": LABELS_FORMAT, "key": job["key"]}
    try:
        molecule = Molecules.one(
            job["numbers"], job["positions"], job["charge"], job["spin"], job["name"]
        )
        with one_thread():
            return record | _labels(molecule, job["request"])
    except OnekcalError as problem:
        return record | {"error": str(problem)}
    except Exception as problem:  # a crash of one molecule must not cost the others
        return record | {"error": f"{type(problem).__name__}: {problem}".splitlines()[0]}


def _labels(molecule: Molecules, request: LabelRequest) -> dict[str, Any]:
    from onekcal.geometry.relax import FORCE, relax
    from onekcal.quantum.free_atoms import free_atoms_of
    from onekcal.thermo.frequencies import frequencies
    from onekcal.units import BOHR, HARTREE

    atoms = float(free_atoms_of(request.method, molecule.elements).energies(molecule)[0])
    calculation = request.method.calculation(molecule)
    found: dict[str, Any] = {}
    if request.relax:
        relaxed = relax(
            molecule,
            request.method,
            TIGHT if request.frequencies else FORCE,
            calculation=calculation,
        )
        molecule, point = relaxed.molecule, relaxed.point
        found["positions"] = molecule.positions.numpy().tolist()
    else:
        point = calculation.at(molecule.positions.numpy(), gradient=request.forces)
    found["energy"] = point.energy * HARTREE - atoms
    if request.forces:
        assert point.gradient is not None
        found["forces"] = (-point.gradient * (HARTREE / BOHR)).tolist()
    if request.charges:
        assert point.charges is not None
        found["charges"] = point.charges.tolist()
    if request.frequencies:
        vibrations = frequencies(molecule, request.method, calculation)
        found |= {
            "zpe": vibrations.zero_point,
            "heat": vibrations.thermal.total,
            "imaginary": vibrations.imaginary,
        }
    if not all(
        np.isfinite(found[key]).all()
        for key in ("energy", "forces", "charges", "zpe", "heat")
        if key in found
    ):
        raise ArithmeticError("the method returned a number that is not finite")
    return found
