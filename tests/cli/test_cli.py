"""The command line as a user meets it: output and exit code; in a process where that matters."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.command import onekcal


def process(
    *words: str, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "onekcal", *words],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=300,
        env={**os.environ, **environment},
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an experiment and its finished run."""
    folder = tmp_path_factory.mktemp("study with a space")
    home = {"ONEKCAL_HOME": str(folder / "home")}
    assert process("init", "mine.yaml", cwd=folder, **home).returncode == 0
    changes = ["--set", "data.train=200", "--set", "name=first"]
    done = process("train", "mine.yaml", *changes, cwd=folder, **home)
    assert done.returncode == 0, done.stderr
    assert "MAE (kcal/mol)" in done.stdout
    return folder


def test_help_names_every_verb() -> None:
    done = process("--help")
    assert done.returncode == 0
    for verb in (
        "train",
        "evaluate",
        "predict",
        "label",
        "field",
        "show",
        "data",
        "bench",
        "init",
        "rerun",
        "models",
        "doctor",
    ):
        assert verb in done.stdout


def test_a_run_ends_in_a_table_and_a_picture(trained: Path) -> None:
    assert (trained / "runs/first/parity.png").read_bytes().startswith(b"\x89PNG")


def test_rerun_check_proves_the_run_and_fails_on_a_changed_prediction(trained: Path) -> None:
    done = process("rerun", "runs/first", "--check", cwd=trained)
    assert done.returncode == 0, done.stderr
    assert "largest difference 0.00e+00" in done.stdout
    path = trained / "runs/first/predictions.csv"
    text = path.read_text()
    lines = text.splitlines()
    fields = lines[1].split(",")
    fields[4] = str(float(fields[4]) + 1)
    path.write_text("\n".join([lines[0], ",".join(fields), *lines[2:]]))
    done = process("rerun", "runs/first", "--check", cwd=trained)
    path.write_text(text)
    assert done.returncode == 1
    assert "is not reproduced" in done.stderr


def test_evaluate_measures_on_other_data(trained: Path) -> None:
    done = onekcal(
        "evaluate", "runs/first", "qm9-small", "--target", "b3lyp", "--json", cwd=trained
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["count"] > 1000
    assert "runs/first was fitted to" in done.stderr  # most of these molecules are no test


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["train", "absent.yaml"], 2, "no experiment file absent.yaml"),
        (["data", "check", "qm77"], 3, "qm7"),
        (["bench", "qm7-clasical"], 2, "did you mean 'qm7-classical'"),
        (["predict", "CCO", "--model", "nowhere"], 3, "no model at nowhere"),
        (["init", "mine.yaml"], 2, "mine.yaml exists"),
        (["init", "nowhere/x.yaml"], 1, "nowhere/x.yaml: No such file or directory"),
        (["train", "runs/first"], 2, "runs/first cannot be read: Is a directory"),
        (["predict", "CCO", "--csv", "--json"], 2, "--csv and --json cannot both"),
        (["predict", "CCO", "--forces"], 2, "--forces needs --json"),
        (["data", "import", "mine.yaml", "--name", "m", "--at", "0K"], 2, "did you mean '0 K'"),
        (["data", "import", "mine.yaml", "--name", "../escaped"], 2, "cannot name a data set"),
        (["bench", "absent.yaml"], 2, "there is no file absent.yaml"),
        (["show", "runs/fir"], 2, "did you mean runs/first?"),
        (["show", "runs/first", "--field", "lol"], 2, "leave --field out"),
        (["show", "runs/first", "--save", "a.png"], 2, "saved as .html, got 'a.png'"),
        (["show", "mini", "O"], 2, "one source at a time"),
        (["models", "schnett"], 2, "did you mean 'schnet'"),
        (["train", "mine.yaml", "--set", "fitt.epochs=2"], 2, "there is no 'fitt.epochs'"),
        (["train", "mine.yaml", "--set", "fit.epochs=2"], 2, "no stage is one"),
    ],
)
def test_a_mistake_is_one_line_and_an_exit_code(
    trained: Path, words: list[str], code: int, message: str
) -> None:
    done = onekcal(*words, cwd=trained)
    assert message in done.stderr
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_process_ends_with_the_code_and_nothing_but_the_line(trained: Path) -> None:
    done = process("predict", "CCO", "--model", "nowhere", cwd=trained)
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.startswith("onekcal: no model at nowhere")
    assert len(done.stderr.splitlines()) == 1


def test_doctor_says_what_is_missing_and_how_to_get_it() -> None:
    done = process("doctor", "--json")
    rows = {row["part"]: row for row in json.loads(done.stdout)}
    assert rows["torch"]["state"] == "ok"
    for row in rows.values():
        if row["state"] == "absent" and row["part"] not in ("GPU", "mirror", "chromium"):
            assert "pip install" in row["detail"]


@pytest.mark.parametrize(
    ("words", "said", "written"),
    [
        (["show", "runs/first"], "report.html", {"runs/first/report.html": b"<!doctype html>"}),
        (
            ["show", "mini", "--molecule", "3", "--save", "m.html"],
            "m.html",
            {"m.html": b"<!doctype html>"},
        ),
        (
            ["show", "O", "--field", "lol", "--level", "0.6", "--save", "o.png"],
            "localized orbital",
            {"o.png": b"\x89PNG"},
        ),
        (
            [
                "field",
                "O",
                "--kind",
                "nep",
                "--grid",
                "8",
                "--turn",
                "1",
                "--png",
                "n.png",
                "--html",
                "n.html",
                "--cube",
                "n.cube",
                "--level",
                "5",
            ],
            "n.cube",
            {"n.png": b"\x89PNG", "n.html": b"<!doctype html>", "n.cube": b""},
        ),
        (
            [
                "label",
                "mini",
                "two.h5",
                "--relax",
                "--keep",
                "b3lyp",
                "--sample",
                "2",
                "--workers",
                "1",
            ],
            "2 molecules",
            {"two.h5": b"\x89HDF"},
        ),
        (["data", "list"], "qm9-g4mp2", {}),
        (["data", "get", "mini"], "mini.npz", {}),
        (["data", "show", "mini"], "MIT", {"mini.html": b"<"}),
        (["bench", "list"], "qm7-classical", {}),
    ],
    ids=lambda value: "-".join(value[:2]) if isinstance(value, list) else "",
)
def test_what_a_command_says_and_writes(
    trained: Path, words: list[str], said: str, written: dict[str, bytes]
) -> None:
    done = onekcal(*words, cwd=trained, ONEKCAL_HOME=str(trained / "home"))
    assert done.returncode == 0, done.stderr
    assert said in done.stdout
    for name, start in written.items():
        assert (trained / name).read_bytes().lower().startswith(start.lower())


def test_label_delivers_what_it_can_and_the_doctor_reads_it(tmp_path: Path) -> None:
    (tmp_path / "a.smi").write_text("O water\n[Na+].[Cl-] salt\nCC#N acetonitrile\n")
    done = process("label", "a.smi", "a.h5", "--forces", "--workers", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "2 molecules with gfn2" in done.stdout
    assert "a.smi, line 2" in done.stderr
    report = json.loads(onekcal("data", "check", "a.h5", "--json", cwd=tmp_path).stdout)
    assert not report["failed"]
    assert {"gfn2", "gfn2_forces"} <= {finding["what"] for finding in report["findings"]}


def test_an_imported_file_keeps_its_units_and_is_checked(trained: Path) -> None:
    text = "".join(
        f"2\nenergy={-1.17 + 0.3 * (r - 0.74) ** 2} energy_unit=hartree\nH 0 0 0\nH 0 0 {r}\n"
        for r in (0.70, 0.74, 0.80)
    )
    (trained / "h2.extxyz").write_text(text)
    home = {"ONEKCAL_HOME": str(trained / "home")}
    done = onekcal(
        "data",
        "import",
        "h2.extxyz",
        "--name",
        "h2",
        "--level",
        "ccsd/tz",
        "--at",
        "0 K",
        cwd=trained,
        **home,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(onekcal("data", "check", "h2", "--json", cwd=trained, **home).stdout)
    energy = next(finding for finding in report["findings"] if finding["what"] == "energy")
    assert "total energy, ccsd/tz, 0 K" in energy["detail"]
    assert "-734" in energy["detail"]  # −1.17 Hartree


def test_an_imported_file_without_energies_is_said_to_be_so(tmp_path: Path) -> None:
    (tmp_path / "bare.xyz").write_text("2\n\nH 0 0 0\nH 0 0 0.74\n")
    done = onekcal(
        "data",
        "import",
        "bare.xyz",
        "--name",
        "bare",
        cwd=tmp_path,
        ONEKCAL_HOME=str(tmp_path / "home"),
    )
    assert done.returncode == 0
    assert "bare.xyz holds no energies" in done.stderr


def test_square_brackets_are_printed_as_they_are() -> None:
    """The tables' markup must not swallow [dft]."""
    told = process("doctor").stdout
    assert "onekcal[peers]" in told or "qmllib        ok" in told


def test_a_reader_that_leaves_early_is_no_error() -> None:
    told = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m onekcal predict --scope --json | head -c 20"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(told.stdout) == 20
    assert told.stderr == ""
