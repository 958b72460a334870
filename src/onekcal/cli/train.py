"""The verbs `init`, `train`, `evaluate` and `rerun`: experiments and their runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from onekcal.cli.advice import resumed
from onekcal.cli.console import Json, command_line, print_json
from onekcal.errors import InputError, OnekcalError

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
    file: Annotated[Path, typer.Argument(help="An experiment (YAML); `onekcal init` writes one.")],
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

    Networks train on several cores or GPUs with: torchrun --nproc-per-node N -m onekcal train FILE
    """
    from onekcal.networks.training import distributed
    from onekcal.runs import experiment as experiments
    from onekcal.runs import run
    from onekcal.show import study, training

    experiment = experiments.read(file, changes)
    folder = runs / (experiment.name or f"{file.stem}-{experiment.digest[:8]}")
    with distributed.joined():
        first = distributed.first()
        with training.watching(
            f"{experiment.data.set}: fitting", quiet=as_json or not first
        ) as watch:
            try:
                finished = run.run(experiment, folder, command_line(), overwrite, resume, watch)
            except KeyboardInterrupt:
                raise resumed(run.part_of(folder).is_dir()) from None
    if not first:
        return
    study.picture(finished)
    print_json(finished.metrics) if as_json else study.table(finished)


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
        again = run.run(experiment, fresh, command_line(), overwrite=True)
    apart = run_folder.compare(folder, fresh)
    if check:
        shutil.rmtree(fresh)
    else:
        study.picture(again)
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
