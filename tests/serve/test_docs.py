"""The page of the docs says what is true, and its examples work."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from onekcal.serve.limits import Limits

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "web-page.md"
HERE = "http://127.0.0.1:8000"


def _limits() -> str:
    """What the page says from its table of limits to the next heading."""
    return PAGE.read_text(encoding="utf-8").partition("What is taken is limited")[2].split("## ")[0]


def test_the_limits_of_the_page_are_those_of_the_server() -> None:
    rows = re.findall(r"^\| (.+?) \| ([\d,]+) \|", _limits(), re.M)
    said = [int(number.replace(",", "")) for _, number in rows]
    one = Limits()
    assert said == [
        *(one.body, one.upload, one.rows, one.atoms, one.seconds, one.row_seconds),
        *(one.waiting, one.jobs, one.rate),
    ]


def test_every_route_of_the_page_exists(client) -> None:
    paths = set(client.ask("/api/openapi.json")["paths"])
    text = PAGE.read_text(encoding="utf-8")
    named = set(re.findall(r"/api/[\w/.]*\w", text.partition("| route |")[2]))
    known = {re.sub(r"\{key\}", "ID", path).replace("{ending}", "csv") for path in paths}
    assert named
    assert named <= known


def test_the_python_of_the_page_runs(client, capsys: pytest.CaptureFixture) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    exec(compile(code.replace(HERE, client.address), str(PAGE), "exec"), {"__name__": "page"})
    said = capsys.readouterr().out
    assert "-1.5" in said
    assert re.search(r"predict-[0-9a-f]{16} (waiting|running)", said)


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
def test_the_curl_lines_of_the_page_run(client) -> None:
    lines = re.findall(r"^curl .*$", PAGE.read_text(encoding="utf-8"), re.M)
    assert len(lines) == 3
    for line in lines:
        words = shlex.split(line.replace(HERE, client.address))
        told = subprocess.run(
            [*words, "-sS", "--fail-with-body", "--noproxy", "*"], capture_output=True, text=True
        )
        assert told.returncode == 0, told.stdout + told.stderr
        assert "formation_298" in told.stdout or '"state"' in told.stdout
