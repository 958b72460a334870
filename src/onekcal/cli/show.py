"""The verb `show`: finished runs, molecules and trajectories as one file to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from onekcal.errors import InputError


def show(
    sources: Annotated[
        list[str], typer.Argument(help="Run folders; or a SMILES, a file or a data set's name.")
    ],
    molecule: Annotated[int | None, typer.Option(help="Only this row, from 0.")] = None,
    frames: Annotated[
        int,
        typer.Option(help="At most so many molecules, evenly spaced; they play as an animation."),
    ] = 100,
    energy: Annotated[
        str | None, typer.Option(help="Show this energy column, with its forces.")
    ] = None,
    field: Annotated[
        str | None,
        typer.Option(help="Fields of a molecule, by comma: lol, elf, nep, esp, atoms, …"),
    ] = None,
    density: Annotated[
        str | None,
        typer.Option(help="Where their electrons come from (gfn2 when nothing is said)."),
    ] = None,
    grid: Annotated[int, typer.Option(help="Voxels along an edge of their cube.")] = 14,
    level: Annotated[
        list[float] | None, typer.Option(help="Where surfaces are drawn (repeatable).")
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option("--save", "--out", help="File to write: .html, or .png, .gif without runs."),
    ] = None,
) -> None:
    """A page of finished runs, molecules in 3-D, or a field.

    Several runs on the same molecules are compared; molecules come with their forces.
    Everything is in the one HTML file that is written; it needs no network.
    """
    from onekcal.show.sources import is_field, is_run

    if is_run(sources[0]):
        if field is not None:
            raise InputError(
                f"--field shows a field around a molecule, and {sources[0]} is a run; leave --field out"
            )
        return _runs([Path(source) for source in sources], save)
    if len(sources) > 1:
        raise InputError(
            f"molecules are shown one source at a time, got {len(sources)}: {', '.join(sources)}"
        )
    if field is not None or is_field(sources[0]):
        return _field(sources[0], molecule or 0, field, density, grid, level, save)
    _molecules(sources[0], molecule, frames, energy, save)


def _runs(folders: list[Path], save: Path | None) -> None:
    from onekcal.show.pages.report import report
    from onekcal.show.study import waiting

    out = save or (folders[0] / "report.html" if len(folders) == 1 else Path("comparison.html"))
    with waiting(f"{len(folders)} run{'s' * (len(folders) > 1)}: reading"):
        done = report(folders, out)
    print(f"wrote {done.path} ({done.drawn:,} of {done.molecules:,} molecules drawn)")


def _field(
    source: str,
    molecule: int,
    kinds: str | None,
    density: str | None,
    grid: int,
    level: list[float] | None,
    save: Path | None,
) -> None:
    from onekcal.show.pages import voxels
    from onekcal.show.sources import portraits_of

    found, title = portraits_of(source, molecule, kinds, density, grid)
    out = save or Path(
        f"{_file_name(Path(source).stem if Path(source).exists() else source)}-field.html"
    )
    voxels.save(found, out, title, level)
    print(f"wrote {out} ({', '.join(one.title for one in found)})")


def _file_name(title: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in title)


def _molecules(
    source: str, molecule: int | None, frames: int, energy: str | None, save: Path | None
) -> None:
    from onekcal.show.pages import view
    from onekcal.show.sources import dataset_of

    dataset, title = dataset_of(source, energy)
    if molecule is not None and not 0 <= molecule < len(dataset):
        raise InputError(
            f"--molecule must be from 0 to {len(dataset) - 1} in {source}, got {molecule}"
        )
    rows = view.frames_of(dataset, frames) if molecule is None else [molecule]
    out = save or Path(f"{_file_name(title)}-3d.html")
    view.save(dataset, rows, out, title)
    print(f"wrote {out} ({len(rows)} of {len(dataset)} molecules)")
