"""Occupied orbitals by a density's name, or out of a wavefunction file."""

from __future__ import annotations

from os import PathLike

from onekcal.errors import InputError
from onekcal.molecules import Molecules
from onekcal.quantum.orbitals.orbitals import Orbitals

ONE_SHOT, CORE = "one-shot", "+core"


def orbitals(molecule: Molecules, method: str) -> Orbitals:
    """Occupied orbitals of one molecule by a density's name; charge and unpaired electrons are the molecule's.

    "gfn2", "gfn1" (valence electrons alone), "gfn2+core" (with frozen 1s cores, to Ne); "hf/6-31g", "b3lyp/6-31g", any
    FUNCTIONAL/BASIS, " df" behind it for density fitting; "one-shot" or "one-shot/BASIS": superposed atoms and one
    diagonalisation. Raises `LabelError` where an SCF does not converge.
    """
    from onekcal.quantum.method import check_molecule
    from onekcal.quantum.named import method as named

    name = density_name(method)
    check_molecule(molecule)
    kind, _, basis = name.partition("/")
    if kind == ONE_SHOT:
        from onekcal.quantum.orbitals.dft import one_shot

        return one_shot(molecule, basis)
    how = named(name.removesuffix(CORE))
    if how.family == "xtb":
        from onekcal.quantum.orbitals.gfn2 import tight_binding_orbitals, with_cores

        found = tight_binding_orbitals(molecule, how)
        return with_cores(found) if name.endswith(CORE) else found
    from onekcal.quantum.orbitals.dft import self_consistent

    return self_consistent(molecule, how)


def density_name(density: str) -> str:
    """The one spelling of a density's name: "GFN2-xTB" is "gfn2", "one-shot" is "one-shot/6-31g"; refuses unknown ones."""
    from onekcal.quantum.named import method

    word = " ".join(density.lower().split())
    kind, _, basis = word.partition("/")
    if kind == ONE_SHOT:
        return f"{kind}/{method(f'hf/{basis}').basis if basis else '6-31g'}"
    how = method(word.removesuffix(CORE))
    if word.endswith(CORE) and how.family != "xtb":
        raise InputError(f"{how.name} has its cores already; leave {CORE!r} out")
    return how.name + CORE * word.endswith(CORE)


def read_orbitals(path: str | PathLike[str]) -> tuple[Molecules, Orbitals]:
    """The molecule and the occupied orbitals of a wavefunction file: .wfx, .molden or .fchk."""
    from onekcal.quantum.orbitals.files import read_wavefunction

    return read_wavefunction(path)
