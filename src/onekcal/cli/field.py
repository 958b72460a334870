"""`onekcal field`: fields of molecules on voxels, to train on and to look at."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onekcal.cli.console import Json, print_json
from onekcal.errors import InputError

if TYPE_CHECKING:
    from onekcal.fields.compute import FieldRequest, OrbitalSource
    from onekcal.fields.fill import Filling
    from onekcal.molecules import Molecules


def field(
    source: Annotated[
        str,
        typer.Argument(
            metavar="IN",
            help="A SMILES, a file of molecules, a data set's name, or a wavefunction "
            "(wfx, molden, fchk).",
        ),
    ],
    kind: Annotated[
        str,
        typer.Option(
            help="Fields, by comma: rho, tau, lol, elf (-alpha, -beta), nep, esp, atom:C, "
            "gauss:O@0.8, wave:Z, atoms, …"
        ),
    ],
    density: Annotated[
        str | None,
        typer.Option(
            help="Where electrons come from: gfn2 (the default), one-shot, hf/6-31g, b3lyp/6-31g, …"
        ),
    ] = None,
    grid: Annotated[int, typer.Option(help="Voxels along an edge of the cube.")] = 14,
    box: Annotated[float, typer.Option(help="Edge of the cube, Å.")] = 10.4,
    fit: Annotated[
        bool,
        typer.Option("--fit", help="A larger cube where the molecules need it, the same for all."),
    ] = False,
    turn: Annotated[
        int, typer.Option(help="Number of a random rotation on top of the orientation; 0: none.")
    ] = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Where the fields go (.h5). Default: the store that training reads, unless a "
            "picture is asked for."
        ),
    ] = None,
    png: Annotated[Path | None, typer.Option(help="A picture of one molecule.")] = None,
    html: Annotated[
        Path | None, typer.Option(help="The same to turn with the mouse; one offline file.")
    ] = None,
    cube: Annotated[
        Path | None, typer.Option(help="The voxels of one molecule as a .cube file.")
    ] = None,
    molecule: Annotated[int, typer.Option(help="Which row is looked at, from 0.")] = 0,
    level: Annotated[
        list[float] | None, typer.Option(help="Values at which surfaces are drawn (repeatable).")
    ] = None,
    scheduler: Annotated[str | None, typer.Option(help="Address of a Dask scheduler.")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Local processes; default: as many as are useful.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Compute fields in a cube around each molecule.

    An interrupted job goes on where it stopped when it is run again.
    """
    from onekcal.fields.compute import request
    from onekcal.fields.grid import size_needed
    from onekcal.show.sources import WAVEFUNCTIONS, of_wavefunction, wavefunction_of

    wavefunction = Path(source).suffix.lower() in WAVEFUNCTIONS
    if wavefunction and density is not None:
        raise InputError(f"{source} brings its own density; leave --density out")
    what = request(kind.split(","), density or "gfn2", grid, box, turn)
    molecules, orbitals = (
        wavefunction_of(source) if wavefunction else (_molecules(source, scheduler, workers), None)
    )
    looks = [path for path in (png, html, cube) if path is not None]
    if not 0 <= molecule < len(molecules):
        raise InputError(f"--molecule must be from 0 to {len(molecules) - 1}, got {molecule}")
    if fit:
        what = request(
            kind.split(","), density or "gfn2", grid, max(box, size_needed(molecules, turn)), turn
        )
    if wavefunction:
        what = of_wavefunction(what, Path(source))
    done = None
    if orbitals is not None and out is not None:
        _keep(out, molecules, what, orbitals)
    elif out is not None or not (looks or wavefunction):
        done = _fill(molecules, what, out, scheduler, workers, as_json)
    written = [out] if wavefunction and out is not None else []
    if looks:
        written += _look(molecules[molecule], what, orbitals, png, html, cube, level)
    _said(done, what, written, as_json)


def _molecules(source: str, scheduler: str | None, workers: int | None) -> Molecules:
    """Molecules of a data set or a file, or the lowest conformer of each SMILES.

    A molecule that cannot be read is reported; the others go on.
    """
    from onekcal import datasets as data
    from onekcal.molecules import Molecules
    from onekcal.prediction.geometry import geometries_of
    from onekcal.prediction.questions import questions

    if source in data.names() or data.is_here(source) or source.endswith(".h5"):
        return data.load(source).dataset.molecules
    placed: list[Molecules] = []
    for found in geometries_of(list(questions([source])), scheduler, workers):
        if isinstance(found, Molecules):
            placed.append(found)
        else:
            print(f"onekcal: {found}", file=sys.stderr)
    if not placed:
        raise typer.Exit(2)
    return Molecules.concatenate(placed)


def _fill(
    molecules: Molecules,
    what: FieldRequest,
    out: Path | None,
    scheduler: str | None,
    workers: int | None,
    quiet: bool,
) -> Filling:
    """Compute the fields that are not in the file or the store yet."""
    from onekcal.fields.fill import fill
    from onekcal.fields.store import folder, stored

    if out is None:
        return stored(molecules, what, scheduler, workers, quiet)[1]
    sources = sorted(folder().glob("*.h5"))
    return fill(out, molecules, what, scheduler, workers, quiet, sources)


def _keep(out: Path, molecules: Molecules, what: FieldRequest, source: OrbitalSource) -> None:
    """Write the fields of a wavefunction file."""
    from onekcal.fields.compute import sampled
    from onekcal.fields.cost import check_room
    from onekcal.fields.fill import keep

    check_room(len(molecules), what, out.resolve().parent)
    keep(out, molecules, what, sampled(molecules, what, source=source).numpy())


def _look(
    molecule: Molecules,
    what: FieldRequest,
    source: OrbitalSource | None,
    png: Path | None,
    html: Path | None,
    cube: Path | None,
    level: list[float] | None,
) -> list[Path]:
    """Write pictures and cube files of one molecule; return the files."""
    from onekcal.fields.cube_file import write_cube
    from onekcal.fields.portrait import portraits
    from onekcal.show.pages import voxels
    from onekcal.show.sources import title_of

    drawn = portraits(molecule, what, source, fine=png is not None or html is not None)
    title = title_of(molecule, what)
    if png is not None:
        voxels.png(drawn, png, title, level)
    if html is not None:
        voxels.html(drawn, html, title, level)
    written = [path for path in (png, html) if path is not None]
    for one in drawn if cube is not None else ():
        assert cube is not None
        path = (
            cube if len(drawn) == 1 else cube.with_stem(f"{cube.stem}-{one.name.replace(':', '-')}")
        )
        write_cube(path, one.placed, one.voxels, one.box, f"{title}: {one.title}")
        written.append(path)
    return written


def _said(done: Filling | None, what: FieldRequest, written: list[Path], as_json: bool) -> None:
    """Print what was done and what failed; it is an error only if everything failed."""
    names = [kind.name for kind in what.kinds]
    if as_json:
        facts: dict[str, object] = {
            "kinds": names,
            "grid": what.n,
            "box": what.box,
            "density": what.density,
            "written": [str(path) for path in written],
        }
        if done is not None:
            facts |= {
                "out": str(done.out),
                "done": done.done,
                "computed": done.computed,
                "seconds": done.seconds,
                "failed": [vars(one) for one in done.failed],
            }
        print_json(facts)
    else:
        if done is not None:
            print(
                f"{done.out}: {done.done} molecules, {', '.join(names)} on {what.n}³ voxels of "
                f"{what.box:g} Å; {done.computed} computed now in {done.seconds:.1f} s"
            )
        for path in written:
            print(f"wrote {path}")
    for one in done.failed if done is not None else ():
        print(f"onekcal: row {one.row} ({one.name}): {one.reason}", file=sys.stderr)
    if done is not None and done.failed and not done.done:
        raise typer.Exit(1)
