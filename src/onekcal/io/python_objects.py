"""Molecules as Python holds them: text, `Molecules`, ASE's `Atoms`, RDKit's `Mol`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from onekcal.errors import InputError
from onekcal.molecules import Molecules

if TYPE_CHECKING:
    from ase import Atoms
    from rdkit.Chem import Mol

    Given = str | Path | Molecules | Atoms | Mol

EXPECTED = "a SMILES, the name of a file, Molecules, ASE's Atoms or RDKit's Mol"


def listed(given: Given | Iterable[Given]) -> list[Given]:
    """Return what is asked for as a list, also where it is a single thing.

    Parameters
    ----------
    given
        One molecule or several: a list, a pandas column, a generator.

    Raises
    ------
    InputError
        It is a whole pandas table, or nothing that molecules could be in.
    """
    if isinstance(given, (str, Path, Molecules)) or _is_atoms(given) or _is_mol(given):
        return [given]  # type: ignore[list-item]
    if type(given).__module__.startswith("pandas") and hasattr(given, "columns"):
        raise InputError("a whole table is no list of molecules; give a column: table['smiles']")
    try:
        return list(given)  # type: ignore[arg-type]
    except TypeError:
        raise InputError(f"expected {EXPECTED}, or several of them, got {given!r}") from None


def text_or_molecules(given: Given) -> str | Molecules:
    """Return one thing as a text (a SMILES or the name of a file) or as molecules.

    Parameters
    ----------
    given
        One of those in `EXPECTED`.

    Raises
    ------
    InputError
        It is something else, or holds no molecule that can be used.
    """
    if isinstance(given, Molecules):
        return given
    if isinstance(given, (str, Path)):
        return str(given)
    if _is_atoms(given):
        from onekcal.io.ase_atoms import from_atoms

        return from_atoms(given)  # type: ignore[arg-type]
    if _is_mol(given):
        from onekcal.io.rdkit_formats import from_mol

        return from_mol(given)  # type: ignore[arg-type]
    raise InputError(f"expected {EXPECTED}, got {given!r}")


def _is_atoms(thing: object) -> bool:
    """Is it ASE's? Where ASE was never imported, nothing can be."""
    module = sys.modules.get("ase")
    return module is not None and isinstance(thing, module.Atoms)


def _is_mol(thing: object) -> bool:
    """Is it RDKit's? Where RDKit was never imported, nothing can be."""
    module = sys.modules.get("rdkit.Chem")
    return module is not None and isinstance(thing, module.Mol)
