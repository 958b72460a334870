"""`onekcal bench`: published studies, ours beside the paper's numbers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from onekcal.errors import InputError, OnekcalError
from onekcal.show.machines import print_json

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


class SuiteFirst(TyperGroup):
    """`onekcal bench qm7-classical` runs a suite: a first word that is no verb is a suite's name."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        known = args[0] in self.commands or args[0].startswith("-")
        return super().resolve_command(ctx, args if known else ["run", *args])


bench_app = typer.Typer(
    help="Published studies, ours beside the paper's numbers: onekcal bench SUITE, or list, or check.",
    no_args_is_help=True, cls=SuiteFirst,
)


@bench_app.command("list")
def bench_list(as_json: Json = False) -> None:
    """The suites there are: rows, rows with a quick form, and what each is."""
    from onekcal.bench import suite
    from onekcal.show import study

    loaded = [suite.read(name) for name in suite.names()]
    rows = [{"suite": one.name, "rows": len(one.rows), "quick": sum(row.quick is not None for row in one.rows),
             "title": one.title} for one in loaded]
    print_json(rows) if as_json else study.rows_table("Suites", rows)


@bench_app.command("run")
def bench_run(
    name: Annotated[str, typer.Argument(help="A suite's name, a YAML file, or all.")],
    rows: Annotated[str | None, typer.Option(help="Only rows whose name contains this.")] = None,
    results: Annotated[Path, typer.Option(help="Where the numbers are kept.")] = Path("results"),
    again: Annotated[bool, typer.Option("--again", help="Run finished rows again.")] = False,
    runs: Annotated[Path | None, typer.Option(help="Keep the run folders here; they are dropped otherwise.")] = None,
    budget: Annotated[str, typer.Option(help="full, or quick: a few minutes, small numbers, kept apart.")] = "full",
    seeds: Annotated[str | None, typer.Option(help="Other seeds than the suite's, such as 0,1,2,3,4.")] = None,
    device: Annotated[str | None, typer.Option(help="Networks on cpu, cuda, cuda:1.")] = None,
    workers: Annotated[int, typer.Option(help="Rows at once; timings are then those of a busy machine.")] = 1,
    scheduler: Annotated[str | None, typer.Option(help="Address of a Dask scheduler that runs the rows.")] = None,
    as_json: Json = False,
) -> None:
    """Run a suite, row by row; finished rows are kept and not run again."""
    from onekcal.bench import runner, suite, tables
    from onekcal.show import study

    if budget not in ("full", "quick"):
        raise InputError(f"--budget is full or quick, got {budget!r}")
    quick, where = budget == "quick", results / "quick" if budget == "quick" else results
    chosen = [suite.read(one) for one in (suite.names() if name == "all" else [name])]
    told = []
    for loaded in suite.with_quick(chosen) if quick else chosen:
        loaded = suite.overridden(loaded, _whole_numbers(seeds), device)
        with study.live_rows(loaded, quiet=as_json) as watch:
            found = runner.run(loaded, where, rows, again, watch, runs, workers, scheduler)
        told.append(found)
        if not as_json:
            study.rows_table(loaded.title, tables.rows(found))
    if as_json:
        print_json(told if name == "all" else told[0])


def _whole_numbers(text: str | None) -> list[int] | None:
    """ "0,1,2" as a list."""
    try:
        return None if text is None else [int(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"--seeds takes whole numbers with commas between them, such as 0,1,2; got {text!r}") from None


@bench_app.command("speed")
def bench_speed(
    size: Annotated[int, typer.Option(help="Molecules of the largest kernel.")] = 10_000,
    rounds: Annotated[int, typer.Option(help="Turns of every contestant.")] = 5,
    part: Annotated[list[str] | None, typer.Option(help="features, predictions, hipnn, schnet, densenet, kernels")] = None,
    results: Annotated[Path, typer.Option(help="Where the numbers are kept.")] = Path("results"),
    as_json: Json = False,
) -> None:
    """Features, kernels, predictions and training steps beside the peers'; OMP_NUM_THREADS sets the threads of all."""
    from onekcal.bench import speed, tables
    from onekcal.show import study

    def watch(row: dict[str, Any]) -> None:
        if not as_json:
            ratios = ", ".join(f"{ratio:.2f} × {peer}" for peer, ratio in row["ratio"].items())
            print(f"{row['name']}: {ratios}", file=sys.stderr)

    found = speed.run(results, size, rounds, watch, part or speed.PARTS)
    print_json(found) if as_json else study.rows_table(found["title"], tables.rows(found))


@bench_app.command("formation")
def bench_formation(
    model: Annotated[str, typer.Option(help="A model that ships, a run folder, or a model file.")] = "g4mp2",
    results: Annotated[Path, typer.Option(help="Where the numbers are kept.")] = Path("results"),
    as_json: Json = False,
) -> None:
    """Heats of formation of common molecules from their SMILES, beside experiment."""
    from onekcal.bench import formation, tables
    from onekcal.show import study

    found = formation.run(results, model)
    print_json(found) if as_json else study.rows_table(found["title"], tables.rows(found))


@bench_app.command("check")
def bench_check(
    write: Annotated[bool, typer.Option("--write", help="Bring the tables up to date instead.")] = False,
    root: Annotated[Path, typer.Option(help="The project's folder.")] = Path("."),
) -> None:
    """Do the tables of README and docs equal results/*.json?"""
    from onekcal.bench import tables

    stale = tables.check(root, write)
    for place in stale:
        print(place)
    if stale and not write:
        raise OnekcalError("tables disagree with results/; `onekcal bench check --write` renews them")
