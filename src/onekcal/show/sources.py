"""What can be shown, from what it is called: a run, a file, a data set, a SMILES."""

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
    """A run's folder, also one that is not finished?"""
    path = Path(source)
    return path.is_dir() or path.with_name(path.name + ".part").is_dir()


def is_field(source: str) -> bool:
    """A file of voxels or of a wavefunction?"""
    ending = Path(source).suffix.lower()
    if ending not in (".cube", ".cub", ".h5"):
        return ending in WAVEFUNCTIONS
    from onekcal.show.stored_fields import holds_fields

    return holds_fields(Path(source))


def dataset_of(source: str, energy: str | None = None) -> tuple[Dataset, str]:
    """The molecules of a file, a data set or a SMILES, aimed at an energy with its forces, and
    what to call them.
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
        found = conformers(smiles)
    except OnekcalError as problem:
        near = (
            sorted(map(str, Path(smiles).parent.glob(f"{Path(smiles).name}*")))
            if "/" in smiles
            else []
        )
        meant = f"; did you mean {near[0]}?" if near else f"; as a SMILES: {problem}"
        raise InputError(f"{smiles!r} is no run, no file and no data set{meant}") from None
    return Dataset(
        found.molecules,
        {"gfn2": Column(torch.from_numpy(found.energies), level="gfn2", kind="total")},
        "gfn2",
    )


# --- fields -----------------------------------------------------------------------------------


def portraits_of(
    source: str, row: int, kinds: str | None = None, density: str | None = None, grid: int = 14
) -> tuple[list[Portrait], str]:
    """Fields that are in the file already, or are computed for the molecule `row`; and what to
    call them.
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
    found, title = portrayed(molecules[row], kinds or "lol", density, grid, orbitals, brought)
    return found, title if path.exists() or brought is not None else title.replace(
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
    """Fields in a cube that is large enough; `brought`: the file that the `orbitals` are from."""
    from onekcal.fields.compute import request
    from onekcal.fields.grid import BOX, size_needed
    from onekcal.fields.portrait import portraits

    what = request(kinds.split(","), density or "gfn2", grid, max(BOX, size_needed(molecule)))
    if brought is not None:
        what = of_wavefunction(what, brought)
    found = portraits(molecule, what, orbitals)
    return [one for one in found if one.voxels.any()] or found, title_of(
        molecule, what
    )  # without elements it has not


def title_of(molecule: Molecules, what: FieldRequest) -> str:
    """Name or formula, and where its electrons come from."""
    name = str(molecule.names[0]) or molecule.formulas[0]
    return f"{name} · {what.density}" if what.density else name


def wavefunction_of(source: str) -> tuple[Molecules, OrbitalSource]:
    """The molecule of a wavefunction file, and its orbitals whatever density is asked for."""
    from onekcal.quantum.orbitals.named import read_orbitals

    molecules, found = read_orbitals(source)
    return molecules, lambda molecule, density: found


def of_wavefunction(what: FieldRequest, path: Path) -> FieldRequest:
    """The content of a wavefunction file takes the place of a density's name."""
    from dataclasses import replace

    from onekcal.datasets.fetch import sha256

    return replace(what, density=f"{path.name} {sha256(path)[:12]}" if what.density else "")
