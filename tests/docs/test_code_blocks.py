"""Code in the pages runs, block after block and in one folder for each page.

Shell blocks that do not run are parsed (`test_command_lines.py`).
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from onekcal.cli.main import app
from support.code_blocks import blocks, python, shell

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def _text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def _named(pages: Iterable[Path]) -> list[object]:
    return [pytest.param(page, id=str(page.relative_to(ROOT))) for page in pages]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the examples, and a home without data."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ONEKCAL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def _run(line: str) -> None:
    """A shell line; in this process where it is one call of onekcal, which saves its imports."""
    words = shlex.split(line, comments=True)
    if words[0] == "onekcal" and not set("|&;<>") & set("".join(words)):
        done = CliRunner().invoke(app, words[1:])
        assert done.exit_code == 0, (line, done.output, done.exception)
    else:
        subprocess.run(["bash", "-ec", line], check=True)


@pytest.mark.parametrize("page", _named(page for page in PAGES if python(_text(page))))
def test_the_python_of_a_page_runs(page: Path, folder: Path) -> None:
    exec(compile(python(_text(page)), str(page), "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize("page", _named(page for page in PAGES if blocks(_text(page), "python")))
def test_the_python_of_a_page_is_python(page: Path) -> None:
    for code, _ in blocks(_text(page), "python"):
        compile(code, str(page), "exec")


@pytest.mark.parametrize("page", _named(page for page in PAGES if shell(_text(page))))
def test_the_shell_lines_of_a_page_run(page: Path, folder: Path) -> None:
    for line in shell(_text(page)):
        _run(line)


def test_a_shell_line_that_fails_is_noticed(folder: Path) -> None:
    with pytest.raises(AssertionError, match="predikt"):
        _run("onekcal predikt CCO")


@pytest.mark.parametrize("page", _named(page for page in PAGES if blocks(_text(page), "yaml")))
def test_the_yaml_of_a_page_is_an_experiment(page: Path) -> None:
    """Of a whole experiment: it is valid; of a part: its keys exist. A suite holds experiments."""
    from onekcal.models.registry import MODELS
    from onekcal.runs.experiment import Experiment, load_yaml, parse

    for block, _ in blocks(_text(page), "yaml"):
        content = load_yaml(block)
        rows = [*content.get("rows", []), *content.get("curves", [])]
        for one in [row["experiment"] for row in rows] or [content]:
            assert set(one) <= set(Experiment.model_fields), yaml.safe_dump(one)
            names = [
                stage if isinstance(stage, str) else next(iter(stage))
                for stage in one.get("stages", [])
            ]
            if "data" in one and set(names) <= set(MODELS):
                parse(one, page.name)


def test_the_readme_shows_the_experiment_that_its_commands_run() -> None:
    from onekcal.runs.experiment import load_yaml
    from onekcal.runs.first_stages import EXACT, template

    block, _ = blocks(_text(ROOT / "README.md"), "yaml")[0]
    shown = load_yaml(block)
    run = load_yaml(template())
    assert shown["stages"] == [*run["stages"][:-1], EXACT]  # the last one depends on the machine
    assert shown["data"].items() <= run["data"].items()
