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

LABELS_FORMAT = 1
TIGHT = 0.002
"""eV/Å; how far a geometry is relaxed when its frequencies are asked for."""


@dataclass(frozen=True)
class Ask:
    """What is to be computed of every molecule."""

    method: Method
    relax: bool = False
    forces: bool = False
    frequencies: bool = False
    charges: bool = False


def key_of(molecule: Molecules, ask: Ask) -> str:
    """A hash of nuclei, charge, spin, method and options: equal keys, equal labels."""
    digest = hashlib.sha256()
    options = f"{ask.relax} {ask.forces} {ask.frequencies}" + (" charges" if ask.charges else "")
    digest.update(
        f"{LABELS_FORMAT} {ask.method.level} {options} "
        f"{int(molecule.charges[0])} {int(molecule.spins[0])}".encode()
    )
    digest.update(molecule.numbers.numpy().astype("<i8").tobytes())
    digest.update(molecule.positions.numpy().astype("<f8").tobytes())
    return digest.hexdigest()


def package(molecule: Molecules, ask: Ask, key: str) -> dict[str, Any]:
    """A job that travels light: arrays and settings, no tensors."""
    return {
        "format": LABELS_FORMAT,
        "key": key,
        "ask": ask,
        "numbers": molecule.numbers.numpy().tolist(),
        "positions": molecule.positions.numpy(),
        "charge": int(molecule.charges[0]),
        "spin": int(molecule.spins[0]),
        "name": str(molecule.names[0]),
    }


def compute(job: dict[str, Any]) -> dict[str, Any]:
    """The labels of one job; whatever goes wrong with a molecule becomes its `error`, in
    one line.
    """
    record: dict[str, Any] = {"format": LABELS_FORMAT, "key": job["key"]}
    try:
        molecule = Molecules.one(
            job["numbers"], job["positions"], job["charge"], job["spin"], job["name"]
        )
        with _one_thread():
            return record | _labels(molecule, job["ask"])
    except OnekcalError as problem:
        return record | {"error": str(problem)}
    except Exception as problem:  # a crash of one molecule must not cost the others
        return record | {"error": f"{type(problem).__name__}: {problem}".splitlines()[0]}


def _labels(molecule: Molecules, ask: Ask) -> dict[str, Any]:
    from onekcal.geometry.relax import FORCE, relax
    from onekcal.quantum.free_atoms import free_atoms_of
    from onekcal.thermo.frequencies import frequencies
    from onekcal.units import BOHR, HARTREE

    atoms = float(free_atoms_of(ask.method, molecule.elements).energies(molecule)[0])
    calculation = ask.method.calculation(molecule)
    found: dict[str, Any] = {}
    if ask.relax:
        relaxed = relax(
            molecule, ask.method, TIGHT if ask.frequencies else FORCE, calculation=calculation
        )
        molecule, point = relaxed.molecule, relaxed.point
        found["positions"] = molecule.positions.numpy().tolist()
    else:
        point = calculation.at(molecule.positions.numpy(), gradient=ask.forces)
    found["energy"] = point.energy * HARTREE - atoms
    if ask.forces:
        assert point.gradient is not None
        found["forces"] = (-point.gradient * (HARTREE / BOHR)).tolist()
    if ask.charges:
        assert point.charges is not None
        found["charges"] = point.charges.tolist()
    if ask.frequencies:
        vibrations = frequencies(molecule, ask.method, calculation)
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


def _one_thread() -> Any:
    """Linear algebra and OpenMP on one thread: molecules are small, and the processes fill the
    machine.
    """
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1)
