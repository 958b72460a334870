"""The verb `label`: energies from a quantum method."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onekcal.cli.console import Json, print_json

if TYPE_CHECKING:
    from onekcal.data.dataset import Dataset
    from onekcal.io.records import Problem
    from onekcal.labels.labelling import Labelling


def label(
    source: Annotated[str, typer.Argument(help="A file (xyz, sdf, smi, …) or a data set's name.")],
    out: Annotated[
        Path,
        typer.Argument(help="Where the labels go (.h5); `onekcal data check OUT` looks at them."),
    ],
    method: Annotated[
        str, typer.Option(help="gfn2, gfn1, or FUNCTIONAL/BASIS such as b3lyp/6-31g.")
    ] = "gfn2",
    relax: Annotated[bool, typer.Option("--relax", help="Relax each geometry first.")] = False,
    forces: Annotated[bool, typer.Option("--forces", help="Forces too.")] = False,
    charges: Annotated[
        bool, typer.Option("--charges", help="Partial charges of the atoms too (Mulliken).")
    ] = False,
    frequencies: Annotated[
        bool, typer.Option("--frequencies", help="Zero-point energy and H(298 K) − H(0) too.")
    ] = False,
    keep: Annotated[
        list[str] | None, typer.Option(help="With --relax: a column that stays valid.")
    ] = None,
    sample: Annotated[
        int | None, typer.Option(help="Only this many molecules, drawn at random.")
    ] = None,
    small: Annotated[
        int,
        typer.Option(help="With --sample: also all molecules with at most this many heavy atoms."),
    ] = 0,
    seed: Annotated[
        int, typer.Option(help="Seed of --sample; a larger sample begins with a smaller one.")
    ] = 0,
    scheduler: Annotated[str | None, typer.Option(help="Address of a Dask scheduler.")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Local processes; default: all cores.")
    ] = None,
    length: Annotated[
        str | None,
        typer.Option(
            help="Unit of the file's coordinates; default: the one in the file, or angstrom."
        ),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace OUT even if other labels in it are lost."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Compute energies with a quantum method.

    An interrupted job goes on where it stopped when it is run again.
    """
    from onekcal.datasets import names
    from onekcal.labels.labelling import label as compute

    dataset, problems = (
        (None, []) if source in names() or source.endswith(".h5") else _geometries(source, length)
    )
    for problem in problems:
        print(f"onekcal: {problem}", file=sys.stderr)
    if problems and dataset is None:
        raise typer.Exit(2)
    done = compute(
        dataset or source,
        out,
        method,
        relax,
        forces,
        frequencies,
        scheduler,
        workers,
        quiet=as_json,
        keep=keep or [],
        sample=sample,
        seed=seed,
        small=small,
        charges=charges,
        overwrite=overwrite,
    )
    _said(out, method, done, as_json)


def _said(out: Path, method: str, done: Labelling, as_json: bool) -> None:
    """Tell what was computed, and which molecules failed."""
    if as_json:
        print_json(
            {
                "out": str(out),
                "done": done.done,
                "computed": done.computed,
                "seconds": done.seconds,
                "failed": [vars(one) for one in done.failed],
            }
        )
    else:
        print(
            f"{out}: {done.done} molecules with {method}, "
            f"{done.computed} computed now in {done.seconds:.1f} s"
        )
    for one in done.failed:
        print(f"onekcal: row {one.row} ({one.name}): {one.reason}", file=sys.stderr)


def _geometries(source: str, length: str | None) -> tuple[Dataset | None, list[Problem]]:
    """The molecules of a file without its labels, and its problems."""
    from onekcal.io import read_all

    return read_all(source, length=length, energy_key=None, forces_key=None)
