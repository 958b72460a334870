"""The verb `bonds`: what it takes to break each single bond."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from onekcal.cli.console import Csv, Json, print_json, print_step
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
) -> None:
    """List the single bonds of a molecule with their dissociation enthalpies at 298 K.

    Radicals are answered by G4(MP2). Bonds in rings are left out.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from onekcal.prediction.bonds import bonds as broken
    from onekcal.prediction.options import Options
    from onekcal.show import bonds as show

    found = broken(smiles, model, Options(budget=duration(budget)), print_step)
    if as_json:
        print_json([one.to_dict() for one in found])
    elif as_csv:
        show.write_csv(found)
    elif not show.table(found):
        print("onekcal: no bond could be answered", file=sys.stderr)
        raise typer.Exit(2)
