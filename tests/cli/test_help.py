"""The help appears at once and shows how each verb is used."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from onekcal.cli.main import app

HEAVY = (
    "torch numpy scipy sklearn rdkit pydantic plotly matplotlib ase pyscf tblite h5py yaml jinja2"
).split()


def verbs(command: object | None = None, before: str = "") -> list[str]:
    """Every verb, those of a group with the group's name before them."""
    inner = getattr(command or get_command(app), "commands", None)
    if inner is None:
        return [before]
    return [one for name, verb in inner.items() for one in verbs(verb, f"{before} {name}".strip())]


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom onekcal.cli.main import app\n"
        "try:\n    app(['--help'])\nexcept SystemExit:\n    pass\n"
        f"print('imported', sorted({set(HEAVY)} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip().endswith("imported []")


def test_the_verbs_do_not_need_pyscf_to_be_listed() -> None:
    """A finder that refuses pyscf stands for a machine without it."""
    code = (
        "import sys\nsys.modules['pyscf'] = None\nfrom onekcal.cli.main import app\n"
        "for words in (['bench', 'list', '--json'], ['models', '--json']):\n"
        "    try:\n        app(words)\n    except SystemExit as end:\n"
        "        assert not end.code, words\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("verb", verbs())
def test_each_verb_shows_examples_that_begin_with_it(verb: str) -> None:
    told = CliRunner().invoke(app, [*verb.split(), "--help"]).stdout
    shown = re.findall(r"^  +onekcal (.*)$", told.partition("Examples:")[2], re.M)
    assert shown
    assert all(line.startswith(verb) for line in shown)
