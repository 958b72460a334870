"""The verb `predict`: energies of molecules, with intervals."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from onekcal.cli.console import Csv, Json, print_json
from onekcal.errors import InputError


def predict(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            help="SMILES, files (xyz, extxyz, sdf, smi, csv with a SMILES column, npz), or - for "
            "standard input."
        ),
    ] = None,
    model: Annotated[
        str, typer.Option(help="A model that ships, a run folder or a model file.")
    ] = "g4mp2",
    as_csv: Csv = False,
    as_json: Json = False,
    forces: Annotated[
        bool, typer.Option("--forces", help="Forces too (--json, or --geometries OUT.extxyz).")
    ] = False,
    keep_geometry: Annotated[
        bool, typer.Option("--keep-geometry", help="Do not relax the geometries of files.")
    ] = False,
    conformers: Annotated[
        int,
        typer.Option(
            help="The most conformers of a SMILES to relax; below 6 there is no interval."
        ),
    ] = 6,
    thermal: Annotated[
        str, typer.Option(help="H(298 K) − H(0): auto, gfn2 (frequencies) or regression.")
    ] = "auto",
    scope: Annotated[
        bool,
        typer.Option(
            "--scope", help="Print what the model may be asked: elements, sizes, intervals."
        ),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Answer outside the scope too, without an interval.")
    ] = False,
    geometries: Annotated[
        Path | None, typer.Option(help="Write the geometries used (xyz, extxyz, sdf).")
    ] = None,
    length: Annotated[
        str | None,
        typer.Option(
            help="Unit of coordinates in files; default: the one in the file, or angstrom."
        ),
    ] = None,
) -> None:
    """Predict atomization energies and heats of formation, with intervals.

    The geometries of SMILES are relaxed with GFN2-xTB.
    """
    # Molecules are small: threads would wait for each other longer than they work.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from onekcal.models.shipped import load_model
    from onekcal.prediction import prediction as predictor
    from onekcal.prediction.options import Options
    from onekcal.prediction.questions import count
    from onekcal.prediction.scope import scope as scope_of
    from onekcal.show import answers as console
    from onekcal.show import progress
    from onekcal.show.answer_files import with_geometries, write_csv, write_json
    from onekcal.show.scope import scope as print_scope

    if not inputs and not scope:
        raise InputError("nothing to predict; give SMILES, files, or - for standard input")
    if as_csv and as_json:
        raise InputError("--csv and --json cannot both be written; give one of them")
    if forces and not as_json and (geometries is None or geometries.suffix != ".extxyz"):
        raise InputError("--forces needs --json, or --geometries OUT.extxyz, to write them to")
    artefact = load_model(model)
    if scope:
        found = scope_of(artefact)
        return print_json(found) if as_json else print_scope(model, found)
    options = Options(keep_geometry, conformers, thermal, forces, force, length=length)  # type: ignore[arg-type]
    answers = predictor.predict(inputs or [], artefact, options)
    tally = progress.Count()
    bare = (as_json or as_csv) and sys.stdout.isatty()  # a bar would stand between the lines
    with progress.watched(answers, count(inputs or []), tally, quiet=bare) as passing:
        if geometries is not None:
            passing = with_geometries(passing, geometries)
        (write_json if as_json else write_csv if as_csv else console.table)(passing)
    if tally.failed and tally.answered:
        print(f"onekcal: {tally.answered} answered, {tally.failed} not", file=sys.stderr)
    if not tally.answered:
        raise typer.Exit(2)
