"""The verbs `init`, `train`, `evaluate` and `rerun`: experiments and their runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onekcal.cli.advice import resumed
from onekcal.cli.console import Json, command_line, print_json
from onekcal.errors import InputError, OnekcalError

if TYPE_CHECKING:
    from onekcal.runs.experiment import Experiment
    from onekcal.runs.own_data import OwnData
    from onekcal.runs.run import Run

Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change a key: --set data.train=1000 (repeatable)."),
]


def init(
    file: Annotated[Path, typer.Argument(help="Where to write the experiment.")] = Path(
        "experiment.yaml"
    ),
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Write a commented experiment to start from; it runs as it is, in under a minute."""
    from onekcal.runs.first_stages import template

    if file.exists() and not force:
        raise InputError(f"{file} exists; --force replaces it")
    file.write_text(template(), encoding="utf-8")
    print(f"wrote {file}; run it with: onekcal train {file}")


def train(
    file: Annotated[
        Path,
        typer.Argument(
            help="An experiment (YAML; `onekcal init` writes one); or a file of energies: csv with "
            "SMILES, xyz, extxyz, sdf, npz, h5."
        ),
    ],
    target: Annotated[
        str | None, typer.Option(help="Of a file: its energies [default: energy].")
    ] = None,
    energy: Annotated[
        str | None, typer.Option(help="Of a file: unit of the energies, such as eV.")
    ] = None,
    length: Annotated[str | None, typer.Option(help="Of a file: unit of the coordinates.")] = None,
    kind: Annotated[
        str | None, typer.Option(help="Of a file: total, atomization or formation.")
    ] = None,
    at: Annotated[str | None, typer.Option(help='Of a file: electronic, "0 K" or "298 K".')] = None,
    level: Annotated[str | None, typer.Option(help="Of a file: level of theory.")] = None,
    smiles_column: Annotated[
        str | None, typer.Option(help="Of a table: the column of SMILES [default: smiles].")
    ] = None,
    correct: Annotated[
        str | None,
        typer.Option(help="Of a file: the fitted model that its energies correct, such as g4mp2."),
    ] = None,
    runs: Annotated[Path, typer.Option(help="The run folder is made in here.")] = Path("runs"),
    changes: Set = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a finished run of the same name.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where an interrupted training stopped.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Fit and test an experiment; the model and all results go into one folder.

    A file of energies becomes an experiment first, which is written beside it: what GFN2-xTB (or
    the model of --correct) misses is learned by a kernel. SMILES get geometries from GFN2-xTB.
    Networks train on several cores or GPUs with: torchrun --nproc-per-node N -m onekcal train FILE
    """
    from onekcal.runs import correction, own_data
    from onekcal.runs import experiment as experiments
    from onekcal.show import study

    said = {"energy": energy, "length": length, "kind": kind, "at": at, "level": level}
    own = own_data.OwnData(
        file,
        target or "energy",
        {key: word for key, word in said.items() if word is not None},
        correct,
        smiles_column,
    )
    if own_data.is_data(file):
        file = own_data.written(own, overwrite, command_line(), as_json)
        print(f"wrote {file}; run it again with: onekcal train {file}", file=sys.stderr)
    else:
        changes = [*_changes(own, target), *(changes or [])]
    experiment = experiments.read(file, changes)
    folder = runs / (experiment.name or f"{file.stem}-{experiment.digest[:8]}")
    other = None if as_json else correction.corrected_model(experiment)
    if other:
        for line in correction.compared(experiment, other):
            print(f"onekcal: {line}", file=sys.stderr)
    finished = _fitted(experiment, folder, overwrite, resume, as_json)
    if finished is None:
        return
    print_json(finished.metrics) if as_json else study.table(finished)
    if other:
        with study.waiting("learning curve of the correction"):
            points = correction.curve(experiment, other)
        study.correction(other, points)


def _fitted(
    experiment: Experiment, folder: Path, overwrite: bool, resume: bool, quiet: bool
) -> Run | None:
    """The finished run; None in the other processes of torchrun."""
    from onekcal.networks.training import distributed
    from onekcal.runs import run
    from onekcal.show import study, training

    with distributed.joined():
        first = distributed.first()
        with training.watching(f"{experiment.data.set}: fitting", quiet or not first) as watch:
            try:
                finished = run.run(
                    experiment, folder, command_line(), overwrite, resume, watch, study.picture
                )
            except KeyboardInterrupt:
                raise resumed(run.part_of(folder).is_dir()) from None
    return finished if first else None


def _changes(own: OwnData, target: str | None) -> list[str]:
    """What the options for files say to an experiment that is there."""
    if own.correct:
        raise InputError(
            f"--correct needs a file of energies, got {own.source}; an experiment says it with the "
            f'stage baseline: "model:{own.correct}"'
        )
    said = {**({"target": target} if target is not None else {}), **own.said}
    return [f"data.{key}={word}" for key, word in said.items()]


def evaluate(
    model: Annotated[Path, typer.Argument(help="A run folder or a model file.")],
    data: Annotated[str, typer.Argument(help="A data set's name or a file with energies.")],
    target: Annotated[str, typer.Option(help="The energy column to compare with.")],
    as_json: Json = False,
) -> None:
    """Measure the errors of a fitted model on other data."""
    from onekcal import datasets as store
    from onekcal.runs.evaluate import evaluate as measure
    from onekcal.runs.evaluate import fitted_to
    from onekcal.show import study

    found = measure(model, store.load(data).dataset.aimed(target))
    if note := found.get("note"):
        print(f"onekcal: {note}", file=sys.stderr)
    print_json(found) if as_json else study.metrics_table(f"{model} on {data}", found)
    if seen := fitted_to(model, data):
        print(
            f"onekcal: {model} was fitted to {seen:,} molecules of {data}: these are no errors on "
            f"unseen molecules; those are in {model}/metrics.json",
            file=sys.stderr,
        )


def rerun(
    folder: Annotated[Path, typer.Argument(help="A finished run.")],
    check: Annotated[
        bool, typer.Option("--check", help="Keep the old run; fail where a prediction differs.")
    ] = False,
    tolerance: Annotated[
        float, typer.Option(help="Largest difference --check accepts, in the target's unit.")
    ] = 1e-6,
) -> None:
    """Run an experiment again from its folder, and compare the predictions."""
    import shutil

    from onekcal.runs import folder as run_folder
    from onekcal.runs import run
    from onekcal.show import study

    experiment, _ = run_folder.load(folder)
    fresh = folder.with_name(folder.name + ".again")
    with study.waiting(f"{folder}: again"):
        again = run.run(experiment, fresh, command_line(), overwrite=True, draw=study.picture)
    apart = run_folder.compare(folder, fresh)
    if check:
        shutil.rmtree(fresh)
    else:
        shutil.rmtree(folder)
        fresh.rename(folder)
    unit = again.metrics["unit"]
    print(
        f"{apart['molecules']} predictions, "
        f"largest difference {apart['largest_difference']:.2e} {unit}"
    )
    if check and not apart["largest_difference"] <= tolerance:
        raise OnekcalError(
            f"{folder} is not reproduced: predictions differ by more than {tolerance} {unit}"
        )
