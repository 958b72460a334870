"""The command line in this process: a new one imports torch for seconds."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import pytest

from onekcal.cli.main import main


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


def onekcal(*words: str, cwd: Path, stdin: str = "", **environment: str) -> Done:
    """What `main` prints and how it ends; what it does not catch is raised here, too."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.chdir(cwd)
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setattr("sys.argv", ["onekcal", *words])
        patch.setattr("sys.stdin", io.StringIO(stdin))
        with pytest.raises(SystemExit) as end:
            main()
    return Done(int(end.value.code or 0), out.getvalue(), err.getvalue())
