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
def bench_list() -> None:
    """The suites there are."""
    from onekcal.bench import suite

    for name in suite.names():
        loaded = suite.read(name)
        print(f"{name:16s} {len(loaded.rows):3d} rows  {loaded.title}")


@bench_app.command("run")
def bench_run(
    name: Annotated[str, typer.Argument(help="A suite's name or a YAML file.")],
    rows: Annotated[str | None, typer.Option(help="Only rows whose name contains this.")] = None,
    results: Annotated[Path, typer.Option(help="Where the numbers are kept.")] = Path("results"),
    again: Annotated[bool, typer.Option("--again", help="Run finished rows again.")] = False,
    runs: Annotated[Path | None, typer.Option(help="Keep the run folders here; they are dropped otherwise.")] = None,
    budget: Annotated[str, typer.Option(help="full, or quick: a few minutes, small numbers, kept apart.")] = "full",
    as_json: Json = False,
) -> None:
    """Run a suite, row by row; finished rows are kept and not run again."""
    from onekcal.bench import runner, suite, tables
    from onekcal.show import study

    loaded = suite.read(name)
    if budget not in ("full", "quick"):
        raise InputError(f"--budget is full or quick, got {budget!r}")
    if budget == "quick":
        loaded, results = suite.quick(loaded), results / "quick"
    found = runner.run(loaded, results, rows, again, study.live_rows(loaded, quiet=as_json), runs)
    print_json(found) if as_json else study.rows_table(loaded.title, tables.rows(found))


@bench_app.command("speed")
def bench_speed(
    size: Annotated[int, typer.Option(help="Molecules of the largest kernel.")] = 10_000,
    rounds: Annotated[int, typer.Option(help="Turns of every contestant.")] = 5,
    part: Annotated[list[str] | None, typer.Option(help="Only features, predictions, hipnn, schnet, kernels.")] = None,
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
