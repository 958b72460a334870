"""What is said when a verb stops: the page of the docs that helps, and how to go on after Ctrl-C.

typer ends without a word after Ctrl-C, so its group is completed here.
"""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

from onekcal.errors import ConfigError, OnekcalError

PAGES = {
    "predict": "howto/names-through-a-csv.md",
    "react": "howto/reactions.md",
    "bonds": "howto/thermochemistry.md",
    "init": "tutorial.md",
    "train": "howto/own-data.md",
    "evaluate": "tutorial.md",
    "rerun": "tutorial.md",
    "label": "guides/labels.md",
    "field": "guides/fields.md",
    "show": "guides/report.md",
    "serve": "howto/web-page.md",
    "models": "reference/stages.md",
    "doctor": "howto/index.md",
    "data": "howto/own-data.md",
    "bench": "guides/benchmarks.md",
}
"""Verb → the page below docs/ that explains it."""
EXPERIMENT = "reference/experiment.md"
"""The page that lists the keys of an experiment."""

AGAIN = "what is finished is kept: run the same command again to go on"
GO_ON = {
    "predict": "the answers above are complete; run the command again for the others",
    "label": AGAIN,
    "field": AGAIN,
    "bench": AGAIN,
    "train": "geometries that are finished are kept: run the same command again to go on",
    "data": "nothing is half written: run the same command again",
}
"""Verb → what was kept, and how to go on."""


class Interrupted(OnekcalError):
    """The user pressed Ctrl-C."""

    exit_code = 130


class Verbs(TyperGroup):
    """The verbs; an error leaves with the page of its verb, and Ctrl-C with a way to go on."""

    def invoke(self, ctx: Any) -> Any:
        """Run the verb that the command line names."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            way = str(stop) or GO_ON.get(ctx.invoked_subcommand, "")
            raise Interrupted("interrupted" + (f"; {way}" if way else "")) from None
        except BrokenPipeError:  # typer would end with 1; `main` meets it again and ends with 0
            raise SystemExit(0) from None
        except OnekcalError as problem:
            problem.page = problem.page or _page(problem, ctx.invoked_subcommand)
            raise


def _page(problem: OnekcalError, verb: str) -> str:
    wrong_experiment = isinstance(problem, ConfigError) and verb in ("train", "rerun")
    return EXPERIMENT if wrong_experiment else PAGES.get(verb, "")


def in_one_line(problem: OnekcalError) -> str:
    """Write an error as the command line prints it.

    Parameters
    ----------
    problem
        The error.

    Returns
    -------
    str
        The message, and the page of the docs that helps.
    """
    return f"onekcal: {problem}" + (f" (see docs/{problem.page})" if problem.page else "")


def resumed(part_is_there: bool) -> KeyboardInterrupt:
    """Return what an interrupted training leaves with.

    Parameters
    ----------
    part_is_there
        Whether the folder of the unfinished run holds a checkpoint.
    """
    return KeyboardInterrupt(
        "the last checkpoint is kept: add --resume to the same command to go on"
        if part_is_there
        else "nothing was kept, because no checkpoint was there yet: run the same command again"
    )
