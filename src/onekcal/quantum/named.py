"""Quantum methods by name, `method("gfn2")`, `method("b3lyp/6-31g(2df,p)")`, and single points.

Here a method gets its program: `TightBinding` (tblite) or `DensityFunctional` (pyscf).
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np

from onekcal.errors import InputError, did_you_mean
from onekcal.molecules import Molecules
from onekcal.quantum.dft import DensityFunctional, check_names
from onekcal.quantum.free_atoms import free_atoms_of
from onekcal.quantum.gfn2 import TightBinding
from onekcal.quantum.method import Method
from onekcal.system.threads import one_thread
from onekcal.units import BOHR, HARTREE

XTB = {"gfn2": "GFN2-xTB", "gfn1": "GFN1-xTB"}
"""Tight-binding methods by name (tblite)."""
_SPELLINGS = {
    "gfn2-xtb": "gfn2",
    "gfn1-xtb": "gfn1",
    "gfn2xtb": "gfn2",
    "gfn1xtb": "gfn1",
    "xtb": "gfn2",
}
EXAMPLES = (
    "gfn2",
    "gfn1",
    "hf/6-31g",
    "b3lyp/6-31g",
    "b3lyp/6-31g df",
    "b3lyp/6-31g(2df,p)",
    "pbe0/def2-tzvp",
)


def method(name: str) -> Method:
    """Return a method by its name.

    Parameters
    ----------
    name
        "gfn2", "gfn1", "FUNCTIONAL/BASIS" or "FUNCTIONAL/BASIS df" (density fitting), in any case.

    Raises
    ------
    InputError
        Where the name is none of these. An unknown functional or basis is refused where pyscf is
        installed; without it, the first computation raises `MissingExtra`.
    """
    word = " ".join(name.lower().split())
    word = _SPELLINGS.get(word, word)
    if word in XTB:
        return Method(word, XTB[word].lower(), "xtb", XTB[word], TightBinding)
    functional, slash, basis = word.partition("/")
    basis, _, suffix = basis.strip().partition(" ")
    if not slash or not functional.strip() or not basis or suffix.strip() not in ("", "df"):
        raise InputError(
            f"no method {name!r}{did_you_mean(word, EXAMPLES)} (or any FUNCTIONAL/BASIS, "
            "with ' df' behind it for density fitting)"
        )
    functional = functional.strip()
    check_names(functional, basis)
    fitted = suffix.strip() == "df"
    level = f"{functional}/{basis}" + (" df" if fitted else "")
    return Method(level, level, "dft", functional, DensityFunctional, basis, fitted)


@dataclass(frozen=True)
class SinglePoint:
    """One molecule under one method, in onekcal's units."""

    total: float  # kcal/mol
    energy: float  # kcal/mol relative to free atoms, electronic
    forces: np.ndarray | None = None  # (n, 3) kcal/mol/Å
    charges: np.ndarray | None = None  # (n,) e
    bond_orders: np.ndarray | None = None  # (n, n)


def single_point(molecule: Molecules, how: Method | str, forces: bool = False) -> SinglePoint:
    """Return the energy of one molecule as it stands, relative to free atoms.

    Parameters
    ----------
    molecule
        One molecule.
    how
        A method or its name.
    forces
        Whether forces are computed, too.
    """
    how = method(how) if isinstance(how, str) else how
    point = how.calculation(molecule).at(molecule.positions.numpy(), gradient=forces)
    atoms = float(free_atoms_of(how, molecule.elements).energies(molecule)[0])
    push = None if point.gradient is None or not forces else -point.gradient * (HARTREE / BOHR)
    total = point.energy * HARTREE
    return SinglePoint(total, total - atoms, push, point.charges, point.bond_orders)


def single_points(
    molecules: Molecules, how: Method | str, forces: bool = False
) -> list[SinglePoint]:
    """Return the energies of molecules as they stand, relative to free atoms.

    GFN2-xTB gets one thread: on a busy processor, two of them waited for each other a second for a
    molecule that takes 7 ms. DFT uses what OMP_NUM_THREADS says.

    Parameters
    ----------
    molecules
        M molecules.
    how, forces
        As in `single_point`.

    Returns
    -------
    list
        M energies.
    """
    how = method(how) if isinstance(how, str) else how
    with one_thread() if how.family == "xtb" else nullcontext():
        return [single_point(molecule, how, forces) for molecule in molecules]
