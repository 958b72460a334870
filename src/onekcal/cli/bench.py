"""`onekcal bench`: published studies, ours beside the paper's numbers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from onekcal.cli.console import Json, examples, print_json
from onekcal.cli.queue import queue_app
from onekcal.errors import InputError, OnekcalError

if TYPE_CHECKING:
    from onekcal.bench.computed.cases import Case
    from onekcal.bench.computed.measure import Record
    from onekcal.bench.results import Measured, Results
    from onekcal.bench.speed.contest import SpeedRow
    from onekcal.bench.suite import Suite


class SuiteFirst(TyperGroup):
    """Take a first word that is no verb for a suite's name: `onekcal bench qm7-classical`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        known = args[0] in self.commands or args[0].startswith("-")
        return super().resolve_command(ctx, args if known else ["run", *args])


bench_app = typer.Typer(
    help="Run published studies and compare with the papers' numbers. "
    "`bench SUITE` is short for `bench run SUITE`.",
    no_args_is_help=True,
    cls=SuiteFirst,
)
bench_app.add_typer(queue_app, name="queue")


@bench_app.command("list", epilog=examples("bench list", "bench list --json"))
def bench_list(as_json: Json = False) -> None:
    """List the suites: their rows, how many have a quick form, and their titles."""
    from onekcal.bench import suite
    from onekcal.show import study

    loaded = {name: suite.read(name) for name in suite.names()}
    parts = {one: (one,) for one in loaded} | suite.GROUPS | {"all": tuple(loaded)}
    rows: list[dict[str, object]] = []
    for name, some in parts.items():
        every = [row for one in some for row in loaded[one].rows]
        title = (
            loaded[name].title
            if name in loaded
            else "every suite above"
            if name == "all"
            else " + ".join(some)
        )
        fast = sum(row.quick is not None for row in every)
        rows.append({"suite": name, "rows": len(every), "quick": fast, "title": title})
    none = None if as_json else "–"
    rows.insert(
        -1,
        {
            "suite": "speed",
            "rows": none,
            "quick": none,
            "title": "features, kernels, predictions and training steps beside the peers'",
        },
    )
    rows.insert(
        -1,
        {
            "suite": "g4mp2-computed",
            "rows": none,
            "quick": none,
            "title": "computed G4(MP2) beside published energies and experiment",
        },
    )
    rows.insert(
        -1,
        {
            "suite": "serve",
            "rows": none,
            "quick": none,
            "title": "the web page with fifty clients, beside the command",
        },
    )
    rows.insert(
        -1,
        {
            "suite": "scaling",
            "rows": none,
            "quick": none,
            "title": "predict, label, field and train with one process and two; memory of lists",
        },
    )
    print_json(rows) if as_json else study.rows_table("Suites", rows)


@bench_app.command(
    "run", epilog=examples("bench run qm7-classical", "bench run all --budget quick")
)
def bench_run(
    name: Annotated[
        str, typer.Argument(help="A suite's name or a group's (bench list), a YAML file, or all.")
    ],
    rows: Annotated[str | None, typer.Option(help="Only rows whose name contains this.")] = None,
    results: Annotated[Path, typer.Option(help="Where the numbers are kept.")] = Path("results"),
    again: Annotated[bool, typer.Option("--again", help="Run finished rows again.")] = False,
    runs: Annotated[
        Path | None, typer.Option(help="Keep the run folders here; without it they are deleted.")
    ] = None,
    budget: Annotated[
        str,
        typer.Option(help="full, or quick: small numbers in a few minutes, kept in RESULTS/quick."),
    ] = "full",
    seeds: Annotated[
        str | None, typer.Option(help="Other seeds than the suite's, such as 0,1,2,3,4.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="Networks on cpu, cuda, cuda:1.")] = None,
    workers: Annotated[
        int, typer.Option(help="Rows at once; timings are then those of a busy machine.")
    ] = 1,
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler that runs the rows.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run the rows of a suite; finished rows are kept and not run again."""
    from onekcal.bench import papers, runner, suite
    from onekcal.show import study

    if budget not in ("full", "quick"):
        raise InputError(f"--budget is full or quick, got {budget!r}")
    quick, where = budget == "quick", results / "quick" if budget == "quick" else results
    found = suite.chosen(name)
    chosen = [
        suite.overridden(one, _whole_numbers(seeds), device)
        for one in (suite.with_quick(found) if quick else found)
    ]
    shown = {one.name: one for one in suite.picked(chosen, rows)}
    told = []
    for whole in (one for one in chosen if one.name in shown):
        with study.live_rows(shown[whole.name], quiet=as_json) as watch:
            told.append(runner.run(whole, where, rows, again, watch, runs, workers, scheduler))
        _tell(told[-1], whole, where, as_json)
    if as_json:
        print_json(told if name == "all" or name in suite.GROUPS else told[0])
    elif name == "all":
        study.rows_table(papers.TITLE, papers.rows(where))


def _tell(measured: Results, suite: Suite, where: Path, as_json: bool) -> None:
    """Print the table of a suite that ran; learning curves also become NAME.md and NAME.png."""
    from onekcal.bench import curves, tables
    from onekcal.show import study
    from onekcal.show.curves import curves_png

    lines = tables.rows(measured)
    if any("curve" in row for row in measured["rows"]):
        caption = f"{measured['title']}; {measured['unit']}.\n\n"
        (where / f"{suite.name}.md").write_text(caption + tables.markdown(lines), encoding="utf-8")
        curves_png(
            where / f"{suite.name}.png", curves.of(measured), measured["title"], measured["unit"]
        )
    if not as_json:
        study.rows_table(measured["title"], lines)


@bench_app.command(
    "curves",
    epilog=examples(
        "bench curves mine.yaml", "bench curves a.yaml b.yaml --sizes 100,1000 --seeds 5"
    ),
)
def bench_curves(
    experiments: Annotated[
        list[Path], typer.Argument(help="Experiments, a curve each; all on the same data.")
    ],
    sizes: Annotated[str, typer.Option(help="Numbers of training molecules.")] = "100,300,1000",
    seeds: Annotated[
        int,
        typer.Option(min=1, help="Each draws its own molecules; smaller sets lie in larger ones."),
    ] = 3,
    results: Annotated[Path, typer.Option(help="Where NAME.json, NAME.md and NAME.png go.")] = Path(
        "results"
    ),
    name: Annotated[str, typer.Option(help="Name of the files.")] = "curves",
    workers: Annotated[int, typer.Option(help="Rows at once.")] = 1,
    as_json: Json = False,
) -> None:
    """Draw learning curves of your experiments.

    The standard deviation over seeds and the slope of a log–log fit stand beside them.
    """
    from onekcal.bench import curves, runner, suite
    from onekcal.runs import experiment
    from onekcal.show import study

    if name in suite.names():
        raise InputError(f"--name {name}: this is a suite's name; take another")
    read = {path: experiment.read(path) for path in experiments}
    wanted = _whole_numbers(sizes, "--sizes") or []
    drawn = curves.suite_of(
        {one.name or path.stem: one for path, one in read.items()}, wanted, [*range(seeds)], name
    )
    with study.live_rows(drawn, quiet=as_json) as watch:
        measured = runner.run(drawn, results, watch=watch, workers=workers)
    _tell(measured, drawn, results, as_json)
    if as_json:
        print_json(measured)


def _whole_numbers(text: str | None, option: str = "--seeds") -> list[int] | None:
    """ "0,1,2" as a list."""
    try:
        return None if text is None else [int(part) for part in text.split(",")]
    except ValueError:
        raise InputError(
            f"{option} takes whole numbers with commas between them, such as 0,1,2; got {text!r}"
        ) from None


@bench_app.command(
    "speed", epilog=examples("bench speed", "bench speed --part features --rounds 3")
)
def bench_speed(
    size: Annotated[int, typer.Option(help="Molecules of the largest kernel.")] = 10_000,
    rounds: Annotated[int, typer.Option(help="Turns of every contestant.")] = 5,
    part: Annotated[
        list[str] | None,
        typer.Option(help="features, predictions, hipnn, schnet, densenet, kernels"),
    ] = None,
    results: Annotated[Path, typer.Option(help="Where the numbers are kept.")] = Path("results"),
    as_json: Json = False,
) -> None:
    """Time features, kernels, predictions and training steps beside other programs.

    OMP_NUM_THREADS sets the threads of all of them.
    """
    from onekcal.bench import tables
    from onekcal.bench.speed.suite import PARTS, run
    from onekcal.show import study

    def watch(row: SpeedRow) -> None:
        if not as_json:
            ratios = ", ".join(f"{ratio:.2f} × {peer}" for peer, ratio in row["ratio"].items())
            print(f"{row['name']}: {ratios}", file=sys.stderr)

    measured = run(results, size, rounds, watch, part or PARTS)
    print_json(measured) if as_json else study.rows_table(measured["title"], tables.rows(measured))


@bench_app.command(
    "thermochemistry",
    epilog=examples("bench thermochemistry", "bench thermochemistry --set common --model runs/a"),
)
def bench_thermochemistry(
    data: Annotated[
        Path | None, typer.Option(help="Folder of the archives; else ONEKCAL_MIRROR.")
    ] = None,
    model: Annotated[
        str, typer.Option(help="A model that ships, a run folder, or a model file.")
    ] = "g4mp2",
    only: Annotated[
        list[str] | None, typer.Option("--set", help="common, rmg, g305 or ppe; may repeat.")
    ] = None,
    results: Annotated[Path, typer.Option(help="Where the numbers are kept.")] = Path("results"),
    as_json: Json = False,
) -> None:
    """Compare heats of formation with experiment, rung by rung.

    Without the archives, only the common molecules are asked.
    """
    from onekcal.bench import tables, thermochemistry
    from onekcal.show import study

    def watch(record: thermochemistry.Record) -> None:
        if not as_json:
            said = record["answered"]
            told = record["problem"] if said is None else f"{said - record['experiment']:+.2f}"
            print(f"{record['set']} {record['name']}: {told}", file=sys.stderr)

    measured = thermochemistry.run(results, data, model, only or thermochemistry.SETS, watch)
    print_json(measured) if as_json else study.rows_table(measured["title"], tables.rows(measured))


@bench_app.command(
    "g4mp2-computed",
    epilog=examples("bench g4mp2-computed --data DATA", "bench g4mp2-computed --heavy 3"),
)
def bench_computed(
    data: Annotated[
        Path | None, typer.Option(help="Folder of the archives; else ONEKCAL_MIRROR.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--set", help="g305, zero-points, qm9 or ions; may repeat.")
    ] = None,
    heavy: Annotated[
        int | None, typer.Option(min=0, help="Only species of up to so many heavy atoms.")
    ] = None,
    results: Annotated[Path, typer.Option(help="Where the numbers are kept.")] = Path("results"),
    as_json: Json = False,
) -> None:
    """Compute G4(MP2) of published species, small ones first, and compare.

    Species that have a result are not computed again.
    """
    from onekcal.bench import tables
    from onekcal.bench.computed import run as computed
    from onekcal.show import study

    def watch(case: Case, record: Record) -> None:
        if not as_json:
            told = record.get("failed", record.get("difference"))
            print(f"{case.set} {record['formula']}: {told}", file=sys.stderr)

    measured = computed.run(results, computed.archives(data), only or (), heavy, watch)
    print_json(measured) if as_json else study.rows_table(measured["title"], tables.rows(measured))


@bench_app.command("serve", epilog=examples("bench serve", "bench serve --results /tmp/results"))
def bench_serve(
    results: Annotated[Path, typer.Option(help="Where the numbers are kept.")] = Path("results"),
    as_json: Json = False,
) -> None:
    """Ask the web page with fifty clients at once, and compare a batch with the command.

    Everything happens on this machine.
    """
    from onekcal.bench import serving, tables
    from onekcal.cli.serve import check_packages
    from onekcal.show import study

    check_packages()
    measured = serving.run(results)
    print_json(measured) if as_json else study.rows_table(measured["title"], tables.rows(measured))


@bench_app.command(
    "scaling", epilog=examples("bench scaling", "bench scaling --share 0.2 --results /tmp/results")
)
def bench_scaling(
    share: Annotated[
        float,
        typer.Option(min=0.01, max=1.0, help="The share of the molecules that the jobs have."),
    ] = 1.0,
    results: Annotated[Path, typer.Option(help="Where the numbers are kept.")] = Path("results"),
    as_json: Json = False,
) -> None:
    """Time predict, label, field and train with one process and two, and measure memory."""
    from onekcal.bench import scaling

    def watch(row: Measured) -> None:
        if not as_json:
            told = ", ".join(f"{head} {value}" for head, value in row["columns"].items())
            print(f"{row['name']}: {told}", file=sys.stderr)

    measured = scaling.run(results, watch, share)
    if as_json:
        print_json(measured)


@bench_app.command("check", epilog=examples("bench check", "bench check --write"))
def bench_check(
    write: Annotated[
        bool, typer.Option("--write", help="Bring the tables up to date instead.")
    ] = False,
    root: Annotated[Path, typer.Option(help="The project's folder.")] = Path("."),
) -> None:
    """Check the tables of README and docs against results/, and results/ against the suites."""
    from onekcal.bench import pages
    from onekcal.bench.unsupported import unsupported

    stale, claims = pages.check(root, write), unsupported(root / "results")
    for problem in [*stale, *claims]:
        print(problem)
    if claims:
        raise OnekcalError(
            "rows of results/ differ from their suites; the lines above say which and why"
        )
    if stale and not write:
        raise OnekcalError(
            "tables disagree with results/; `onekcal bench check --write` renews them"
        )
