"""What a newcomer stumbled over in `show`, `data` and Python's answers about runs and models."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import pytest
import torch

from onekcal import datasets, load_model
from onekcal.data.dataset import Column
from onekcal.datasets.doctor.check import check
from support.command import onekcal


@pytest.fixture
def ran(in_empty_folder: Path) -> Path:
    """A folder with the finished run `my runs/first`."""
    data = {"set": "mini", "target": "b3lyp", "train": 40, "test": 20}
    content = {"name": "first", "data": data, "stages": ["dressed_atoms"]}
    (in_empty_folder / "e.yaml").write_text(json.dumps(content))
    done = onekcal("train", "e.yaml", "--runs", "my runs", "--json", cwd=in_empty_folder)
    assert done.returncode == 0, done.stderr
    return in_empty_folder


def test_a_report_is_never_written_into_a_picture(ran: Path) -> None:
    done = onekcal("show", "my runs/first", "--save", "a.png", cwd=ran)
    assert done.returncode == 2
    assert "the report of a run is saved as .html, got 'a.png'" in done.stderr
    assert not (ran / "a.png").exists()


def test_the_commands_of_a_report_can_be_typed_as_they_stand(ran: Path) -> None:
    assert onekcal("show", "my runs/first", cwd=ran).returncode == 0
    page = (ran / "my runs/first/report.html").read_text()
    (shown,) = re.findall(r'aria-label="command">(.*?)</pre>', page, re.S)
    rerun, first = html.unescape(shown).splitlines()
    assert rerun == "onekcal rerun 'my runs/first' --check"
    assert first == "# first: onekcal train e.yaml --runs 'my runs' --json"
    assert onekcal("rerun", "my runs/first", "--check", cwd=ran).returncode == 0


def test_a_model_is_one_line_in_a_notebook(ran: Path) -> None:
    for model in (load_model("g4mp2"), load_model(ran / "my runs/first")):
        assert "\n" not in repr(model)
        assert len(repr(model)) < 200
        assert len(repr(model.model)) < 200


def test_an_imported_set_shows_its_size_and_may_begin_like_the_embedded_one(ran: Path) -> None:
    Path(ran / "own.smi").write_text("CCO\nC\nO\n")
    assert not datasets.is_here("minimal")
    done = onekcal("data", "import", "own.smi", "--name", "minimal", cwd=ran)
    assert done.returncode == 0, done.stderr
    try:
        listed = json.loads(onekcal("data", "list", "--json", cwd=ran).stdout)
        (own,) = (row for row in listed if row["name"] == "minimal")
        assert (own["molecules"], own["here"]) == (3, True)
    finally:
        (datasets.access.home() / "minimal.h5").unlink()


def test_the_doctor_takes_no_imaginary_frequencies_for_lost_labels() -> None:
    data = datasets.load("mini").dataset[:20]
    none = Column(torch.zeros(20, dtype=torch.float64), "property", unit="1")
    found = check(data.with_column("gfn2_imaginary", none)).findings
    assert [one.level for one in found if one.what == "gfn2_imaginary"] == ["ok"]


def test_the_doctor_still_notices_energies_that_were_lost() -> None:
    data = datasets.load("mini").dataset[:20]
    lost = Column(torch.zeros(20, dtype=torch.float64), level="pbe0")
    found = check(data.with_column("pbe0", lost)).findings
    assert [one.level for one in found if one.what == "pbe0"] == ["error"]


def test_an_option_that_a_report_has_no_use_for_is_not_ignored(ran: Path) -> None:
    done = onekcal("show", "my runs/first", "--molecule", "3", cwd=ran)
    assert done.returncode == 2
    assert "leave --molecule out" in done.stderr
