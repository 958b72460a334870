"""A row that takes a second, and a suite of given rows."""

from __future__ import annotations

from onekcal.bench import suite

ROW = {
    "name": "ridge",
    "paper": {"mae": 50.0},
    "seeds": [0, 1],
    "experiment": {
        "data": {"set": "mini", "target": "b3lyp", "train": 50, "valid": 0, "test": 20},
        "stages": [
            "dressed_atoms",
            {"regression": {"features": "sorted_eigenvalues", "size": 24, "estimator": "ridge"}},
        ],
    },
}


def small(*rows: dict) -> suite.Suite:
    return suite.Suite(name="small", title="A small suite", rows=[suite.Row(**row) for row in rows])
