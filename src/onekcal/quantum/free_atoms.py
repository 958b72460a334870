"""Energies of free atoms of a method: known, or computed once in the ground-state spin and kept.

GFN2-xTB's for H C N O F S and the tables of `onekcal.energies` are known. Other energies are
computed and written to `free_atoms.json` in the data folder, so that a slow method computes an atom
once on a machine.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np

from onekcal.energies import FREE_ATOMS, SPINS, FreeAtoms
from onekcal.errors import InputError
from onekcal.molecules import SYMBOLS, Molecules
from onekcal.quantum.gfn2 import GFN2_ATOMS
from onekcal.quantum.method import Method
from onekcal.system.files import whole_file
from onekcal.system.home import home


def free_atoms_of(method: Method, elements: Iterable[int]) -> FreeAtoms:
    """Return the energies (Hartree) of free atoms under `method`.

    Parameters
    ----------
    method
        Atoms that are not known are computed with it.
    elements
        Nuclear charges.

    Raises
    ------
    InputError
        Where the ground-state spin of an element is not known.
    """
    known, source = _known(method)
    table = {z: known[z] if z in known else _computed(method, z) for z in elements}
    return FreeAtoms(method.level, table, source)


def _known(method: Method) -> tuple[dict[int, float], str]:
    if method.name == "gfn2":
        return GFN2_ATOMS, "GFN2-xTB of the free atom"
    table = FREE_ATOMS.get(method.level.removesuffix(" df"))
    if table is not None and not method.density_fitting:
        return table.hartree, table.source
    return {}, f"{method.level} of the free atom"


@cache
def _computed(method: Method, element: int) -> float:
    """Hartree; from the file where it is there, else computed; slow methods write it down."""
    if method.family == "xtb":
        return _atom(method, element)
    program = method.program
    key = f"{method.level} | {SYMBOLS[element]} | {program.package} {program.version()}"
    path = cache_path()
    kept = _read(path)
    if key not in kept:
        energy = _atom(method, element)
        kept = _read(path) | {key: energy}  # read again: another process may have added to it
        _write(path, kept)
    return kept[key]


def _atom(method: Method, element: int) -> float:
    if element not in SPINS:
        raise InputError(
            f"the ground-state spin of {SYMBOLS[element]} is not known here, so {method.level} "
            f"has no free atom of it; known: {', '.join(SYMBOLS[z] for z in SPINS)}"
        )
    atom = Molecules.one(
        [element], np.zeros((1, 3)), spin=SPINS[element], name=f"free atom {SYMBOLS[element]}"
    )
    return method.calculation(atom).at(np.zeros((1, 3)), gradient=False).energy


def cache_path() -> Path:
    """Return where computed free atoms are kept: in the data folder (ONEKCAL_HOME)."""
    return home() / "free_atoms.json"


def _read(path: Path) -> dict[str, float]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # absent, unreadable or half-written: compute again
        return {}


def _write(path: Path, kept: dict[str, float]) -> None:
    with suppress(OSError):  # a home that cannot be written costs time, not the answer
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path, shared=True) as part:
            part.write_text(json.dumps(kept, indent=1, sort_keys=True), encoding="utf-8")
