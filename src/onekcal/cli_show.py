"""The verb `show`: finished runs, molecules and trajectories as one file to look at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onekcal.errors import InputError, OnekcalError

if TYPE_CHECKING:
    from onekcal.data.dataset import Dataset


def show(
    sources: Annotated[list[str], typer.Argument(help="Run folders; or a SMILES, a file or a data set's name.")],
    molecule: Annotated[int | None, typer.Option(help="Only this row, from 0.")] = None,
    frames: Annotated[int, typer.Option(help="At most so many molecules, evenly spaced; they play as an animation.")] = 100,
    energy: Annotated[str | None, typer.Option(help="Show this energy column, with its forces.")] = None,
    save: Annotated[Path | None, typer.Option("--save", "--out", help="File to write: .html, molecules .png, .gif.")] = None,
) -> None:
    """The report of finished runs (several on the same molecules are compared), or molecules in 3-D with their forces.

    Everything is in the one HTML file that is written; it needs no network.
    """
    if _is_run(sources[0]):
        return _runs([Path(source) for source in sources], save)
    if len(sources) > 1:
        raise InputError(f"molecules are shown one source at a time, got {len(sources)}: {', '.join(sources)}")
    _molecules(sources[0], molecule, frames, energy, save)


def _is_run(source: str) -> bool:
    path = Path(source)
    return path.is_dir() or path.with_name(path.name + ".part").is_dir()


def _runs(folders: list[Path], save: Path | None) -> None:
    from onekcal.show.report import report
    from onekcal.show.study import waiting

    out = save or (folders[0] / "report.html" if len(folders) == 1 else Path("comparison.html"))
    with waiting(f"{len(folders)} run{'s' * (len(folders) > 1)}: reading"):
        done = report(folders, out)
    print(f"wrote {done.path} ({done.drawn:,} of {done.molecules:,} molecules drawn)")


def _molecules(source: str, molecule: int | None, frames: int, energy: str | None, save: Path | None) -> None:
    from onekcal import data as store
    from onekcal.show import view

    path = Path(source)
    if path.exists() or source in store.names():
        dataset, title = view.with_energy(store.load(source).dataset, energy), path.stem
    else:
        dataset, title = _conformers(source), source
    if molecule is not None and not 0 <= molecule < len(dataset):
        raise InputError(f"--molecule must be from 0 to {len(dataset) - 1} in {source}, got {molecule}")
    rows = view.frames_of(dataset, frames) if molecule is None else [molecule]
    out = save or Path(f"{''.join(c if c.isalnum() else '_' for c in title)}-3d.html")
    view.save(dataset, rows, out, title)
    print(f"wrote {out} ({len(rows)} of {len(dataset)} molecules)")


def _conformers(smiles: str) -> Dataset:
    """GFN2-xTB minima of a SMILES, the lowest first."""
    import torch

    from onekcal.conformers import conformers
    from onekcal.data.dataset import Column, Dataset

    try:
        found = conformers(smiles)
    except OnekcalError as problem:
        raise InputError(f"{smiles!r} is no run, no file and no data set; as a SMILES: {problem}") from None
    return Dataset(found.molecules, {"gfn2": Column(torch.from_numpy(found.energies), level="gfn2", kind="total")}, "gfn2")
