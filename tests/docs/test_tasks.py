"""Twenty tasks of a user: each has a page of its own, and what the page says is run by a test."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.code_blocks import python, shell

ROOT = Path(__file__).parents[2]
TASKS = {
    "ids through a CSV": "howto/names-through-a-csv.md",
    "answers as a DataFrame": "howto/data-frames.md",
    "a heat of formation in Python": "howto/thermochemistry.md",
    "a free energy": "howto/free-energies.md",
    "a reaction": "howto/reactions.md",
    "a bond energy": "howto/bond-energies.md",
    "geometries of one's own": "howto/geometry-files.md",
    "conformers": "howto/conformers.md",
    "MD of ethanol, relaxation with a trained model, vibrations": "howto/dynamics.md",
    "a model in ASE": "howto/ase.md",
    "own data in eV": "howto/own-data.md",
    "a model corrected with own energies": "howto/correct-a-model.md",
    "molecules the model does not know": "howto/computed-energies.md",
    "long lists": "howto/scale.md",
    "several cores": "howto/several-cores.md",
    "a notebook": "howto/notebooks.md",
    "a model of one's own": "howto/new-model.md",
    "a verb of one's own": "howto/new-verb.md",
    "fields of a molecule": "guides/fields.md",
    "a report of a run": "guides/report.md",
    "the first steps": "tutorial.md",
}
BY_OTHER_TESTS = {"howto/web-page.md": "serve/test_docs.py"}
"""Pages whose blocks need a server, and the test that runs them."""


def _runs(text: str) -> bool:
    """Whether something of a page runs (`test_code_blocks.py`)."""
    return bool(python(text).strip() or shell(text))


def test_there_are_twenty_tasks_and_more() -> None:
    assert len(set(TASKS.values())) >= 20


@pytest.mark.parametrize("page", TASKS.values(), ids=TASKS.keys())
def test_a_task_is_a_page_that_runs(page: str) -> None:
    assert _runs((ROOT / "docs" / page).read_text(encoding="utf-8"))


@pytest.mark.parametrize(("page", "test"), BY_OTHER_TESTS.items())
def test_a_page_that_needs_a_server_has_one_in_its_test(page: str, test: str) -> None:
    assert "PAGE" in (ROOT / "tests" / test).read_text(encoding="utf-8")
    assert (ROOT / "docs" / page).is_file()


def test_a_page_without_blocks_that_run_is_noticed() -> None:
    assert not _runs("# A\n\n```sh\nonekcal predict C\n```\n")
    assert not _runs("<!-- does not run: no server -->\n```python\n1\n```\n")
    assert not _runs("```console\nwhat a command says\n```\n")
    assert _runs("<!-- runs -->\n```sh\nonekcal predict C\n```\n")
    assert _runs("```console\n$ onekcal predict C\n```\n")
