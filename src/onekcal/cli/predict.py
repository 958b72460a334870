"""The verb `predict`: energies of molecules, with intervals."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from onekcal.cli.console import Csv, Json, print_json, print_step
from onekcal.cli.energy_options import Exact, Level, Unit
from onekcal.errors import InputError

MIXTURE = "boltzmann"
"""What --conformers says where their mixture is meant."""


def predict(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            help="SMILES, files (xyz, extxyz, sdf, smi, csv and tsv with a SMILES column, npz), "
            "or - for standard input."
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
        str,
        typer.Option(
            help="The most conformers of a SMILES to relax (below 6 there is no interval), or "
            "boltzmann: ΔfH(298 K) of their mixture."
        ),
    ] = "6",
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
        typer.Option(help="With auto: compute a single unknown molecule below this forecast."),
    ] = "2min",
    compute: Annotated[
        bool,
        typer.Option("--compute", help="Compute every molecule of a list that needs it."),
    ] = False,
    exact: Exact = False,
    thermochemistry: Annotated[
        bool,
        typer.Option("--thermochemistry", help="Entropy, heat capacity and free energy too."),
    ] = False,
    temperature: Annotated[float, typer.Option(help="K, of the thermochemistry.")] = 298.15,
    pressure: Annotated[float, typer.Option(help="bar, of the thermochemistry.")] = 1.0,
    route: Annotated[
        str,
        typer.Option(
            help="To ΔfH(298 K): atomization, isodesmic (a bond separation), both, or auto (says "
            "where both differ)."
        ),
    ] = "auto",
    geometries: Annotated[
        Path | None, typer.Option(help="Write the geometries used (xyz, extxyz, sdf).")
    ] = None,
    length: Annotated[
        str | None,
        typer.Option(
            help="Unit of coordinates in files; default: the one in the file, or angstrom."
        ),
    ] = None,
    unit: Unit = "kcal/mol",
    level: Level = "experiment",
    coverage: Annotated[
        float, typer.Option(help="The share of molecules that the interval is to cover.")
    ] = 0.9,
    max_interval: Annotated[
        float | None,
        typer.Option(
            help="Answer only what is trusted to this ±, and list the others on standard error."
        ),
    ] = None,
    smiles_column: Annotated[
        str | None,
        typer.Option(help="Heading of the SMILES in tables; default: smiles, canonical_smiles."),
    ] = None,
    workers: Annotated[
        int, typer.Option(min=1, help="Processes that answer; the order stays.")
    ] = 1,
    skip: Annotated[
        int,
        typer.Option(min=0, help="Leave out the first molecules, which an earlier call answered."),
    ] = 0,
) -> None:
    """Predict atomization energies and heats of formation, with intervals.

    The geometries of SMILES are relaxed with GFN2-xTB.
    """
    from onekcal.io.recognition import FORMAT_NAMES, beginning, recognised
    from onekcal.labels.forecast import spell
    from onekcal.models.shipped import load_model
    from onekcal.prediction import prediction as predictor
    from onekcal.prediction.options import DEFAULTS, Options
    from onekcal.prediction.questions import STANDARD_INPUT, count, further_headings
    from onekcal.prediction.rungs import elapsed
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
    options = Options(
        keep_geometry,
        DEFAULTS.conformers if conformers == MIXTURE else whole(conformers),
        thermal,  # type: ignore[arg-type]
        forces,
        force,
        length=length,
        rung=rung,  # type: ignore[arg-type]
        budget=duration(budget),
        compute=compute,
        exact=exact,
        thermochemistry=thermochemistry or (temperature, pressure) != (298.15, 1.0),
        temperature=temperature,
        pressure=pressure,
        route=route,  # type: ignore[arg-type]
        unit=unit,  # type: ignore[arg-type]
        coverage=coverage,
        level=level,  # type: ignore[arg-type]
        smiles_column=smiles_column,
        max_interval=max_interval,
        boltzmann=conformers == MIXTURE,
    )
    asked = inputs or []
    if STANDARD_INPUT in asked and (kind := recognised(beginning(sys.stdin))):
        print(f"onekcal: standard input: taken for {FORMAT_NAMES[kind]}", file=sys.stderr)
    answers = predictor.predict(
        asked, artefact, options, print_step, stream=True, workers=workers, skip=skip
    )
    tally = progress.Count()
    bare = (as_json or as_csv) and sys.stdout.isatty()  # a bar would stand between the lines
    total = count(asked)
    left = None if total is None else max(0, total - skip)
    try:
        with progress.watched(answers, left, tally, quiet=bare) as passing:
            if geometries is not None:
                passing = with_geometries(passing, geometries)
            if as_csv:
                write_csv(passing, further=further_headings(asked, smiles_column), begun=skip > 0)
            else:
                (write_json if as_json else console.table)(passing)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_how_to_go_on(skip + tally.passed, as_csv)) from None
    if tally.failed and tally.answered:
        print(f"onekcal: {tally.answered} answered, {tally.failed} not", file=sys.stderr)
    above = "B3LYP" if rung == "b3lyp" else "G4(MP2)"
    if tally.forecast and tally.answered + tally.failed > 1:
        print(
            f"onekcal: {above} would answer {tally.computable} of them in about "
            f"{spell(elapsed(tally.forecast))}; --compute does it",
            file=sys.stderr,
        )
    if not tally.answered:
        raise typer.Exit(2)


def _how_to_go_on(done: int, as_csv: bool) -> str:
    """What was finished, and the option that asks for the rest."""
    if not done:
        return "nothing was answered yet: run the same command again"
    append = " (CSV then has no heading, so that >> appends it)" if as_csv else ""
    return (
        f"the answers to the first {done} molecules are complete; the same command with "
        f"--skip {done} answers the others{append}"
    )


def whole(text: str) -> int:
    """Read a number of conformers."""
    try:
        return int(text)
    except ValueError:
        raise InputError(
            f"--conformers must be a whole number or {MIXTURE}, got {text!r}"
        ) from None


def duration(text: str) -> float:
    """Read a time such as "90", "90s", "2min" or "1.5h" in seconds."""
    units = {"": 1.0, "s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0}
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", text.lower())
    if match is None or match[2] not in units:
        raise InputError(f"a time must look like 90s, 2min or 1.5h, got {text!r}")
    return float(match[1]) * units[match[2]]
