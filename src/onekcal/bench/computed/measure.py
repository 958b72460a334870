"""Compute one species and compare it with what was published."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np

from onekcal.bench.computed.cases import Case
from onekcal.energies import free_atoms
from onekcal.errors import OnekcalError
from onekcal.geometry.inertia import MASSES
from onekcal.labels.deviations import class_of
from onekcal.labels.g4mp2 import SCALE, g4mp2
from onekcal.quantum.b3lyp import VibratingB3LYP
from onekcal.quantum.g4mp2 import g4mp2_energy
from onekcal.thermo.frequencies import wavenumbers
from onekcal.thermo.ledger import Term, ledger
from onekcal.units import HARTREE, WAVENUMBER

Record = dict[str, Any]
"""One species as results keep it; energies in kcal/mol, `electronic` in Hartree."""


def measured(case: Case) -> Record:
    """Compute one species and compare it.

    Parameters
    ----------
    case
        The species.

    Returns
    -------
    Record
        `difference` from the published number, `deviation` from experiment, both ours minus
        theirs, `published_deviation`; or `failed`, the reason.
    """
    start = time.process_time()
    try:
        found = _computed(case)
    except OnekcalError as problem:
        return _about(case) | {"failed": str(problem)}
    found["core_seconds"] = round(time.process_time() - start, 1)
    return compared(case, found)


def compared(case: Case, found: Record) -> Record:
    """Compare what was computed for a species with what was published.

    Parameters
    ----------
    case
        The species.
    found
        `electronic` (Hartree), and `zero_point` (unscaled) and `heat` where they were computed.
    """
    record = _about(case) | found
    if case.set == "zero-points":
        return record | {"difference": round(found["zero_point"] - case.published, 4)}
    zero = SCALE * found["zero_point"] if case.zero_point is None else case.zero_point
    total = found["electronic"] * HARTREE + zero
    if case.set == "ions":
        own = _formation(case, total, found["heat"])
        record["difference"] = round(own - case.published, 4)
        published = case.published
    else:
        record["difference"] = round(total - case.published, 4)
        own, published = (_comparable(case, energy) for energy in (total, case.published))
    known = case.experiment if case.atomization is None else case.atomization
    if known is not None and math.isfinite(known):
        record["deviation"] = round(own - known, 3)
        record["published_deviation"] = round(published - known, 3)
    return record


def _comparable(case: Case, total: float) -> float:
    """What a total energy at 0 K says of the case's experiment, kcal/mol."""
    if case.heat is None or case.atomization is not None:
        return total - float(free_atoms("g4mp2").energies(case.molecule)[0])
    return _formation(case, total, case.heat)


def _about(case: Case) -> Record:
    molecule = case.molecule
    return {
        "row": case.row,
        "formula": molecule.formulas[0],
        "heavy": case.heavy,
        "charge": int(molecule.charges[0]),
        "unpaired": int(molecule.spins[0]),
        "class": class_of(molecule),
    }


def _computed(case: Case) -> Record:
    if case.set == "zero-points":
        return {"zero_point": _zero_point(case)}
    found: Record = {}
    if case.set == "ions":
        whole = g4mp2(case.molecule, keep_geometry=True)
        terms = whole.terms
        found = {"zero_point": round(whole.zero_point / SCALE, 4), "heat": round(whole.heat, 4)}
    else:
        terms = g4mp2_energy(case.molecule)
        if case.zero_point is None:
            found = {"zero_point": _zero_point(case)}
    return found | {
        "electronic": round(terms.total, 8),
        "t1": round(terms.t1, 4),
        "contamination": round(terms.contamination, 4),
    }


def _zero_point(case: Case) -> float:
    """kcal/mol, unscaled, of B3LYP at the published geometry."""
    positions = case.molecule.positions.numpy()
    masses = np.array([MASSES[int(z)] for z in case.molecule.numbers])
    waves = wavenumbers(VibratingB3LYP(case.molecule).hessian(positions), masses, positions)
    return round(0.5 * WAVENUMBER * float(waves[waves > 0].sum()), 4)


def _formation(case: Case, total: float, heat: float) -> float:
    """ΔfH(298 K), kcal/mol, from a total energy at 0 K."""
    energy = total - float(free_atoms("g4mp2").energies(case.molecule)[0])
    term = Term("H(298 K) − H(0)", heat, None, "published", "formation 298 K")
    return ledger(case.molecule, energy, "g4mp2", thermal=term).formation_298
