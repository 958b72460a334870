"""Recognise what is to be shown: a run, a file, a data set or a SMILES."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from onekcal.errors import InputError, OnekcalError

if TYPE_CHECKING:
    from onekcal.data.dataset import Dataset
    from onekcal.fields.compute import FieldRequest, OrbitalSource
    from onekcal.fields.portrait import Portrait
    from onekcal.molecules import Molecules

WAVEFUNCTIONS = (".wfx", ".molden", ".fchk", ".fch")


def is_run(source: str) -> bool:
    """Tell whether a source is the folder of a run, finished or not.

    Parameters
    ----------
    source
        A path, a SMILES or a name.

    Returns
    -------
    bool
        True for a run.
    """
    path = Path(source)
    return path.is_dir() or path.with_name(path.name + ".part").is_dir()


def is_field(source: str) -> bool:
    """Tell whether a source is a file of voxels or of a wavefunction.

    Parameters
    ----------
    source
        A path, a SMILES or a name.

    Returns
    -------
    bool
        True for such a file.
    """
    ending = Path(source).suffix.lower()
    if ending not in (".cube", ".cub", ".h5"):
        return ending in WAVEFUNCTIONS
    from onekcal.show.stored_fields import holds_fields

    return holds_fields(Path(source))


def dataset_of(source: str, energy: str | None = None) -> tuple[Dataset, str]:
    """Read the molecules of a file, a data set or a SMILES.

    Parameters
    ----------
    source
        The file, the name of the data set, or the SMILES, of which conformers are made.
    energy
        The energy column to aim at; None: the first that has forces, or the first of all.

    Returns
    -------
    tuple
        The molecules, and what to call them.

    Raises
    ------
    InputError
        When the source is none of these.
    """
    from onekcal import datasets as store
    from onekcal.show.pages import view

    path = Path(source)
    if path.exists() or source in store.names():
        return view.with_energy(store.load(source).dataset, energy), path.stem
    return _conformers(source), source


def _conformers(smiles: str) -> Dataset:
    """GFN2-xTB minima of a SMILES, the lowest first."""
    import torch

    from onekcal.data.dataset import Column, Dataset
    from onekcal.geometry.conformers import conformers

    try:
        shapes = conformers(smiles)
    except OnekcalError as problem:
        near = (
            sorted(map(str, Path(smiles).parent.glob(f"{Path(smiles).name}*")))
            if "/" in smiles
            else []
        )
        meant = f"; did you mean {near[0]}?" if near else f"; as a SMILES: {problem}"
        raise InputError(f"{smiles!r} is no run, no file and no data set{meant}") from None
    return Dataset(
        shapes.molecules,
        {"gfn2": Column(torch.from_numpy(shapes.energies), level="gfn2", kind="total")},
        "gfn2",
    )


# --- fields -----------------------------------------------------------------------------------


def portraits_of(
    source: str, row: int, kinds: str | None = None, density: str | None = None, grid: int = 14
) -> tuple[list[Portrait], str]:
    """Read the fields of a file, or compute those of a molecule.

    Parameters
    ----------
    source
        A file of fields, a file of a wavefunction, or a source of molecules.
    row
        The molecule, from 0.
    kinds
        Kinds of fields with commas between them; None: lol.
    density
        Where the electrons come from; None: gfn2.
    grid
        Voxels along an edge of the cube.

    Returns
    -------
    tuple
        One portrait for each field, and what to call the molecule.

    Raises
    ------
    InputError
        When the file has its own fields or density and others are asked for, or the row is
        absent.
    """
    from onekcal.show.stored_fields import holds_fields, portraits_in

    path = Path(source)
    if holds_fields(path):
        if kinds is not None or density is not None:
            raise InputError(f"{path.name} brings its own fields; leave --field and --density out")
        return portraits_in(path, row)
    brought = path if path.suffix.lower() in WAVEFUNCTIONS else None
    if brought is not None and density is not None:
        raise InputError(f"{source} brings its own density; leave --density out")
    molecules, orbitals = (
        (dataset_of(source)[0].molecules, None) if brought is None else wavefunction_of(source)
    )
    if not 0 <= row < len(molecules):
        raise InputError(
            f"--molecule must be from 0 to {len(molecules) - 1} in {source}, got {row}"
        )
    drawn, title = portrayed(molecules[row], kinds or "lol", density, grid, orbitals, brought)
    return drawn, title if path.exists() or brought is not None else title.replace(
        molecules[row].formulas[0], source, 1
    )


def portrayed(
    molecule: Molecules,
    kinds: str,
    density: str | None = None,
    grid: int = 14,
    orbitals: OrbitalSource | None = None,
    brought: Path | None = None,
) -> tuple[list[Portrait], str]:
    """Compute fields in a cube that is large enough for a molecule.

    Parameters
    ----------
    molecule
        One molecule.
    kinds
        Kinds of fields with commas between them.
    density
        Where the electrons come from; None: gfn2.
    grid
        Voxels along an edge of the cube.
    orbitals
        Gives the orbitals of a wavefunction file.
    brought
        The file that the orbitals are from.

    Returns
    -------
    tuple
        One portrait for each field, and what to call the molecule.
    """
    from onekcal.fields.compute import request
    from onekcal.fields.grid import BOX, size_needed
    from onekcal.fields.portrait import portraits

    what = request(kinds.split(","), density or "gfn2", grid, max(BOX, size_needed(molecule)))
    if brought is not None:
        what = of_wavefunction(what, brought)
    drawn = portraits(molecule, what, orbitals)
    there = [one for one in drawn if one.voxels.any()]  # without elements that it does not have
    return there or drawn, title_of(molecule, what)


def title_of(molecule: Molecules, what: FieldRequest) -> str:
    """Name a molecule and the source of its electrons.

    Parameters
    ----------
    molecule
        One molecule.
    what
        The fields that are asked for.

    Returns
    -------
    str
        Its name or formula, and the density.
    """
    name = str(molecule.names[0]) or molecule.formulas[0]
    return f"{name} · {what.density}" if what.density else name


def wavefunction_of(source: str) -> tuple[Molecules, OrbitalSource]:
    """Read the molecule and the orbitals of a wavefunction file.

    Parameters
    ----------
    source
        The file.

    Returns
    -------
    tuple
        The molecule, and a function that gives the orbitals for any density.
    """
    from onekcal.quantum.orbitals.named import read_orbitals

    molecules, orbitals = read_orbitals(source)
    return molecules, lambda molecule, density: orbitals


def of_wavefunction(what: FieldRequest, path: Path) -> FieldRequest:
    """Put the content of a wavefunction file in the place of a density's name.

    Parameters
    ----------
    what
        The fields that are asked for.
    path
        The file.

    Returns
    -------
    FieldRequest
        The same fields of that file.
    """
    from dataclasses import replace

    from onekcal.datasets.fetch import sha256

    return replace(what, density=f"{path.name} {sha256(path)[:12]}" if what.density else "")
