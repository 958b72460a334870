"""The verbs `relax` and `frequencies`: minima and vibrations under any model that has forces."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from onekcal.cli.console import Json, print_json
from onekcal.errors import OnekcalError

Inputs = Annotated[
    list[str],
    typer.Argument(help="SMILES, files of molecules (xyz, extxyz, sdf, …), or -."),
]
Model = Annotated[
    str,
    typer.Option(
        help="A run folder or a model file of electronic energies, or gfn2, b3lyp/6-31g …"
    ),
]


def relax(
    inputs: Inputs,
    model: Model = "gfn2",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Where they go (xyz, extxyz, sdf, npz).")
    ] = None,
    fmax: Annotated[float, typer.Option(help="Largest force on an atom at the end, eV/Å.")] = 0.02,
    any_bonds: Annotated[
        bool, typer.Option("--any-bonds", help="Take molecules whose bonds change, too.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Relax molecules to minima with any model that has forces.

    A geometry that ends on a saddle point is followed downhill from there.
    """
    from onekcal.dynamics.minima import dataset_of, relaxed
    from onekcal.io.writing import check_target, write
    from onekcal.models.as_method import method_of
    from onekcal.prediction.geometry import geometry_of
    from onekcal.prediction.questions import questions
    from onekcal.show import moving

    how = method_of(model)
    if out is not None:
        check_target(out)
    minima = []
    for question in questions(inputs):
        try:
            minima.append(
                relaxed(geometry_of(question, open_shells=True), how, fmax, not any_bonds)
            )
        except OnekcalError as problem:
            _said(question.source, problem)
    if not minima:
        raise typer.Exit(2)
    if out is not None:
        write(out, dataset_of(minima, how))
    if as_json:
        print_json([moving.minimum_dict(one) for one in minima])
    else:
        moving.minima(minima, how, out)


def frequencies(
    inputs: Inputs,
    model: Model = "gfn2",
    keep_geometry: Annotated[
        bool, typer.Option("--keep-geometry", help="Do not relax the geometries of files.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Compute harmonic vibrations with any model that has forces.

    Geometries are relaxed with the same model first. Imaginary wavenumbers are negative.
    """
    from onekcal.dynamics.minima import vibrations
    from onekcal.models.as_method import method_of
    from onekcal.prediction.geometry import geometry_of
    from onekcal.prediction.questions import questions
    from onekcal.show import moving

    how, rows = method_of(model), []
    for question in questions(inputs):
        try:
            keep = keep_geometry and question.molecule is not None
            molecule, waves = vibrations(geometry_of(question, open_shells=True), how, keep)
        except OnekcalError as problem:
            _said(question.source, problem)
            continue
        rows.append(moving.vibrations_dict(molecule, waves))
        if not as_json:
            moving.vibrations(molecule, waves, how)
    if as_json:
        print_json(rows)
    if not rows:
        raise typer.Exit(2)


def _said(source: str, problem: OnekcalError) -> None:
    """Print a problem in one line that names the molecule once."""
    text = str(problem)
    where = "" if source in text else f"{source}: "
    print(f"onekcal: {where}{text}", file=sys.stderr)
