r"""Orbitals from the files of other programs: .wfx, .molden, .fchk. Atomic units.

Each reader returns what its file says as `Contents`; `read_wavefunction` makes orbitals of it. They
must come out orthonormal and hold the electrons the file speaks of: programs differ in how they
normalise functions, and a file read by another convention is refused, not believed.
"""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from pathlib import Path

import numpy as np
import torch

from onekcal.errors import InputError, unknown
from onekcal.molecules import Molecules
from onekcal.quantum.orbitals.contents import Contents
from onekcal.quantum.orbitals.formats import read_fchk, read_molden, read_wfx
from onekcal.quantum.orbitals.gaussians import basis_of, overlap
from onekcal.quantum.orbitals.orbitals import Orbitals
from onekcal.system.files import damage_refused
from onekcal.units import BOHR

ORTHONORMAL = 5e-4
"""Largest deviation of an orbital's norm, or of an overlap of two, from 1 and 0: coefficients have
few digits.
"""
EMPTY = 1e-12
"""Electrons; orbitals with fewer are left out."""


def read_wavefunction(path: str | PathLike[str]) -> tuple[Molecules, Orbitals]:
    """Return the molecule and the occupied orbitals of a wavefunction file.

    Parameters
    ----------
    path
        A file whose name ends in .wfx, .molden or .fchk.

    Returns
    -------
    tuple of Molecules and Orbitals
        One molecule (positions in Å, charge and unpaired electrons as the occupations say), named
        like the file, and its orbitals (atomic units).

    Raises
    ------
    InputError
        Where there is no such file or format, or the file is cut off, contradicts itself, or has
        orbitals that are not orthonormal.
    """
    readers: dict[str, Callable[[str, str], Contents]] = {
        ".wfx": read_wfx,
        ".molden": read_molden,
        ".fchk": read_fchk,
    }
    path = Path(path)
    if path.suffix.lower() not in readers:
        unknown("format of a wavefunction for", path.suffix or path.name, readers)
    if not path.is_file():
        raise InputError(f"no file {path}")
    ending = path.suffix.lower()
    with damage_refused(path, f"a whole {ending} file", "write it again", InputError):
        contents = readers[ending](
            path.read_text(encoding="utf-8", errors="replace"), str(path)
        ).of_each_spin()
        _check_counts(contents, path)
        found = _orthonormal(contents, path)
        held = [float(n.sum()) for n in found.occupations]
        molecule = Molecules.one(
            contents.numbers.tolist(),
            contents.centres * BOHR,
            round(float(contents.effective.sum()) - sum(held)),
            round(abs(held[0] - held[1])) if len(held) == 2 else 0,
            path.stem,
        )
    return molecule, found


def _check_counts(contents: Contents, path: Path) -> None:
    functions = sum(len(shell.functions) for shell in contents.shells)
    for coefficients, occupations in zip(contents.coefficients, contents.occupations):
        if coefficients.shape != (functions, len(occupations)):
            raise InputError(
                f"{path} has {functions} basis functions and {len(occupations)} occupations, but "
                f"coefficients of {coefficients.shape[0]} functions in {coefficients.shape[1]} "
                "orbitals"
            )
    held = float(sum(n.sum() for n in contents.occupations))
    if contents.electrons is not None and abs(held - contents.electrons) > 1e-3:
        raise InputError(
            f"{path} says it has {contents.electrons:g} electrons, but its orbitals hold {held:g}"
        )
    if abs(held - round(held)) > 1e-3 or held < 0.5:
        raise InputError(
            f"the orbitals of {path} hold {held:g} electrons; expected a whole number, at least one"
        )


def _orthonormal(contents: Contents, path: Path) -> Orbitals:
    """With contractions as written, else with contractions scaled to norm one, whichever makes
    orthonormal orbitals.
    """
    off = []
    for to_one in (False, True):
        found = _orbitals(contents, to_one, path.name)
        off.append(_deviation(found))
        if off[-1] < ORTHONORMAL:
            return found
    raise InputError(
        f"the orbitals of {path} are not orthonormal (off by {min(off):.2g}, at most "
        f"{ORTHONORMAL:g} expected): its program normalises or orders basis functions in a way of "
        "its own, or the file is damaged; try another format (.wfx, .fchk)"
    )


def _deviation(found: Orbitals) -> float:
    """The largest of ⟨φ_i|φ_j⟩ − δ_ij over the occupied orbitals."""
    square = overlap(found.basis)
    worst = [
        np.abs(c.numpy().T @ square @ c.numpy() - np.eye(c.shape[1])).max(initial=0.0)
        for c in found.coefficients
    ]
    return float(max(worst))


def _orbitals(contents: Contents, to_one: bool, source: str) -> Orbitals:
    filled = [np.abs(n) > EMPTY for n in contents.occupations]
    return Orbitals(
        torch.from_numpy(contents.numbers.astype(np.int64)),
        torch.from_numpy(contents.centres),
        torch.from_numpy(contents.effective.astype(float)),
        basis_of(shell.shell(to_one) for shell in contents.shells),
        tuple(
            torch.from_numpy(np.ascontiguousarray(c[:, f]))
            for c, f in zip(contents.coefficients, filled)
        ),
        tuple(torch.from_numpy(n[f]) for n, f in zip(contents.occupations, filled)),
        source,
    )
