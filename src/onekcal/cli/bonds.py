"""The verb `bonds`: what it takes to break each single bond."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from onekcal.cli.console import Csv, Json, print_json, print_step
from onekcal.cli.energy_options import Coverage, Exact, Level, Unit
from onekcal.cli.predict import duration


def bonds(
    smiles: Annotated[str, typer.Argument(help="One molecule.")],
    model: Annotated[
        str, typer.Option(help="A model that ships, a run folder or a model file.")
    ] = "g4mp2",
    budget: Annotated[
        str, typer.Option(help="Compute a radical that nobody has computed below this forecast.")
    ] = "2min",
    as_csv: Csv = False,
    as_json: Json = False,
    conformers: Annotated[
        int, typer.Option(help="Relax at most so many conformers; below 6, no interval.")
    ] = 6,
    force: Annotated[
        bool, typer.Option("--force", help="Answer outside the scope too, without an interval.")
    ] = False,
    rung: Annotated[
        str, typer.Option(help="Who answers: learned, b3lyp, g4mp2, or auto.")
    ] = "auto",
    exact: Exact = False,
    unit: Unit = "kcal/mol",
    level: Level = "experiment",
    coverage: Coverage = 0.9,
) -> None:
    """List the single bonds of a molecule with their dissociation enthalpies at 298 K.

    Radicals are answered by G4(MP2) if they ship or their forecast is below
    --budget, others by the model. Bonds in rings are left out.
    """
    from onekcal.prediction.bonds import bonds as broken
    from onekcal.prediction.options import Options
    from onekcal.show import bonds as show

    options = Options(
        conformers=conformers,
        force=force,
        rung=rung,  # type: ignore[arg-type]
        budget=duration(budget),
        exact=exact,
        unit=unit,  # type: ignore[arg-type]
        coverage=coverage,
        level=level,  # type: ignore[arg-type]
    )
    found = broken(smiles, model, options, print_step, stream=True)
    if as_json:
        print_json([one.to_dict() for one in found])
    elif as_csv:
        show.write_csv(found)
    elif not show.table(found):
        print("onekcal: no bond could be answered", file=sys.stderr)
        raise typer.Exit(2)
