"""The README's first output is what the command prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from onekcal.cli.main import app

README = Path(__file__).parents[2] / "README.md"
NUMBER = re.compile(r"[−-]?\d+\.\d+")


def test_the_ledger_in_the_readme_is_the_one_predict_prints(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Words exactly; numbers to 0.1 kJ/mol: GFN2-xTB relaxations end within a force threshold, not
    at a point.
    """
    block = re.search(r"```text\n(.*?)```", README.read_text(encoding="utf-8"), re.S)
    assert block, "the README shows no output"
    monkeypatch.setenv("COLUMNS", "100")
    found = CliRunner().invoke(app, ["predict", "CCO"])
    assert found.exit_code == 0

    def apart(text: str) -> tuple[str, list[float]]:
        lines = "\n".join(line.rstrip() for line in text.strip().splitlines())
        return NUMBER.sub("#", lines), [float(n.replace("−", "-")) for n in NUMBER.findall(lines)]

    (shown, numbers), (printed, values) = apart(block[1]), apart(found.stdout)
    assert re.sub(" +", " ", printed) == re.sub(" +", " ", shown)
    assert values == pytest.approx(numbers, abs=0.1)
