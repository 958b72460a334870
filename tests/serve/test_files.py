"""Names and columns of strangers' files, in and out; runs and their reports."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from onekcal.molecules import Molecules
from onekcal.serve import downloads, reader, runs
from onekcal.system.files import write_json
from onekcal.system.queue import Job

SDF = """water
  made

  3  2  0  0  0  0  0  0  0  0999 V2000
    0.0000    0.0000    0.1173 O   0  0
    0.0000    0.7572   -0.4692 H   0  0
    0.0000   -0.7572   -0.4692 H   0  0
  1  2  1  0
  1  3  1  0
M  END
>  <ID>
w-1

$$$$
"""


def test_an_sdf_keeps_its_tags_and_a_broken_molecule_its_place(tmp_path: Path) -> None:
    path = tmp_path / "some.sdf"
    path.write_text(SDF + SDF.replace("  3  2", "  9  9", 1) + SDF.replace("w-1", "w-3"))
    rows = list(reader.rows(str(path)))
    assert [row["columns"].get("ID") for row in rows] == ["w-1", "w-1", "w-3"]
    assert [bool(row.get("bad")) for row in rows] == [False, True, False]
    assert rows[0]["numbers"] == [8, 1, 1]


def test_a_file_of_geometries_is_read_with_charge_and_spin(tmp_path: Path) -> None:
    path = tmp_path / "one.xyz"
    path.write_text("2\nname=hydroxyl spin=1\nO 0 0 0\nH 0 0 0.97\n")
    (row,) = reader.rows(str(path))
    assert (row["charge"], row["spin"]) == (0, 1)


def _job(folder: Path, columns: dict[str, str], cells: dict[str, object]) -> Job:
    (folder / "questions.jsonl").write_text(json.dumps({"columns": columns}) + "\n")
    answer = {"row": 0, "cells": cells, "block": "name\n\n\nM  END\n"}
    (folder / "answers.jsonl").write_text(json.dumps(answer) + "\n")
    return Job(folder, "batch-0", "x", "batch", {}, 0)


def test_a_name_cannot_become_a_formula_a_column_or_an_end_of_an_sdf(tmp_path: Path) -> None:
    hostile = '=HYPERLINK("http://x")'
    job = _job(tmp_path, {"a>\n$$$$\n": "1\n$$$$\n>  <x>"}, {"name": hostile, "value": "-1.5"})
    table = "".join(downloads.as_csv(job))
    assert f'"\'{hostile.replace(chr(34), 2 * chr(34))}",-1.5' in table
    (block,) = downloads.as_sdf(job)
    assert [line for line in block.splitlines() if line.startswith("$$$$")] == ["$$$$"]
    assert block.endswith("\n$$$$\n")


def test_columns_of_the_same_name_are_told_apart(tmp_path: Path) -> None:
    job = _job(tmp_path, {"name": "theirs"}, {"name": "ours"})
    assert list(downloads.as_csv(job)) == ["name,onekcal_name\n", "theirs,ours\n"]


def _run(folder: Path, mae: float) -> None:
    folder.mkdir(parents=True)
    write_json(folder / "metrics.json", {"mae": mae, "unit": "kcal/mol", "count": 3})


def test_runs_are_listed_and_links_out_of_the_folder_are_not(tmp_path: Path) -> None:
    base, outside = tmp_path / "runs", tmp_path / "outside"
    _run(base / "first", 1.0)
    _run(outside, 2.0)
    (base / "link").symlink_to(outside)
    (base / "broken").mkdir()
    (base / "broken" / "metrics.json").write_text("{")
    assert [one.name for one in runs.runs([base])] == ["first"]


def test_a_report_is_shown_in_a_sandbox_and_only_from_its_own_folder(
    serve: Callable, tmp_path: Path
) -> None:
    _run(tmp_path / "runs" / "<img src=x>", 1.0)
    _run(tmp_path / "runs" / "second", 2.0)
    (tmp_path / "runs" / "<img src=x>" / "report.html").write_text("<p>mine")
    (tmp_path / "secret.html").write_text("secret")
    (tmp_path / "runs" / "second" / "report.html").symlink_to(tmp_path / "secret.html")
    client = serve(runs=(tmp_path / "runs",))
    listed = {one["name"]: one for one in client.ask("/api/runs")}
    code, page, headers = client.raw(f"/runs/{listed['<img src=x>']['id']}")
    assert (code, page) == (200, b"<p>mine")
    assert "sandbox allow-scripts" in headers["Content-Security-Policy"]
    assert "allow-same-origin" not in headers["Content-Security-Policy"]
    code, page, _ = client.raw(f"/runs/{listed['second']['id']}")
    assert code == 400
    assert b"secret" not in page


def test_molecules_of_a_batch_are_asked_as_they_were_read(water: Molecules) -> None:
    from onekcal.serve.tasks import question_of

    task = {
        "source": "x, molecule 1",
        "name": "water",
        "numbers": water.numbers.tolist(),
        "positions": water.positions.tolist(),
        "charge": 0,
        "spin": 0,
    }
    asked = question_of(task)
    assert asked.molecule is not None
    assert asked.molecule.formulas == ["H2O"]
    assert question_of({"source": "x", "bad": "no"}).problem == "no"
