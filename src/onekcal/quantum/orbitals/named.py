"""Occupied orbitals by a density's name, or out of a wavefunction file."""

from __future__ import annotations

from os import PathLike

from onekcal.errors import InputError
from onekcal.molecules import Molecules
from onekcal.quantum.method import Program, check_molecule
from onekcal.quantum.named import method
from onekcal.quantum.orbitals.dft import one_shot, self_consistent
from onekcal.quantum.orbitals.files import read_wavefunction
from onekcal.quantum.orbitals.gfn2 import tight_binding_orbitals, with_cores
from onekcal.quantum.orbitals.orbitals import Orbitals

ONE_SHOT, CORE = "one-shot", "+core"
"""Word and suffix of a density's name that a method's name does not have."""


def orbitals(molecule: Molecules, density: str) -> Orbitals:
    """Return the occupied orbitals of one molecule.

    Parameters
    ----------
    molecule
        One molecule with its charge and unpaired electrons.
    density
        "gfn2", "gfn1" (valence electrons alone); "gfn2+core" (with frozen 1s cores, to Ne);
        "FUNCTIONAL/BASIS", with " df" behind for density fitting; "one-shot" or "one-shot/BASIS"
        (superposed atoms and one diagonalisation).

    Raises
    ------
    LabelError
        Where an SCF does not converge.
    MissingExtra
        Where the density needs pyscf and it is not installed.
    """
    name = density_name(density)
    check_molecule(molecule)
    kind, _, basis = name.partition("/")
    if kind == ONE_SHOT:
        return one_shot(molecule, basis)
    how = method(name.removesuffix(CORE))
    if how.family == "xtb":
        found = tight_binding_orbitals(molecule, how)
        return with_cores(found) if name.endswith(CORE) else found
    return self_consistent(molecule, how)


def density_name(density: str) -> str:
    """Return the one spelling of a density's name.

    "GFN2-xTB" is "gfn2", and "one-shot" is "one-shot/6-31g".

    Parameters
    ----------
    density
        A name that `orbitals` takes, in any case.

    Raises
    ------
    InputError
        Where there is no such density.
    """
    word = " ".join(density.lower().split())
    kind, _, basis = word.partition("/")
    if kind == ONE_SHOT:
        return f"{kind}/{method(f'hf/{basis}').basis if basis else '6-31g'}"
    how = method(word.removesuffix(CORE))
    if word.endswith(CORE) and how.family != "xtb":
        raise InputError(f"{how.name} has its cores already; leave {CORE!r} out")
    return how.name + CORE * word.endswith(CORE)


def program_of(density: str) -> Program:
    """Return the program that computes a density; its `version` says whether it is installed.

    Parameters
    ----------
    density
        A name that `orbitals` takes.

    Raises
    ------
    InputError
        Where there is no such density.
    """
    kind, _, basis = density_name(density).partition("/")
    name = f"hf/{basis}" if kind == ONE_SHOT else density_name(density).removesuffix(CORE)
    return method(name).program


def read_orbitals(path: str | PathLike[str]) -> tuple[Molecules, Orbitals]:
    """Return the molecule and the occupied orbitals of a file of another program.

    Parameters
    ----------
    path
        A file whose name ends in .wfx, .molden or .fchk.

    Returns
    -------
    tuple of Molecules and Orbitals
        One molecule (positions in Å, charge and unpaired electrons as the occupations say) and its
        orbitals (atomic units).

    Raises
    ------
    InputError
        Where there is no such file, or it cannot be read, or its orbitals are not orthonormal.
    """
    return read_wavefunction(path)
