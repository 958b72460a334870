"""Batches and computations keep order and columns, over crashes and restarts."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable
from pathlib import Path

from onekcal.serve.jobs import _mended
from onekcal.serve.limits import Limits
from onekcal.system.home import home
from support.serving import pretending, wait_for

TABLE = "smiles,id,note\nCCO,a1,first\n,a2,empty\nCRASH,a3,dies\nC,a4,=1+1\n"


def _table(client, key: str) -> list[dict[str, str]]:
    _, content, _ = client.raw(f"/api/jobs/{key}/download.csv")
    return list(csv.DictReader(io.StringIO(content.decode())))


def test_a_table_comes_back_with_its_ids_columns_and_failures_in_their_place(client) -> None:
    job = client.upload("mine.csv", TABLE)
    assert (job["total"], job["name"]) == (4, "mine.csv")
    done = client.until(job["id"], "done")
    assert (done["done"], done["failed"]) == (4, 2)
    rows = _table(client, job["id"])
    assert [row["id"] for row in rows] == ["a1", "a2", "a3", "a4"]
    assert [row["note"] for row in rows] == ["first", "empty", "dies", "=1+1"]
    assert "no SMILES" in rows[1]["problem"]
    assert "ended" in rows[2]["problem"]
    assert rows[3]["formation_298K_kcal_per_mol"] == "-1.5"
    _, sdf, _ = client.raw(f"/api/jobs/{job['id']}/download.sdf")
    assert sdf.count(b"$$$$") == 2
    assert b">  <note>\nfirst\n" in sdf
    told = json.loads(client.raw(f"/api/jobs/{job['id']}/download.json")[1])
    assert told[0]["columns"]["id"] == "a1"


def test_rows_come_page_by_page_and_each_once(client) -> None:
    job = client.upload("list.smi", "".join(f"{'C' * (k + 1)} m{k}\n" for k in range(12)))
    client.until(job["id"], "done")
    seen, after = [], 0
    while (told := client.ask(f"/api/jobs/{job['id']}/rows?after={after}&limit=5"))["rows"]:
        seen += [row["row"] for row in told["rows"]]
        after = told["next"]
        assert all("block" not in row for row in told["rows"])
    assert sorted(seen) == list(range(12))


def test_a_cancelled_batch_keeps_its_rows_and_goes_on_when_asked(client) -> None:
    job = client.upload("slow.smi", "".join(f"SLOW{k}\n" for k in range(12)))
    wait_for(lambda: client.ask(f"/api/jobs/{job['id']}")["done"] >= 2)
    client.ask(f"/api/jobs/{job['id']}/cancel", {})
    wait_for(lambda: not client.app.state.desk.jobs.live)
    kept = client.ask(f"/api/jobs/{job['id']}")
    assert kept["state"] == "cancelled"
    assert 2 <= kept["done"] < 12
    before = len(_table(client, job["id"]))
    assert 2 <= before < 12
    client.ask(f"/api/jobs/{job['id']}/resume", {})
    assert client.until(job["id"], "done")["done"] == 12
    assert len(_table(client, job["id"])) == 12
    assert client.raw(f"/api/jobs/{job['id']}", method="DELETE")[0] == 204
    client.ask(f"/api/jobs/{job['id']}", status=400)


def test_a_restart_of_the_server_loses_no_row_and_computes_none_twice(serve: Callable) -> None:
    with pretending() as first:
        job = first.upload("slow.smi", "".join(f"SLOW{k}\n" for k in range(8)))
        wait_for(lambda: first.ask(f"/api/jobs/{job['id']}")["done"] >= 2)
    path = home() / "serve" / "jobs" / job["id"] / "answers.jsonl"
    before = path.read_text()
    path.write_text(before + '{"row": 7, "cel')  # a machine that lost its power
    second = serve()
    assert second.until(job["id"], "done")["done"] == 8
    after = path.read_text()
    assert after.startswith(before)
    assert sorted(json.loads(line)["row"] for line in after.splitlines()) == list(range(8))


def test_a_computation_goes_on_after_a_restart_and_is_not_added_twice(serve: Callable) -> None:
    asked = {"predict": {"smiles": "STUCK", "rung": "g4mp2"}}
    with pretending() as first:
        job = first.ask("/api/jobs", asked, status=202)
        first.until(job["id"], "running")
        assert first.ask("/api/jobs", asked, status=202)["id"] == job["id"]
        assert first.ask("/api/predict?smiles=C")["formation_298"] == -1.5  # a worker is left
    second = serve()
    assert second.until(job["id"], "running")["kind"] == "predict"
    second.ask(f"/api/jobs/{job['id']}/cancel", {})
    assert second.until(job["id"], "cancelled")
    quick = second.ask("/api/jobs", {"bonds": {"smiles": "CC"}}, status=202)
    assert second.until(quick["id"], "done")["done"] == 1


def test_a_file_that_cannot_be_used_is_refused_and_leaves_nothing(serve: Callable) -> None:
    client = serve(limits=Limits(rows=3))
    for name, content, word in (
        ("x.exe", "C", "should end with"),
        ("..%2F..%2Fetc%2Fpasswd", "C", "should end with"),
        ("a.csv", "name\nethanol\n", "SMILES"),
        ("many.smi", "C\n" * 5, "more than 3"),
    ):
        said = client.ask(f"/api/batch?file={name}", content.encode(), status=400)
        assert word in said["problem"]
        assert "jobs/" not in said["problem"]
    assert client.ask("/api/jobs") == []
    assert not list((home() / "serve").glob("jobs/*"))


def test_a_file_that_breaks_its_reader_breaks_nothing_else(serve: Callable) -> None:
    client = serve(limits=Limits(reader_memory=64 * 2**20))
    said = client.ask("/api/batch?file=a.smi", b"CCO\n", status=400)
    assert "could not be read" in said["problem"] or "memory" in said["problem"]
    assert client.ask("/api/predict?smiles=C")["formation_298"] == -1.5


def test_a_torn_last_line_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_text('{"row": 0, "problem": null}\n{"row": 1, "problem": "no"}\n{"row": 2')
    assert _mended(path) == {0: False, 1: True}
    assert path.read_text().count("\n") == 2
    assert _mended(tmp_path / "none") == {}


def test_what_was_uploaded_and_became_no_job_is_removed_after_an_hour(serve: Callable) -> None:
    old, new, kept = (
        home() / "serve" / "jobs" / name for name in ("batch-a", "batch-b", "bonds-c")
    )
    for folder in (old, new, kept):
        folder.mkdir(parents=True)
    (old / "upload.smi").write_text("C\n")
    job = {"format": 1, "key": "bonds-c", "name": "c", "kind": "other", "content": {}, "order": 1}
    (kept / "job.json").write_text(json.dumps(job))
    for folder in (old, kept):
        os.utime(folder, (0, 0))
    serve()
    assert not old.exists()
    assert new.exists()
    assert kept.exists()
