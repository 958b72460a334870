"""Suites and queues of toy jobs for tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from onekcal.system import queue_runner

NET: dict[str, Any] = {
    "name": "net",
    "seeds": [0, 1],
    "experiment": {
        "data": {"set": "mini", "target": "b3lyp", "train": 60, "valid": 20, "test": 20},
        "stages": ["dressed_atoms", {"hipnn": {"features": 5}}],
        "fit": {"recipe": "fast", "epochs": 150, "checkpoint": 0},
    },
}
RIDGE: dict[str, Any] = {
    "name": "ridge",
    "experiment": {
        "data": {"set": "mini", "target": "b3lyp", "train": 50, "valid": 0, "test": 20},
        "stages": [
            "dressed_atoms",
            {"regression": {"features": "sorted_eigenvalues", "size": 24, "estimator": "ridge"}},
        ],
    },
}
TOY = "from onekcal.system import queue_job; queue_job.working({}, (ValueError,))"
"""A job's process that computes what stands between the braces."""


def a_suite(folder: Path, *rows: dict[str, Any]) -> Path:
    """A suite in a file."""
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump({"name": "small", "title": "Small", "rows": list(rows)}))
    return path


def a_runner(queue: Path, results: Path) -> subprocess.Popen[bytes]:
    """`onekcal bench queue run` in a process of its own."""
    asked = ["bench", "queue", "run", "--queue", str(queue), "--results", str(results)]
    return subprocess.Popen([sys.executable, "-m", "onekcal", *asked], stderr=subprocess.DEVNULL)


def toys(queue: Path, compute: str, **options: Any) -> list[str]:
    """Run a queue of toy jobs to its end here; what it said."""
    said: list[str] = []
    queue_runner.run(queue, TOY.format(compute), say=said.append, **options)
    return said
