"""The command line: one verb a job. Heavy parts are imported inside the verbs, so that `--help` is instant."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from onekcal.cli.bench import bench_app
from onekcal.cli.console import print_json
from onekcal.cli.field import field
from onekcal.cli.show import show
from onekcal.errors import InputError, OnekcalError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
data_app = typer.Typer(help="Data sets: list, get, import, check, show.", no_args_is_help=True)
app.add_typer(data_app, name="data")
app.add_typer(bench_app, name="bench")

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print CSV for machines.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change a key: --set data.train=1000 (repeatable)."),
]


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"onekcal {version('onekcal')}")
        raise typer.Exit


@app.callback()
def onekcal(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Molecular energies to one kcal/mol and below, with an honest error bar."""


def main() -> None:
    """Entry point: expected errors are one line on stderr and an exit code that means something.

    1 something went wrong; 2 wrong input or configuration; 3 data missing or damaged; 4 a part is not installed.
    """
    try:
        try:
            app()
        finally:
            sys.stdout.flush()  # here, where a pipe without a reader can still be told from a mistake
    except OnekcalError as problem:
        print(f"onekcal: {problem}", file=sys.stderr)
        sys.exit(problem.exit_code)
    except KeyboardInterrupt:
        print("onekcal: interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # `onekcal … | head`: what is left to write has no reader
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as problem:  # a folder that is not there, a full disk, a file that is not ours
        if problem.filename is None:
            raise
        print(f"onekcal: {problem.filename}: {problem.strerror}", file=sys.stderr)
        sys.exit(1)


# --- experiments ---------------------------------------------------------------------------------------------------


@app.command()
def init(
    file: Annotated[Path, typer.Argument(help="Where to write the experiment.")] = Path(
        "experiment.yaml"
    ),
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Write a commented experiment to start from."""
    from importlib.resources import files

    if file.exists() and not force:
        raise InputError(f"{file} exists; --force replaces it")
    file.write_text(
        files("onekcal.runs").joinpath("experiment_template.yaml").read_text(encoding="utf-8")
    )
    print(f"wrote {file}; run it with: onekcal train {file}")


@app.command()
def train(
    file: Annotated[Path, typer.Argument(help="An experiment (YAML); `onekcal init` writes one.")],
    runs: Annotated[Path, typer.Option(help="The run folder is made in here.")] = Path("runs"),
    changes: Set = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a finished run of the same name.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where an interrupted training stood.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Fit and test an experiment; all that is found is in one folder.

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
            finished = run.run(experiment, folder, " ".join(sys.argv), overwrite, resume, watch)
    if not first:
        return
    study.picture(finished)
    print_json(finished.metrics) if as_json else study.table(finished)


@app.command()
def evaluate(
    model: Annotated[Path, typer.Argument(help="A run folder or a model file.")],
    data: Annotated[str, typer.Argument(help="A data set's name or a file with energies.")],
    target: Annotated[str, typer.Option(help="The energy column to compare with.")],
    as_json: Json = False,
) -> None:
    """Errors of a fitted model on other data."""
    from onekcal import datasets as store
    from onekcal.prediction.prediction import evaluate as measure
    from onekcal.prediction.prediction import fitted_to
    from onekcal.show import study

    found = measure(model, store.load(data).dataset.aimed(target))
    if note := found.get("note"):
        print(f"onekcal: {note}", file=sys.stderr)
    print_json(found) if as_json else study.metrics_table(f"{model} on {data}", found)
    if seen := fitted_to(model, data):
        print(
            f"onekcal: {model} was fitted to {seen:,} molecules of {data}: these are no errors on unseen molecules; "
            f"those are in {model}/metrics.json",
            file=sys.stderr,
        )


@app.command()
def predict(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            help="SMILES, files (xyz, extxyz, sdf, smi, csv with a SMILES column, npz), or - for standard input."
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
        int, typer.Option(help="Conformers of a SMILES, at most, to relax; below 6, no interval.")
    ] = 6,
    thermal: Annotated[
        str, typer.Option(help="H(298 K) − H(0): auto, gfn2 (frequencies) or regression.")
    ] = "auto",
    scope: Annotated[
        bool,
        typer.Option("--scope", help="What the model may be asked: elements, sizes, intervals."),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Answer outside the scope, too, without an interval.")
    ] = False,
    geometries: Annotated[
        Path | None, typer.Option(help="Write the geometries used (xyz, extxyz, sdf).")
    ] = None,
    length: Annotated[
        str | None, typer.Option(help="Unit of coordinates in files; what they say, else angstrom.")
    ] = None,
) -> None:
    """Atomization energies and heats of formation, with intervals. SMILES are given GFN2-xTB geometries."""
    os.environ.setdefault(
        "OMP_NUM_THREADS", "1"
    )  # molecules are small: threads wait for each other longer than they work
    from onekcal.prediction import prediction as predictor
    from onekcal.prediction.questions import count
    from onekcal.show import answers as show

    if not inputs and not scope:
        raise InputError("nothing to predict; give SMILES, files, or - for standard input")
    if as_csv and as_json:
        raise InputError("--csv and --json cannot both be written; give one of them")
    if forces and not as_json and (geometries is None or geometries.suffix != ".extxyz"):
        raise InputError("--forces needs --json, or --geometries OUT.extxyz, to write them to")
    artefact = predictor.load_model(model)
    if scope:
        found = predictor.scope(artefact)
        return print_json(found) if as_json else show.scope(model, found)
    settings = predictor.Settings(keep_geometry, conformers, thermal, forces, force, length=length)  # type: ignore[arg-type]
    answers = predictor.predict(inputs or [], artefact, settings)
    tally = show.Count()
    bare = (as_json or as_csv) and sys.stdout.isatty()  # a bar would stand between the lines
    with show.watched(answers, count(inputs or []), tally, quiet=bare) as passing:
        if geometries is not None:
            passing = show.with_geometries(passing, geometries)
        (show.write_json if as_json else show.write_csv if as_csv else show.table)(passing)
    if tally.failed and tally.answered:
        print(f"onekcal: {tally.answered} answered, {tally.failed} not", file=sys.stderr)
    if not tally.answered:
        raise typer.Exit(2)


def _geometries(source: str, length: str | None) -> Any:
    """The molecules of a file and its problems; labels it holds are not wanted."""
    from onekcal.io import read_all

    return read_all(source, length=length, energy_key=None, forces_key=None)


@app.command()
def label(
    source: Annotated[str, typer.Argument(help="A file (xyz, sdf, smi, …) or a data set's name.")],
    out: Annotated[
        Path,
        typer.Argument(help="Where the labels go (.h5); `onekcal data check OUT` looks at them."),
    ],
    method: Annotated[
        str, typer.Option(help="gfn2, gfn1, or FUNCTIONAL/BASIS such as b3lyp/6-31g.")
    ] = "gfn2",
    relax: Annotated[bool, typer.Option("--relax", help="Relax each geometry first.")] = False,
    forces: Annotated[bool, typer.Option("--forces", help="Forces too.")] = False,
    charges: Annotated[
        bool, typer.Option("--charges", help="Partial charges of the atoms too (Mulliken).")
    ] = False,
    frequencies: Annotated[
        bool, typer.Option("--frequencies", help="Zero-point energy and H(298 K) − H(0) too.")
    ] = False,
    keep: Annotated[
        list[str] | None, typer.Option(help="With --relax: a column that stays valid.")
    ] = None,
    sample: Annotated[
        int | None, typer.Option(help="Only so many molecules, drawn at random.")
    ] = None,
    small: Annotated[
        int, typer.Option(help="With --sample: and all molecules of up to so many heavy atoms.")
    ] = 0,
    seed: Annotated[
        int, typer.Option(help="Draws --sample; a larger sample begins with the smaller.")
    ] = 0,
    scheduler: Annotated[str | None, typer.Option(help="Address of a Dask scheduler.")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Local processes; all cores when absent.")
    ] = None,
    length: Annotated[
        str | None,
        typer.Option(help="Unit of the file's coordinates; what it says, else angstrom."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Compute energies with a quantum method; run again, it goes on."""
    from onekcal.datasets import names
    from onekcal.labels.labelling import label as compute

    dataset, problems = (
        (None, []) if source in names() or source.endswith(".h5") else _geometries(source, length)
    )
    for problem in problems:
        print(f"onekcal: {problem}", file=sys.stderr)
    if problems and dataset is None:
        raise typer.Exit(2)
    done = compute(
        dataset or source,
        out,
        method,
        relax,
        forces,
        frequencies,
        scheduler,
        workers,
        quiet=as_json,
        keep=keep or [],
        sample=sample,
        seed=seed,
        small=small,
        charges=charges,
    )
    if as_json:
        print_json(
            {
                "out": str(out),
                "done": done.done,
                "computed": done.computed,
                "seconds": done.seconds,
                "failed": [vars(one) for one in done.failed],
            }
        )
    else:
        print(
            f"{out}: {done.done} molecules with {method}, {done.computed} computed now in {done.seconds:.1f} s"
        )
    for one in done.failed:
        print(f"onekcal: row {one.row} ({one.name}): {one.reason}", file=sys.stderr)


@app.command()
def rerun(
    folder: Annotated[Path, typer.Argument(help="A finished run.")],
    check: Annotated[
        bool, typer.Option("--check", help="Keep the old run; fail where a prediction differs.")
    ] = False,
    tolerance: Annotated[
        float, typer.Option(help="Largest difference --check accepts, in the target's unit.")
    ] = 1e-6,
) -> None:
    """Run an experiment again from its folder, and compare."""
    import shutil

    from onekcal.runs import folder as run_folder
    from onekcal.runs import run
    from onekcal.show import study

    experiment, _ = run_folder.load(folder)
    fresh = folder.with_name(folder.name + ".again")
    with study.waiting(f"{folder}: again"):
        again = run.run(experiment, fresh, " ".join(sys.argv), overwrite=True)
    apart = run_folder.compare(folder, fresh)
    if check:
        shutil.rmtree(fresh)
    else:
        study.picture(again)
        shutil.rmtree(folder)
        fresh.rename(folder)
    unit = again.metrics["unit"]
    print(
        f"{apart['molecules']} predictions, largest difference {apart['largest_difference']:.2e} {unit}"
    )
    if check and not apart["largest_difference"] <= tolerance:
        raise OnekcalError(
            f"{folder} is not reproduced: predictions differ by more than {tolerance} {unit}"
        )


# --- data ----------------------------------------------------------------------------------------------------------


@data_app.command("list")
def data_list(as_json: Json = False) -> None:
    """The data sets there are, and which are here."""
    from onekcal import datasets as store
    from onekcal.show import study

    cards = [store.card(name) for name in [*store.names(), *store.imported()]]
    rows = [
        {
            "name": c.name,
            "molecules": c.molecules,
            "level": c.level,
            "here": store.is_here(c.name),
            "licence": c.licence,
        }
        for c in cards
    ]
    print_json(rows) if as_json else study.rows_table("Data sets", rows)


@data_app.command("get")
def data_get(
    names: Annotated[list[str], typer.Argument(help="Names from `onekcal data list`.")],
) -> None:
    """Fetch data sets: from ONEKCAL_MIRROR (a folder or URL) when it is set, else from the official source."""
    from onekcal import datasets as store

    failed = []
    for name in names:
        try:
            print(f"{name}: {store.get(name)}")
        except OnekcalError as problem:
            failed.append(problem)
            print(f"onekcal: {name}: {problem}", file=sys.stderr)
    if failed:
        raise typer.Exit(failed[0].exit_code)


@data_app.command("import")
def data_import(
    file: Annotated[
        Path, typer.Argument(help="A file: official format of a data set, xyz, extxyz, sdf, npz.")
    ],
    name: Annotated[str, typer.Option(help="Known by this name afterwards.")],
    level: Annotated[str, typer.Option(help="Level of theory of the energies.")] = "",
    kind: Annotated[
        str | None, typer.Option(help="total, atomization or formation; else what the file says.")
    ] = None,
    at: Annotated[
        str | None, typer.Option(help='electronic, "0 K" or "298 K"; else what the file says.')
    ] = None,
    energy: Annotated[
        str | None, typer.Option(help="Unit of the energies; what the file says, else kcal/mol.")
    ] = None,
    forces: Annotated[
        str | None, typer.Option(help="Unit of the forces; energy/length when absent.")
    ] = None,
    length: Annotated[
        str | None, typer.Option(help="Unit of the coordinates; what the file says, else angstrom.")
    ] = None,
    energy_key: Annotated[
        str, typer.Option(help="Where an extxyz file keeps energies.")
    ] = "energy",
    forces_key: Annotated[str, typer.Option(help="Where an extxyz file keeps forces.")] = "forces",
    force: Annotated[
        bool, typer.Option("--force", help="Replace a data set of this name.")
    ] = False,
) -> None:
    """Bring a file of your own into the store; units are converted here, once."""
    from onekcal import datasets as store

    told = {
        "level": level,
        "kind": kind,
        "at": at,
        "energy": energy,
        "forces": forces,
        "length": length,
        "energy_key": energy_key,
        "forces_key": forces_key,
    }
    path = store.import_file(file, name, force, **told)
    if not (there := store.load(name).dataset).columns:
        print(
            f"onekcal: {file} holds no energies that could be read, only {len(there):,} geometries; an extxyz file keeps "
            "them under energy=…, or under the name that --energy-key gives",
            file=sys.stderr,
        )
    print(f"{name}: {path}; next: onekcal data check {name}")


@data_app.command("check")
def data_check(
    data: Annotated[str, typer.Argument(help="A data set's name or a file.")], as_json: Json = False
) -> None:
    """The data doctor: what was found, what is doubtful, what to do about it."""
    from onekcal import datasets as store
    from onekcal.datasets.doctor.check import check
    from onekcal.show import study

    with study.waiting(f"checking {data}", quiet=as_json):
        stored = store.load(data)
        report = check(stored.dataset, stored.splits)
    print_json(report.to_dict()) if as_json else study.report(data, report)
    if report.failed:
        raise typer.Exit(3)


@data_app.command("show")
def data_show(
    data: Annotated[str, typer.Argument(help="A data set's name or a file.")],
    out: Annotated[Path | None, typer.Option(help="HTML file to write.")] = None,
) -> None:
    """Card and distributions (energies, sizes, elements, force components) as one offline HTML file."""
    from onekcal import datasets as store
    from onekcal.show import plots, study

    stored = store.load(data)
    study.card(stored)
    out = out or Path(f"{Path(data).stem}.html")
    plots.save(plots.distributions(stored.dataset), out)
    print(f"wrote {out}")


app.command()(show)
app.command()(field)


@app.command()
def doctor(as_json: Json = False) -> None:
    """What is installed, what is missing and how to get it."""
    from onekcal.show import study
    from onekcal.system.surroundings import surroundings

    rows = surroundings()
    print_json(rows) if as_json else study.rows_table("onekcal doctor", rows)
    if any(row["state"] == "broken" for row in rows):
        raise typer.Exit(4)


if __name__ == "__main__":
    main()
