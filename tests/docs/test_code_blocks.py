"""Code in the pages runs.

- Blocks of Python run one after the other. A comment `<!-- does not run: … -->` before a block says
  why it does not. Such a block is compiled.
- Console blocks run, and so do shell blocks behind a comment `<!-- runs -->`. They run one after the
  other, in one folder. The other shell blocks are parsed (`test_command_lines.py`).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
BLOCK = re.compile(
    r"(?:^<!-- (?P<remark>runs|does not run: .+?) -->\n)?^```(?P<language>\w+)\n(?P<code>.*?)^```$",
    re.M | re.S,
)


def _blocks(page: Path, language: str) -> list[tuple[str, str]]:
    """The code of each block, and the remark before it."""
    text = page.read_text(encoding="utf-8")
    return [
        (match["code"], match["remark"] or "")
        for match in BLOCK.finditer(text)
        if match["language"] == language
    ]


def _python(page: Path) -> str:
    """What runs of a page's Python."""
    return "\n".join(
        code for code, remark in _blocks(page, "python") if not remark.startswith("does not run")
    )


def _shell(page: Path) -> str:
    """The shell lines of a page that run."""
    typed = [
        line.removeprefix("$ ")
        for code, _ in _blocks(page, "console")
        for line in code.splitlines()
        if line.startswith("$ ")
    ]
    marked = [code for code, remark in _blocks(page, "sh") if remark == "runs"]
    return "\n".join([*typed, *marked])


def _named(pages: Iterable[Path]) -> list[object]:
    return [pytest.param(page, id=str(page.relative_to(ROOT))) for page in pages]


def _run(command: list[str], folder: Path) -> None:
    """In the test's own home, on one thread, with this interpreter's commands first."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    home = {"ONEKCAL_HOME": str(folder / "home"), "OMP_NUM_THREADS": "1", "PATH": path}
    done = subprocess.run(
        command, cwd=folder, env=os.environ | home, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", _named(page for page in PAGES if _python(page)))
def test_the_python_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    _run([sys.executable, "-c", _python(page)], tmp_path)


@pytest.mark.parametrize("page", _named(page for page in PAGES if _blocks(page, "python")))
def test_the_python_of_a_page_is_python(page: Path) -> None:
    for code, _ in _blocks(page, "python"):
        compile(code, str(page), "exec")


@pytest.mark.parametrize("page", _named(page for page in PAGES if _shell(page)))
def test_the_shell_lines_of_a_page_run(page: Path, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    _run(["bash", "-ec", _shell(page)], tmp_path)


def test_a_shell_line_that_fails_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="predikt"):
        _run(["bash", "-ec", "onekcal predikt CCO"], tmp_path)


@pytest.mark.parametrize("page", _named(page for page in PAGES if _blocks(page, "yaml")))
def test_the_yaml_of_a_page_is_an_experiment(page: Path) -> None:
    """Of a whole experiment: it is valid; of a part: its keys exist. A suite holds experiments."""
    from onekcal.models.registry import MODELS
    from onekcal.runs.experiment import Experiment, load_yaml, parse

    for block, _ in _blocks(page, "yaml"):
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
