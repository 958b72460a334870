"""The load test: nothing is lost, answers that are kept come at once, and a batch is as fast as the
command's.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from onekcal.bench import scaling, serving
from onekcal.bench.tables import rows

pytest.importorskip("fastapi", reason="needs onekcal[serve]")
RESULTS = Path(__file__).parents[2] / "results"


@pytest.mark.slow
def test_fifty_clients_lose_nothing_and_wait_less_than_a_second_for_what_is_kept(
    tmp_path: Path,
) -> None:
    told = serving.run(tmp_path, questions=300, molecules=24)
    kept, new, batch = (row["columns"] for row in told["rows"])
    assert kept["lost"] == new["lost"] == 0
    assert new["replies"] == serving.CLIENTS
    assert kept["p95 (s)"] < 1.0
    assert batch[serving.RATIO] > 0.5  # of so few molecules
    assert json.loads((tmp_path / "serve.json").read_text(encoding="utf-8")) == told


def test_the_results_keep_what_is_promised() -> None:
    told = json.loads((RESULTS / "serve.json").read_text(encoding="utf-8"))
    kept, new, batch = (row["columns"] for row in told["rows"])
    assert kept["lost"] == new["lost"] == batch["lost"] == 0
    assert kept["replies"] >= 1000
    assert kept["p95 (s)"] < 1.0
    assert batch[serving.RATIO] >= 0.9


def test_the_table_has_a_line_for_each_round() -> None:
    told = json.loads((RESULTS / "serve.json").read_text(encoding="utf-8"))
    assert [line["lost"] for line in rows(told)] == ["0", "0", "0"]


def test_the_molecules_of_the_batch_can_all_be_answered() -> None:
    from rdkit import Chem

    made = [*serving.batch(), *scaling.smiles(5000)]
    assert len(set(scaling.smiles(5000))) == 1152
    for text in dict.fromkeys(made):
        mol = Chem.MolFromSmiles(text)
        assert mol is not None, text
        assert mol.GetNumHeavyAtoms() <= 9


def test_memory_does_not_grow_with_the_list() -> None:
    told = json.loads((RESULTS / "scaling.json").read_text(encoding="utf-8"))
    lists = [row for row in told["rows"] if row["name"].startswith("memory")]
    few, many = (row["columns"]["peak MiB"] for row in lists)
    assert many < 1.1 * few


@pytest.mark.slow
def test_every_job_runs_with_one_process_and_with_two(tmp_path: Path) -> None:
    told = scaling.run(tmp_path, share=0.02, sizes=(2,))
    jobs = [row["columns"] for row in told["rows"] if "times as fast" in row["columns"]]
    assert len(jobs) == 4
    assert all(job["1 process (s)"] > 0 and job["2 processes (s)"] > 0 for job in jobs)
