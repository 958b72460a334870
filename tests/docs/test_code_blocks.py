"""Code in the pages runs: blocks of Python one after the other, and console blocks."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "howto").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)


def _blocks(page: Path, language: str) -> list[str]:
    text = page.read_text(encoding="utf-8")
    return [match[2] for match in BLOCK.finditer(text) if match[1] == language]


def _having(language: str) -> list[object]:
    return [pytest.param(page, id=page.stem) for page in PAGES if _blocks(page, language)]


def _surroundings(home: Path) -> dict[str, str]:
    """The test's own home, one thread, and this interpreter's commands first."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"ONEKCAL_HOME": str(home), "OMP_NUM_THREADS": "1", "PATH": path}


@pytest.mark.parametrize("page", _having("python"))
def test_the_python_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    code = "\n".join(_blocks(page, "python"))
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=_surroundings(tmp_path / "home"),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", _having("console"))
def test_the_console_lines_of_a_page_run(page: Path, tmp_path: Path) -> None:
    for block in _blocks(page, "console"):
        commands = [line[2:] for line in block.splitlines() if line.startswith("$ ")]
        assert commands
        done = subprocess.run(
            ["bash", "-ec", "\n".join(commands)],
            cwd=tmp_path,
            env=_surroundings(tmp_path / "home"),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", _having("yaml"))
def test_the_yaml_of_a_page_is_an_experiment(page: Path) -> None:
    """Of a whole experiment: it is valid; of a part: its keys exist."""
    from onekcal.models.registry import MODELS
    from onekcal.runs.experiment import Experiment, load_yaml, parse

    for block in _blocks(page, "yaml"):
        content = load_yaml(block)
        assert set(content) <= set(Experiment.model_fields), yaml.safe_dump(content)
        names = [
            stage if isinstance(stage, str) else next(iter(stage))
            for stage in content.get("stages", [])
        ]
        if "data" in content and set(names) <= set(MODELS):
            parse(content, page.name)
