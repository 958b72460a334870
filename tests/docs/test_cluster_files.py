"""The files for clusters work: with commands that stand in for SLURM's own."""

from __future__ import annotations

import csv
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = ROOT / "examples" / "slurm"
SMILES = ["C", "O", "N", "CC", "CO"]


@pytest.fixture
def slurm(tmp_path: Path) -> dict[str, str]:
    """The environment of a job; `srun` prints what it was to start."""
    commands = {"scontrol": "printf 'node7\\nnode8\\n'", "srun": 'echo "$@"'}
    for name, line in commands.items():
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/bash\n{line}\n", encoding="utf-8")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "list.smi").write_text("\n".join(SMILES) + "\n", encoding="utf-8")
    folders = [str(tmp_path / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
    return os.environ | {
        "PATH": os.pathsep.join(folders),
        "SLURM_ARRAY_TASK_COUNT": "2",
        "SLURM_CPUS_PER_TASK": "1",
        "SLURM_JOB_ID": "1",
        "SLURM_JOB_NODELIST": "node[7-8]",
        "SLURM_NNODES": "2",
    }


def _answers(folder: Path, task: int) -> list[str]:
    with (folder / f"answers-{task}.csv").open(encoding="utf-8") as file:
        return [row["smiles"] for row in csv.DictReader(file)]


def test_an_array_answers_every_line_once_and_goes_on_where_it_was_cut_off(
    slurm: dict[str, str], tmp_path: Path
) -> None:
    def sent(task: int) -> None:
        words = ["bash", str(FILES / "predict.sbatch"), "list.smi"]
        own = slurm | {"SLURM_ARRAY_TASK_ID": str(task)}
        subprocess.run(words, cwd=tmp_path, env=own, check=True, capture_output=True)

    sent(0)
    sent(1)
    assert _answers(tmp_path, 0) + _answers(tmp_path, 1) == ["C", "N", "CO", "O", "CC"]
    path = tmp_path / "answers-0.csv"
    whole = path.read_bytes()
    head, first, second, _ = whole.splitlines(keepends=True)
    path.write_bytes(head + first + second[:20])  # killed in the middle of a line
    sent(0)
    assert _answers(tmp_path, 0) == ["C", "N", "CO"]
    sent(0)  # nothing is missing
    assert len(path.read_bytes()) == len(whole)


def test_a_training_starts_a_process_a_gpu_on_every_node(
    slurm: dict[str, str], tmp_path: Path
) -> None:
    words = ["bash", str(FILES / "train.sbatch"), "first.yaml"]
    own = slurm | {"SLURM_GPUS_ON_NODE": "3"}
    told = subprocess.run(words, cwd=tmp_path, env=own, check=True, capture_output=True, text=True)
    assert (
        told.stdout.split()
        == (
            "torchrun --nnodes 2 --nproc-per-node 3 --rdzv-backend c10d --rdzv-id 1 "
            "--rdzv-endpoint node7:29500 -m onekcal train first.yaml --resume"
        ).split()
    )


def test_workers_are_asked_for_and_labels_are_computed_by_them(
    slurm: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "dask_jobqueue.py").write_text(
        "class SLURMCluster:\n"
        "    scheduler_address = 'tcp://node7:8786'\n"
        "    def __init__(self, **asked): print(sorted(asked))\n"
        "    def scale(self, jobs): print('jobs', jobs, flush=True)\n"
        "    def close(self): print('closed')\n",
        encoding="utf-8",
    )
    onekcal = tmp_path / "bin" / "onekcal"
    onekcal.write_text('#!/bin/bash\necho "$@"\n', encoding="utf-8")
    onekcal.chmod(0o755)
    words = [sys.executable, str(FILES / "label.py"), "list.smi", "labels.h5"]
    own = slurm | {"PYTHONPATH": str(tmp_path)}
    told = subprocess.run(words, cwd=tmp_path, env=own, check=True, capture_output=True, text=True)
    assert told.stdout.splitlines() == [
        "['cores', 'memory', 'processes', 'walltime']",
        "jobs 20",
        "label list.smi labels.h5 --scheduler tcp://node7:8786",
        "closed",
    ]
