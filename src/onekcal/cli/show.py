"""The verb `show`: finished runs, molecules and trajectories as one file to look at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from onekcal.show.subject import Fields, Runs, View


def show(
    sources: Annotated[
        list[str], typer.Argument(help="Run folders; or a SMILES, a file or a data set's name.")
    ],
    molecule: Annotated[int | None, typer.Option(help="Only this row, from 0.")] = None,
    frames: Annotated[
        int,
        typer.Option(help="The most molecules to show, evenly spaced; they play as an animation."),
    ] = 100,
    energy: Annotated[
        str | None, typer.Option(help="Show this energy column, with its forces.")
    ] = None,
    field: Annotated[
        str | None,
        typer.Option(
            help="Fields of a molecule, with commas between them: lol, elf, nep, esp, atoms, …"
        ),
    ] = None,
    density: Annotated[
        str | None,
        typer.Option(help="Where their electrons come from (default: gfn2)."),
    ] = None,
    grid: Annotated[int, typer.Option(help="Voxels along an edge of their cube.")] = 14,
    level: Annotated[
        list[float] | None, typer.Option(help="Values at which surfaces are drawn (repeatable).")
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            "--save",
            "--out",
            help="File to write: .html; for molecules and fields also .png or .gif.",
        ),
    ] = None,
) -> None:
    """Write a page of finished runs, of molecules in 3-D, or of a field.

    Several runs on the same molecules are compared; molecules come with their forces.
    The HTML file holds everything; it needs no network.
    """
    from onekcal.show.subject import Fields, Runs, Wish, subject

    shown = subject(sources, Wish(molecule, frames, energy, field, density, grid))
    if isinstance(shown, Runs):
        _runs(shown, save)
    elif isinstance(shown, Fields):
        _fields(shown, sources[0], level, save)
    else:
        _molecules(shown, save)


def _runs(shown: Runs, save: Path | None) -> None:
    from onekcal.show.pages.report import report
    from onekcal.show.study import waiting

    folders = shown.folders
    out = save or (folders[0] / "report.html" if len(folders) == 1 else Path("comparison.html"))
    with waiting(f"{len(folders)} run{'s' * (len(folders) > 1)}: reading"):
        done = report(folders, out)
    print(f"wrote {done.path} ({done.drawn:,} of {done.molecules:,} molecules drawn)")


def _fields(shown: Fields, source: str, level: list[float] | None, save: Path | None) -> None:
    from onekcal.show.pages import voxels

    name = Path(source).stem if Path(source).exists() else source
    out = save or Path(f"{_file_name(name)}-field.html")
    voxels.save(shown.portraits, out, shown.title, level)
    print(f"wrote {out} ({', '.join(one.title for one in shown.portraits)})")


def _molecules(shown: View, save: Path | None) -> None:
    from onekcal.show.pages import view

    out = save or Path(f"{_file_name(shown.title)}-3d.html")
    view.save(shown.dataset, shown.rows, out, shown.title)
    print(f"wrote {out} ({len(shown.rows)} of {len(shown.dataset)} molecules)")


def _file_name(title: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in title)
