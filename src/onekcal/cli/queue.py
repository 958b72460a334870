"""`onekcal bench queue`: long computations that survive the death of any process."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from onekcal.cli.console import Json, examples, print_json
from onekcal.cli.label import label as label_verb
from onekcal.errors import InputError, OnekcalError

if TYPE_CHECKING:
    from onekcal.bench.queue import JobLine
    from onekcal.system.queue import Content, Job

Queue = Annotated[Path, typer.Option("--queue", help="The queue's folder.")]
Results = Annotated[Path, typer.Option(help="Where the numbers are kept.")]
# typer carries a click of its own, under private names
UsageError: Any = typer.BadParameter.__mro__[1]
QUEUE, RESULTS = Path("queue"), Path("results")

queue_app = typer.Typer(
    help="Long computations in a queue on disk, which go on after any interruption.",
    no_args_is_help=True,
)


@queue_app.command(
    "add",
    epilog=examples(
        "bench queue add hipnn-qm9", "bench queue add --label 'onekcal label qm7 qm7.h5'"
    ),
)
def add(
    name: Annotated[str | None, typer.Argument(help="A suite's name, or a YAML file.")] = None,
    rows: Annotated[str | None, typer.Option(help="Only rows whose name contains this.")] = None,
    label: Annotated[
        str | None,
        typer.Option(help="Instead of a suite: a command such as 'onekcal label qm9 OUT.h5'."),
    ] = None,
    queue: Queue = QUEUE,
) -> None:
    """Add rows of a suite, or a label command; no job is added twice.

    Of g4mp2-computed, --rows is a set (g305, zero-points, qm9, ions); species in results/ are left
    out.
    """
    from onekcal.bench import queue as bench
    from onekcal.bench.computed import results as kept
    from onekcal.bench.computed import run as computed

    if (name is None) == (label is None):
        raise InputError(
            f"give either a suite or --label COMMAND, got {'neither' if name is None else 'both'}"
        )
    if label is not None:
        added = bench.add_label(queue, *_label_command(label))
    elif name == kept.NAME:
        added = computed.add(queue, computed.archives(), RESULTS, [rows] if rows else [])
    else:
        added = bench.add_rows(queue, str(name), rows)
    for one, fresh in added.items():
        print(f"{one}: {'waits' if fresh else 'is in the queue already'}")


@queue_app.command("run", epilog=examples("bench queue run", "bench queue run --queue queue"))
def run(
    queue: Queue = QUEUE,
    results: Results = RESULTS,
    workers: Annotated[int, typer.Option(min=1, help="Jobs at once, one thread each.")] = 1,
    nice: Annotated[int, typer.Option(min=0, max=19, help="Lowers the jobs' priority.")] = 10,
    anew: Annotated[
        bool, typer.Option("--anew", help="Begin jobs again that were begun with other code.")
    ] = False,
) -> None:
    """Work through the queue; after an interruption, run it again and it goes on."""
    from onekcal.bench import queue as bench

    _there(queue)

    def say(line: str) -> None:
        with contextlib.suppress(OSError):  # a full disk under the log does not end the queue
            print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}", file=sys.stderr, flush=True)

    if not bench.run(queue, results, workers, anew, nice, say):
        raise OnekcalError(
            f"{queue} holds jobs that still wait; `onekcal bench queue status` shows them"
        )


@queue_app.command(
    "status", epilog=examples("bench queue status", "bench queue status --queue queue")
)
def status(queue: Queue = QUEUE, as_json: Json = False) -> None:
    """Show the jobs: their state, how far they are, what they cost, and when they will end."""
    from onekcal.bench import queue as bench
    from onekcal.show import study

    _there(queue)
    found = bench.status(queue)
    if as_json:
        print_json(found)
    else:
        study.rows_table(f"Queue {queue}", [_line(one) for one in found])


def _line(one: JobLine) -> dict[str, str]:
    """A job as a row of the table."""
    eta = one["eta"]
    left = "–" if eta is None else f"{eta / 3600:.1f} h" if eta > 3600 else f"{eta / 60:.0f} min"
    return {
        "job": one["job"],
        "state": one["state"],
        "progress": one["progress"] or "–",
        "core-hours": f"{one['core_hours']:.2f}",
        "ETA": left,
        "note": one["note"] or "",
    }


@queue_app.command("stop", epilog=examples("bench queue stop", "bench queue stop --queue queue"))
def stop(queue: Queue = QUEUE) -> None:
    """Ask the runners to end; their jobs go on from the last checkpoint when run again."""
    from onekcal.system import queue as jobs

    _there(queue)
    ended = jobs.stop(queue)
    print(f"{len(ended)} stopped" if ended else "nothing runs")


@queue_app.command(
    "collect", epilog=examples("bench queue collect", "bench queue collect --queue queue")
)
def collect(queue: Queue = QUEUE, results: Results = RESULTS) -> None:
    """Copy the results of finished rows into other results; `run` does it by itself."""
    from onekcal.bench import queue as bench

    _there(queue)
    print(f"{bench.collect(queue, results)} brought")


def _there(queue: Path) -> None:
    if not (queue / "jobs").is_dir():
        raise InputError(f"--queue {queue} is no queue; `onekcal bench queue add` makes one")


def _label_command(command: str) -> tuple[list[str], Path]:
    """The words of a `label` command, checked, and its output; one worker is the default."""
    words = shlex.split(command)
    words = words[1:] if words[:1] == ["onekcal"] else words
    if words[:1] != ["label"]:
        raise InputError(
            f"--label takes a command such as 'onekcal label SOURCE OUT.h5', got {command!r}"
        )
    try:
        options = _label_verb().make_context("label", words[1:]).params
    except UsageError as problem:
        raise InputError(f"--label: {problem.format_message()}; got {command!r}") from None
    if options["workers"] is None and options["scheduler"] is None:
        words += ["--workers", "1"]
    return words, Path(options["out"])


def _label_verb() -> TyperCommand:
    """The verb `label` as a command of its own."""
    alone = typer.Typer()
    alone.command()(label_verb)
    command = typer.main.get_command(alone)
    assert isinstance(command, TyperCommand)
    return command


def work() -> None:
    """Run the job of this process."""
    from onekcal.bench import queue as bench

    bench.work(_label)


def _label(job: Job) -> Content:
    """The `label` command, which goes on from OUT.partial."""
    out = Path(job.content["out"])
    partial = out.with_name(out.name + ".partial")
    begun = job.attempts()[0]["begun"]
    if not (out.is_file() and out.stat().st_mtime > begun and not partial.exists()):
        os.chdir(job.content["folder"])
        status = _label_verb()(job.content["words"][1:], standalone_mode=False)
        if status:
            raise InputError(f"{job.name} ended with {status}; {job.folder / 'log.txt'} says why")
    return {"out": str(out)}
