"""What a newcomer stumbled over in the help, in errors, and after Ctrl-C."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from onekcal.cli import advice
from onekcal.cli.main import app
from support.command import onekcal

DOCS = Path(__file__).parents[2] / "docs"


def verbs(command: Any = None, before: str = "") -> list[str]:
    inner = getattr(command or get_command(app), "commands", None)
    if inner is None:
        return [before]
    return [one for name, verb in inner.items() for one in verbs(verb, f"{before} {name}".strip())]


@pytest.mark.parametrize("verb", ["", "data", "bench", "bench queue", *verbs()])
def test_h_is_short_for_help_everywhere(verb: str) -> None:
    told = CliRunner().invoke(app, [*verb.split(), "-h"])
    assert told.exit_code == 0
    assert told.stdout.startswith("Usage:")


@pytest.mark.parametrize("verb", verbs())
def test_each_verb_shows_two_examples(verb: str) -> None:
    told = CliRunner().invoke(app, [*verb.split(), "-h"]).stdout
    assert len(re.findall(r"^  +onekcal ", told.partition("Examples:")[2], re.M)) >= 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_can_complete_verbs(shell: str) -> None:
    words = {"_ONEKCAL_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_ARGS": "onekcal tr"}
    words |= {
        "COMP_WORDS": "onekcal tr",
        "COMP_CWORD": "1",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    told = CliRunner().invoke(app, [], env=words, prog_name="onekcal")
    assert "train" in told.stdout
    assert "predict" not in told.stdout


@pytest.mark.parametrize(
    "words",
    [
        ("train", "absent.yaml"),
        ("data", "check", "absent"),
        ("show", "absent.xyz"),
        ("label", "absent.xyz", "out.h5"),
        ("rerun", "absent"),
    ],
)
def test_an_error_names_the_page_of_the_docs(in_empty_folder: Path, words: tuple[str, ...]) -> None:
    done = onekcal(*words, cwd=in_empty_folder)
    assert done.returncode in (2, 3)
    (page,) = re.findall(r"\(see docs/(.*\.md)\)\n$", done.stderr)
    assert (DOCS / page).is_file()


def test_every_page_that_an_error_may_name_exists() -> None:
    assert [page for page in advice.PAGES.values() if not (DOCS / page).is_file()] == []


def interrupted(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(name, stop)


def test_ctrl_c_in_a_labelling_says_how_to_go_on(
    in_empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted("onekcal.labels.labelling.in_parallel", monkeypatch)
    done = onekcal("label", "mini", "out.h5", "--json", cwd=in_empty_folder)
    assert done.returncode == 130
    assert "interrupted; what is finished is kept: run the same command again" in done.stderr


@pytest.mark.parametrize(
    ("kept", "way"), [(True, "add --resume to the same command"), (False, "nothing was kept")]
)
def test_ctrl_c_in_a_training_says_how_to_go_on(
    in_empty_folder: Path, monkeypatch: pytest.MonkeyPatch, kept: bool, way: str
) -> None:
    Path("e.yaml").write_text(
        "{name: x, data: {set: mini, target: b3lyp}, stages: [dressed_atoms]}"
    )
    if kept:
        Path("runs/x.part").mkdir(parents=True)
    interrupted("onekcal.runs.run.run", monkeypatch)
    done = onekcal("train", "e.yaml", cwd=in_empty_folder)
    assert done.returncode == 130
    assert way in done.stderr


def test_the_suites_are_listed_without_pyscf(
    in_empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name None in `sys.modules` makes every import of pyscf fail."""
    monkeypatch.setitem(__import__("sys").modules, "pyscf", None)
    done = onekcal("bench", "list", cwd=in_empty_folder)
    assert done.returncode == 0
    assert "qm7-classical" in done.stdout
