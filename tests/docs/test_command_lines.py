"""Every `onekcal …` line of the pages names verbs, options and suites that exist.

Nothing is executed: each line is parsed as the command line itself would parse it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from onekcal.bench import suite
from onekcal.cli.main import app

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.M | re.S)
INDENTED = re.compile(r"^ {4,}(\$ )?((?:onekcal|torchrun|python) .*)$", re.M)
SPAN = re.compile(r"`((?:ONEKCAL_\w+=\S+ )?onekcal [^`]+)`")
WITHOUT_A_VERB = ("--help", "--version", "--install-completion", "--show-completion")
COMMAND = typer.main.get_command(app)
SUITES = {*suite.names(), *suite.GROUPS, "all", "SUITE"}


def _lines(text: str) -> Iterator[tuple[str, bool]]:
    """Lines with a command, and whether they stand in a block and so must be complete."""
    for match in BLOCK.finditer(text):
        for line in match[3].replace("\\\n", " ").splitlines():
            if match[2] in ("", "sh", "console") and "onekcal " in line:
                yield line.strip().removeprefix("$ "), True
    prose = BLOCK.sub("", text)
    for match in INDENTED.finditer(prose):
        yield match[2], True
    for match in SPAN.finditer(prose):
        yield match[1].replace("\n", " "), False


def _commands(line: str) -> Iterator[list[str]]:
    """The words behind each `onekcal` of a shell line."""
    words = shlex.shlex(line, posix=True, punctuation_chars=True)
    words.whitespace_split = True
    command: list[str] = []
    for word in [*words, ";"]:
        if word[0] in "&|;<>()":
            if "onekcal" in command:
                yield command[command.index("onekcal") + 1 :]
            command = []
        else:
            command.append(word)


def _check(words: list[str], complete: bool) -> None:
    """Raise a usage error if the command line would not take these words."""
    command: Any = COMMAND
    context = command.context_class(command, info_name="onekcal")
    while words and hasattr(command, "commands") and words[0] not in WITHOUT_A_VERB:
        if words[0].isupper() or words[0] == "…":  # a placeholder such as VERB
            return
        name, command, words = command.resolve_command(context, words)
        context = command.context_class(command, parent=context, info_name=name)
    values, rest, _ = command.make_parser(context).parse_args(list(words))
    if complete:
        for parameter in command.params:
            parameter.handle_parse_result(context, values, rest)
    assert not rest, f"{rest} is too much for {context.command_path}"
    if context.command_path == "onekcal bench run":
        named = values[command.params[0].name]
        assert named in SUITES or named.endswith(".yaml"), f"{named} is no suite"


def _problems(text: str) -> list[str]:
    out = []
    for line, complete in _lines(text):
        try:
            for words in _commands(line):
                _check(words, complete)
        except Exception as problem:
            out.append(f"{line}: {getattr(problem, 'message', '') or problem}")
    return out


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_line_of_a_page_can_be_typed(page: Path) -> None:
    assert _problems(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "line",
    [
        "onekcal predikt CCO",
        "onekcal predict CCO --modell g4mp2",
        "pip list && onekcal data chekc mini",
        "onekcal bench no-such-suite",
        "onekcal bench queue add hipnn-qm9 --queu queue",
        "torchrun --nproc-per-node 2 -m onekcal train",  # the experiment is missing
        "onekcal rerun runs/mini again",  # a word too many
    ],
)
def test_a_line_that_cannot_be_typed_is_noticed(line: str) -> None:
    assert len(_problems(f"```sh\n{line}  # a remark\n```\n")) == 1


def test_pages_hold_many_command_lines() -> None:
    """Otherwise the tests above would pass without having read a line."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert sum(1 for line, _ in _lines(text) for _ in _commands(line)) > 80
