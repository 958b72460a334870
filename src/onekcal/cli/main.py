"""The command line: the list of verbs, and what happens to errors.

The verbs stand in the files beside this one. Each imports its heavy parts when it runs, so that
`onekcal --help` appears at once.
"""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper
from typing import Annotated

import typer

from onekcal.cli.advice import Interrupted, Verbs, in_one_line
from onekcal.cli.bench import bench_app
from onekcal.cli.bonds import bonds
from onekcal.cli.console import examples
from onekcal.cli.data import data_app
from onekcal.cli.doctor import doctor
from onekcal.cli.field import field
from onekcal.cli.label import label
from onekcal.cli.md import md
from onekcal.cli.models import models
from onekcal.cli.predict import predict
from onekcal.cli.react import react
from onekcal.cli.relax import frequencies, relax
from onekcal.cli.select import learn, select
from onekcal.cli.serve import serve
from onekcal.cli.show import show
from onekcal.cli.train import evaluate, init, rerun, train
from onekcal.cli.trust import trust
from onekcal.errors import OnekcalError

app = typer.Typer(
    cls=Verbs,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
VERBS = (
    (predict, ("predict CCO", "predict molecules.xyz --csv > answers.csv")),
    (react, ("react 'CCO >> COC'", "react --table reactions.txt --csv > energies.csv")),
    (bonds, ("bonds CCO", "bonds CCO --csv")),
    (relax, ("relax CCO -o ethanol.xyz", "relax start.xyz --model runs/mine -o relaxed.xyz")),
    (
        frequencies,
        ("frequencies O", "frequencies water.xyz --model b3lyp/6-31g --keep-geometry"),
    ),
    (
        md,
        (
            "md CCO -o ethanol.extxyz",
            "md start.xyz --model runs/mine --langevin --temperature 350 --steps 20000",
        ),
    ),
    (init, ("init", "init mine.yaml")),
    (
        train,
        (
            "train experiment.yaml --set data.train=1000",
            "train mine.csv --target energy --energy eV --kind atomization",
        ),
    ),
    (
        evaluate,
        (
            "evaluate runs/first qm7 --target b3lyp",
            "evaluate model.safetensors new.h5 --target gfn2 --json",
        ),
    ),
    (rerun, ("rerun runs/first", "rerun runs/first --check")),
    (
        trust,
        (
            "trust runs/first runs/second",
            "trust g4mp2 --data g4mp2-relaxed.h5 --split ward --sample 2000",
        ),
    ),
    (
        label,
        (
            "label molecules.smi labels.h5 --relax",
            "label qm9-g4mp2 some.h5 --method b3lyp/6-31g --sample 100",
        ),
    ),
    (
        select,
        (
            "select pool.xyz --model runs/first --k 500 --by novelty -o chosen.xyz",
            "select qm9 --model runs/first --k 500 --by variance --drawn",
        ),
    ),
    (
        learn,
        (
            "learn pool.xyz --experiment mine.yaml --method b3lyp/6-31g --out learned",
            "learn mini --experiment mine.yaml --target b3lyp --by random --out control",
        ),
    ),
    (field, ("field mini --kind lol --out lol.h5", "field CCO --kind elf --png ethanol.png")),
    (show, ("show runs/first", "show CCO --field lol --save ethanol.html")),
    (serve, ("serve", "serve --port 8080 --runs runs --browser")),
    (models, ("models", "models schnet dimenet --json")),
    (doctor, ("doctor", "doctor --json")),
)
"""The verbs in the order of the help, with examples."""

for verb, shown in VERBS:
    app.command(epilog=examples(*shown))(verb)
app.add_typer(data_app, name="data")
app.add_typer(bench_app, name="bench")


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


def _speak_utf8() -> None:
    """Write ±, Δ and ° in a locale that lacks them, too.

    A terminal shows ? instead. A file or a pipe gets UTF-8, whatever the locale says.
    """
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and stream.encoding.lower() not in ("utf-8", "utf8"):
            if stream.isatty():
                stream.reconfigure(errors="replace")
            else:
                stream.reconfigure(encoding="utf-8", errors="surrogateescape")


def main() -> None:
    """Run the command line; the entry point of `onekcal`.

    An expected error is one line on standard error. The exit code is 1 where something went
    wrong, 2 for wrong input or configuration, 3 for missing or damaged data, and 4 where a part
    is not installed.
    """
    _speak_utf8()
    try:
        try:
            app()
        finally:
            # A pipe without a reader is noticed here, where it can be told from a mistake.
            sys.stdout.flush()
    except OnekcalError as problem:
        print(in_one_line(problem), file=sys.stderr)
        sys.exit(problem.exit_code)
    except KeyboardInterrupt:  # before a verb began
        sys.exit(Interrupted.exit_code)
    except BrokenPipeError:  # `onekcal … | head`: the rest of the output has no reader
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except MemoryError:
        print("onekcal: there is not enough memory for this; try a smaller part", file=sys.stderr)
        sys.exit(1)
    except OSError as problem:  # a missing folder, a full disk, a file of another user
        if problem.filename is None:
            raise
        print(f"onekcal: {problem.filename}: {problem.strerror}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
