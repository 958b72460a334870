"""The verbs `select` and `learn`: which molecules are worth a label."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onekcal.cli.console import Json, print_json
from onekcal.errors import InputError

if TYPE_CHECKING:
    from onekcal.data.dataset import Dataset
    from onekcal.selection.choose import Rows
    from onekcal.signals.signal import Asked

By = Annotated[
    str,
    typer.Option(help="A signal of `onekcal trust`, such as novelty or variance; or random."),
]
Drawn = Annotated[
    bool,
    typer.Option(
        "--drawn",
        help="Draw with a probability that grows with the signal, instead of taking the top.",
    ),
]
Seed = Annotated[int, typer.Option(help="Seed of all draws.")]


def select(
    pool: Annotated[
        str, typer.Argument(help="Molecules with geometries: a file or a data set's name.")
    ],
    k: Annotated[int, typer.Option("--k", min=1, help="How many molecules are chosen.")],
    model: Annotated[str, typer.Option(help="A run folder, a model file or one that ships.")],
    by: By = "novelty",
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Where they go (.h5, .xyz, .extxyz, .sdf).")
    ] = Path("chosen.h5"),
    drawn: Drawn = False,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Choose the molecules of a pool whose labels would teach a model most."""
    from onekcal import datasets
    from onekcal.datasets import store
    from onekcal.io import write
    from onekcal.selection.choose import choose
    from onekcal.show.study import waiting

    if out.exists():
        raise InputError(f"{out} exists; choose another name, or move it away")
    stored = datasets.load(pool)
    free = _free(model, pool, len(stored.dataset))
    with waiting(f"{len(free):,} molecules: asking the model", quiet=as_json):
        asked = _asked(model, stored.dataset[free])
        rows = free[choose(asked, k, by, "drawn" if drawn else "top", seed)]
    kept = stored.kept(rows)
    if out.suffix == ".h5":
        store.save(out, kept)
    else:
        write(out, kept.dataset)
    if as_json:
        names = [str(name) for name in kept.dataset.molecules.names]
        print_json({"out": str(out), "by": by, "rows": rows.tolist(), "names": names})
    else:
        print(f"wrote {out}: {k:,} of {len(stored.dataset):,} molecules by {by}")


def _free(model: str, pool: str, size: int) -> Rows:
    """Rows of the pool without those that a run on the same data set has used."""
    import numpy as np

    from onekcal.runs.folder import load

    every, folder = np.arange(size), Path(model)
    if not folder.is_dir() or load(folder)[0].data.set != pool:
        return every
    with np.load(folder / "split.npz") as split:
        used = np.concatenate([split[part] for part in ("train", "valid", "test")])
    return np.setdiff1d(every, used)


def _asked(model: str, pool: Dataset) -> Asked:
    """The model, and what a run was fitted to."""
    from onekcal.models.shipped import load_model
    from onekcal.signals.signal import Asked
    from onekcal.signals.subject import of_run

    if Path(model).is_dir():
        subject = of_run(Path(model), 1)
        return Asked.of(subject.artefact, pool, subject.trained)
    return Asked.of(load_model(model), pool)


def learn(
    pool: Annotated[
        str, typer.Argument(help="Molecules with geometries: a file or a data set's name.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="A folder for everything.")],
    experiment: Annotated[
        Path, typer.Option(help="An experiment (YAML); its stages are fitted in every round.")
    ],
    method: Annotated[
        str, typer.Option(help="Labels by this quantum method, such as gfn2 or b3lyp/6-31g.")
    ] = "",
    target: Annotated[
        str, typer.Option(help="Labels from this column of the pool, to try a signal out.")
    ] = "",
    by: By = "novelty",
    drawn: Drawn = False,
    start: Annotated[int, typer.Option(help="Molecules of the first round, at random.")] = 100,
    k: Annotated[int, typer.Option("--k", help="Molecules of every later round.")] = 50,
    rounds: Annotated[int, typer.Option(help="Rounds in all.")] = 5,
    test: Annotated[int, typer.Option(help="Test molecules, at random.")] = 100,
    among: Annotated[
        int, typer.Option(help="Molecules that are looked at in a round, at random.")
    ] = 20_000,
    seed: Seed = 0,
    workers: Annotated[
        int | None, typer.Option(help="Local processes that label; default: all cores.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Choose molecules, label them, fit, and again.

    The same command goes on where it was stopped.
    """
    from onekcal.runs.experiment import read
    from onekcal.selection.learn import Plan
    from onekcal.selection.learn import learn as go
    from onekcal.show.study import rows_table

    how = "drawn" if drawn else "top"
    plan = Plan(
        pool=pool,
        stages=read(experiment).stages,
        by=by,
        how=how,  # type: ignore[arg-type]
        start=start,
        count=k,
        rounds=rounds,
        test=test,
        method=method,
        target=target,
        among=among,
        seed=seed,
    )
    points = go(plan, out, workers, lambda step: print(f"onekcal: {step}", file=sys.stderr))
    rows = [point._asdict() for point in points]
    if as_json:
        return print_json(rows)
    rows_table(f"{out}, by {by}", [{"labels": p.labels, "MAE (kcal/mol)": p.mae} for p in points])
