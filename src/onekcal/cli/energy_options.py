"""Options that the commands of energies share."""

from __future__ import annotations

from typing import Annotated

import typer

Exact = Annotated[bool, typer.Option("--exact", help="Compute without fitted integrals (slower).")]
Unit = Annotated[str, typer.Option(help="Unit of the energies told: kcal/mol, kJ/mol or eV.")]
Coverage = Annotated[float, typer.Option(help="The share that the interval is to cover.")]
Level = Annotated[
    str,
    typer.Option(
        help="Heats of formation with G4(MP2)'s correction to experiment, or without: experiment, "
        "g4mp2."
    ),
]
