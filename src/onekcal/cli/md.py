"""The verb `md`: molecular dynamics with any model that has forces."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from onekcal.cli.console import Json, print_json
from onekcal.errors import InputError


def md(
    source: Annotated[
        str, typer.Argument(metavar="IN", help="A SMILES or a file with one molecule.")
    ],
    model: Annotated[
        str,
        typer.Option(
            help="A run folder or a model file of electronic energies, or gfn2, b3lyp/6-31g …"
        ),
    ] = "gfn2",
    out: Annotated[Path, typer.Option("--out", "-o", help="The trajectory (.extxyz).")] = Path(
        "md.extxyz"
    ),
    steps: Annotated[int, typer.Option(help="How many steps.")] = 2000,
    timestep: Annotated[float, typer.Option(help="fs.")] = 0.5,
    temperature: Annotated[
        float, typer.Option(help="K, of the velocities at the start and of the thermostat.")
    ] = 300.0,
    langevin: Annotated[
        bool, typer.Option("--langevin", help="Couple to a thermostat; otherwise NVE.")
    ] = False,
    friction: Annotated[float, typer.Option(help="Of the thermostat, 1/ps.")] = 5.0,
    every: Annotated[int, typer.Option(help="Steps between two frames.")] = 10,
    seed: Annotated[int, typer.Option(help="Of the velocities and of the thermostat.")] = 0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on after a kill, or make a trajectory longer.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a trajectory that exists.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Take molecules outside the model's scope, too.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Move a molecule: NVE, or Langevin dynamics with --langevin.

    It stops early when the molecule breaks, or leaves what the model knows.
    """
    from onekcal.dynamics.motion import Motion
    from onekcal.dynamics.run import dynamics
    from onekcal.models.as_method import method_of
    from onekcal.prediction.geometry import geometry_of
    from onekcal.prediction.questions import questions
    from onekcal.show import moving

    how = method_of(model)  # a model without forces is refused before a geometry is made
    motion = Motion(steps, timestep, temperature, friction if langevin else 0.0, every, seed, force)
    asked = list(questions([source]))
    if len(asked) != 1:
        raise InputError(f"{source} holds {len(asked)} molecules; a trajectory is of one")
    with moving.watched(steps, quiet=as_json) as watch:
        done = dynamics(
            geometry_of(asked[0], open_shells=True), how, out, motion, resume, overwrite, watch
        )
    print_json(moving.moved_dict(done)) if as_json else moving.moved(done, motion)
    if done.stopped:
        print(f"onekcal: stopped at step {done.steps}: {done.stopped}", file=sys.stderr)
        raise typer.Exit(1)
