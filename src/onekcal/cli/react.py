"""The verb `react`: energies of reactions, with joint intervals."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from onekcal.cli.console import Csv, Json, print_step
from onekcal.cli.energy_options import Coverage, Exact, Level, Unit
from onekcal.cli.predict import duration
from onekcal.errors import InputError


def react(
    reactions: Annotated[
        list[str] | None,
        typer.Argument(
            help="Such as 'C=C + [H][H] >> CC', with SMILES, files or names of stored answers; "
            "coefficients as in '2 [H][H] + O=O >> 2 O'."
        ),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(help="A file: a reaction a line, or a csv with a column named reaction."),
    ] = None,
    model: Annotated[
        str, typer.Option(help="A model that ships, a run folder or a model file.")
    ] = "g4mp2",
    temperature: Annotated[float, typer.Option(help="K, of ΔrH and ΔrG.")] = 298.15,
    pressure: Annotated[float, typer.Option(help="bar, of each species.")] = 1.0,
    free_energies: Annotated[
        bool,
        typer.Option(
            "--free-energies/--no-free-energies",
            help="Compute frequencies of every species for ΔrG.",
        ),
    ] = True,
    as_csv: Csv = False,
    as_json: Json = False,
    keep_geometry: Annotated[
        bool, typer.Option("--keep-geometry", help="Do not relax the geometries of files.")
    ] = False,
    conformers: Annotated[
        int,
        typer.Option(help="Relax at most so many conformers of a SMILES; below 6, no interval."),
    ] = 6,
    force: Annotated[
        bool, typer.Option("--force", help="Answer outside the scope too, without an interval.")
    ] = False,
    rung: Annotated[
        str,
        typer.Option(
            help="Who answers: learned (the model), b3lyp (a model on computed B3LYP), g4mp2 "
            "(computed), or auto (g4mp2 where it was computed before, else the model where it "
            "knows the molecule)."
        ),
    ] = "auto",
    budget: Annotated[
        str,
        typer.Option(help="With auto and one reaction: compute a species below this forecast."),
    ] = "2min",
    compute: Annotated[
        bool,
        typer.Option("--compute", help="Compute every species that needs it."),
    ] = False,
    length: Annotated[
        str | None,
        typer.Option(
            help="Unit of coordinates in files; default: the one in the file, or angstrom."
        ),
    ] = None,
    exact: Exact = False,
    unit: Unit = "kcal/mol",
    level: Level = "experiment",
    coverage: Coverage = 0.9,
) -> None:
    """Compute energies, enthalpies and free energies of reactions, with joint intervals.

    A reaction is balanced, or one clear line says what is missing.
    """
    from onekcal.prediction import react as reactor
    from onekcal.prediction.equation import reaction_lines
    from onekcal.prediction.options import Options
    from onekcal.prediction.reaction import Conditions, Reaction
    from onekcal.show import progress
    from onekcal.show import reactions as console
    from onekcal.show.answer_files import write_csv, write_json

    if as_csv and as_json:
        raise InputError("--csv and --json cannot both be written; give one of them")
    texts = [*(reactions or []), *(reaction_lines(table) if table else [])]
    if not texts:
        raise InputError("no reaction; give one such as 'CCO >> COC', or --table FILE")
    options = Options(
        keep_geometry,
        conformers,
        force=force,
        length=length,
        rung=rung,  # type: ignore[arg-type]
        budget=duration(budget),
        compute=compute,
        exact=exact,
        unit=unit,  # type: ignore[arg-type]
        coverage=coverage,
        level=level,  # type: ignore[arg-type]
    )
    conditions = Conditions(temperature, pressure, free_energies)
    found = reactor.react(texts, model, conditions, options, watch=print_step, stream=True)
    tally = progress.Count()
    bare = (as_json or as_csv) and sys.stdout.isatty()  # a bar would stand between the lines
    with progress.watched(found, len(texts), tally, quiet=bare) as passing:
        if as_json:
            write_json(passing)
        elif as_csv:
            write_csv(passing, Reaction(""))
        else:
            console.table(passing)
    if tally.failed and tally.answered:
        print(f"onekcal: {tally.answered} answered, {tally.failed} not", file=sys.stderr)
    if not tally.answered:
        raise typer.Exit(2)
