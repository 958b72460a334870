"""What the campaigns found once, each with a test of its own."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest
from robustness.corpus import add, newest
from robustness.readers import NPZ, YAML
from yaml import YAMLError

from onekcal.cli import main as command
from onekcal.datasets.sets import qm9, qm9_g4mp2
from onekcal.errors import ConfigError, DataError, InputError
from onekcal.io import read, read_all
from onekcal.io.smiles_lines import headings
from onekcal.quantum.orbitals.files import read_wavefunction
from onekcal.runs import experiment, run
from onekcal.show import study
from onekcal.system.home import refuse_unwritable
from onekcal.system.surroundings import surroundings


def test_an_array_that_says_it_is_huge_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(NPZ[2])
    with pytest.raises(InputError, match=r"a\.npz .*npz file") as refusal:
        read(path)
    assert "\n" not in str(refusal.value)


def test_aliases_that_stand_for_billions_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    for text, words in ((YAML[3], "aliases stand for"), (b"&a [*a]", "holds itself|aliases")):
        path.write_bytes(text)
        with pytest.raises(ConfigError, match=words):
            experiment.read(path)
    assert experiment.load_yaml("a: &x [1, 2]\nb: *x") == {"a": [1, 2], "b": [1, 2]}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("data: {{set: mini, train: '{}'}}", "train takes a whole number"),
        ("data:\n  set: mini\n  target: gfn2\n  ? '{}'\n  : 1", "no key"),
        (
            "data: {{set: mini, target: gfn2}}\nstages: [{{hipnn: {{features: '{}'}}}}]",
            "takes a whole number",
        ),
        (
            "data: {{set: mini, target: gfn2}}\nstages: [{{dressed_atoms: '{}'}}]",
            "takes no settings",
        ),
        ("data: {{set: mini, target: gfn2}}\nstages: [hipnn]\nfit: {{? '{}' : 1}}", "no 'xxx"),
        ("data: {{set: mini, target: gfn2}}\nstages: [hipnn]\nfit: {{rate: '{}'}}", "fit.rate"),
    ],
)
def test_what_an_experiment_says_is_quoted_in_short(text: str, says: str) -> None:
    if "stages" not in text:
        text += "\nstages: [dressed_atoms]"
    with pytest.raises(ConfigError, match=says) as refusal:
        experiment.parse(experiment.load_yaml(text.format("x" * 5000)))
    assert len(str(refusal.value)) < 1000


def test_a_number_that_is_too_long_for_an_integer_is_quoted_in_short() -> None:
    fit = {"epochs": "9" * 5000}
    with pytest.raises(ConfigError, match="fit.epochs") as refusal:
        experiment.parse(
            {"data": {"set": "mini", "target": "gfn2"}, "stages": ["hipnn"], "fit": fit}
        )
    assert len(str(refusal.value)) < 1000


def test_a_key_that_is_a_number_of_thousands_of_digits_is_quoted_in_short() -> None:
    data = {"set": "mini", "target": "gfn2", 10**3000: 1}
    with pytest.raises(ConfigError, match="data.1000000") as refusal:
        experiment.parse({"data": data, "stages": ["dressed_atoms"]})
    assert len(str(refusal.value)) < 1000


@pytest.mark.parametrize("name", [":hipnn", "hipnn:", "a..b:C", ".a:B", "a b:C"])
def test_a_stage_that_names_half_a_module_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="expected `module:Class`"):
        experiment.parse({"data": {"set": "mini", "target": "gfn2"}, "stages": [name]})


def test_a_number_of_thousands_of_digits_is_looked_at_once() -> None:
    started = time.process_time()
    with pytest.raises(YAMLError):
        experiment.load_yaml("a: " + "9" * 400_000)
    assert time.process_time() - started < 5.0  # every way to split the digits took minutes
    assert experiment.load_yaml("[1e-5, 1.e5, .5E+3, -2e4]") == [1e-5, 1e5, 500.0, -2e4]


def test_a_table_of_thousands_of_columns_of_one_name_is_named_in_no_time() -> None:
    started = time.process_time()
    assert headings(["a"] * 20_000)[-1] == "a_20000"
    assert time.process_time() - started < 5.0  # a search for every cell and copy: minutes


@pytest.mark.parametrize(
    ("smiles", "says"), [("C" * 1000, "3,002 atoms"), ("C" * 200, "602 atoms"), ("O" * 300, "302")]
)
def test_a_smiles_of_thousands_of_atoms_is_refused(smiles: str, says: str) -> None:
    with pytest.raises(InputError, match=f"{says}.*geometries are made for up to 300"):
        read(smiles, format="smi")
    assert len(read("C" * 20, format="smi").molecules.numbers) == 62


@pytest.mark.parametrize("count", ["²", "9" * 5000, "٣x"])
def test_a_strange_count_is_no_count(tmp_path: Path, count: str) -> None:
    path = tmp_path / "a.xyz"
    path.write_text(f"{count}\n\nHe 0 0 0\n1\n\nHe 0 0 0\n", encoding="utf-8")
    data, problems = read_all(path)
    assert data is not None
    assert len(data) == 1
    assert "expected the number of atoms" in str(problems[0])
    assert len(str(problems[0])) < 1000


def test_what_a_file_of_qm9_says_is_quoted_in_short(tmp_path: Path) -> None:
    (tmp_path / "uncharacterized.txt").write_text("")
    with tarfile.open(tmp_path / qm9.ARCHIVE, "w:bz2") as tar:
        add(tar, "dsgdb9nsd_000001.xyz", b"5\ngdb 1 " + b"7" * 3000 + b"x" + b" 1" * 14 + b"\n")
    with pytest.raises(DataError, match="not in QM9's format") as refusal:
        qm9.read_official(tmp_path)
    assert len(str(refusal.value)) < 600


def test_what_a_file_of_qm9_g4mp2_says_is_quoted_in_short(tmp_path: Path) -> None:
    with gzip.open(tmp_path / qm9_g4mp2.OFFICIAL.file, "wt") as file:
        json.dump({"xyz": f"{'7' * 3000}x\n\nH 0 0 0\n"}, file)
    with pytest.raises(DataError, match="record 1 is not in the format") as refusal:
        qm9_g4mp2.read_official(tmp_path)
    assert len(str(refusal.value)) < 600


@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        ("hydroxyl.wfx", "GTO\n", "STO here\n" * 1000, "functions of kind STO HERE"),
        ("h2.molden", "\ns 3", f"\n{'z' * 3000} 3", "zzz.* functions; s, p"),
    ],
)
def test_what_a_file_of_orbitals_says_is_quoted_in_one_short_line(
    tmp_path: Path, name: str, old: str, new: str, says: str
) -> None:
    path = tmp_path / name
    path.write_text((newest() / name).read_text().replace(old, new, 1))
    with pytest.raises(InputError, match=says) as refusal:
        read_wavefunction(path)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 400


def test_pictures_are_there_when_the_folder_appears(tmp_path: Path) -> None:
    seen: list[bool] = []

    def draw(done: run.Run) -> None:
        seen.append((tmp_path / "net").exists())
        study.picture(done)

    content = {"data": {"set": "mini", "target": "gfn2", "train": 20}, "stages": ["dressed_atoms"]}
    done = run.run(experiment.parse(content), tmp_path / "net", draw=draw)
    assert seen == [False]
    assert (done.folder / "parity.png").is_file()


def test_a_locale_without_utf_8_is_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO()
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, io.TextIOWrapper(out, encoding="ascii"))
    command._speak_utf8()
    print("ΔfH ± 1")
    sys.stdout.flush()
    assert out.getvalue() == "ΔfH ± 1\n".encode()


def test_a_terminal_without_utf_8_gets_a_question_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.TextIOWrapper):
        def isatty(self) -> bool:
            return True

    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", Terminal(out, encoding="ascii"))
    command._speak_utf8()
    print("± 1")
    sys.stdout.flush()
    assert out.getvalue() == b"? 1\n"


def test_a_home_that_cannot_be_written_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    inside = tmp_path / "file" / "home"
    with pytest.raises(DataError, match="keeps jobs and cannot be written.*ONEKCAL_HOME"):
        refuse_unwritable(inside, "jobs")
    refuse_unwritable(tmp_path / "new", "jobs")
    monkeypatch.setenv("ONEKCAL_HOME", str(inside))
    row = next(one for one in surroundings() if one["part"] == "data")
    assert row["state"] == "absent"
    assert "cannot be written" in row["detail"]


def test_without_home_and_with_a_reader_that_leaves_nothing_is_said(tmp_path: Path) -> None:
    """`onekcal models | head -1` in a process of its own, without HOME."""
    bare = {key: value for key, value in os.environ.items() if key not in ("HOME", "ONEKCAL_HOME")}
    bare |= {"XDG_CACHE_HOME": str(tmp_path), "TERM": "dumb", "LC_ALL": "C"}
    done = subprocess.run(
        f"{sys.executable} -m onekcal models | head -n 1; exit ${{PIPESTATUS[0]}}",
        shell=True, executable="/bin/bash", env=bare, capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 1


def test_a_pipe_that_nobody_reads_is_no_failure() -> None:
    reads, writes = os.pipe()
    os.close(reads)
    done = subprocess.run(
        [sys.executable, "-m", "onekcal", "models"],
        stdout=writes,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writes)
    assert (done.returncode, done.stderr) == (0, "")
