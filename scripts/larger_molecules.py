"""Molecules larger than any that a model has seen: results/larger-molecules.json, the page's table.

    onekcal data get qm9
    python scripts/larger_molecules.py        # ten minutes on one core

A kernel on GFN2-xTB and its electrons, as the shipped model is, learns B3LYP energies of molecules
of QM9 that have up to seven or eight heavy atoms. Its intervals are calibrated on others of these
sizes. Then it is asked for molecules of the same size that it has not seen, and for larger ones.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from onekcal import datasets
from onekcal.data.dataset import Dataset
from onekcal.models.artefact import Artefact
from onekcal.runs.evaluate import halves
from onekcal.runs.experiment import Experiment
from onekcal.runs.run import run
from onekcal.system.files import write_json
from onekcal.system.provenance import provenance

ROOT = Path(__file__).parents[1]
OUT, PAGE = ROOT / "results" / "larger-molecules.json", ROOT / "docs" / "howto" / "trust.md"
LEARNED = {7: (2500, 1200), 8: (6000, 2000)}
"""Largest number of heavy atoms → training and validation molecules."""
ASKED = 1000
"""Molecules of each size that are asked for."""
BLOCK = 250
STAGES = [
    {"baseline": "gfn2"},
    "dressed_atoms",
    {
        "sparse_kernel": {
            "landmarks": 5000,
            "sigma": 4.0,
            "regularization": [1e-6, 1e-5, 1e-4, 1e-3],
            "rcut": 5.0,
            "acut": 4.0,
            "basis": {"eta3": 5.0, "two_body_decay": 2.5, "three_body_weight": 26.0},
            "electronic": 0.5,
        }
    },
]
BEGIN, END = "<!-- larger -->\n", "<!-- end -->"


def measure() -> dict[str, Any]:
    """Fit the models and ask them."""
    everything = datasets.load("qm9").dataset.aimed("b3lyp")
    molecules = everything.molecules
    heavy = molecules.sum_atoms((molecules.numbers > 1).to(torch.float64)).numpy()
    order = np.random.default_rng(0).permutation(len(heavy))
    rows: list[dict[str, Any]] = []
    for most, (train, valid) in LEARNED.items():
        small = order[heavy[order] <= most]
        with tempfile.TemporaryDirectory() as folder:
            split = Path(folder) / "split.npz"
            parts = small[:train], small[train : train + valid], small[train + valid :][:2]
            np.savez(split, **dict(zip(("train", "valid", "test"), parts)))
            data = {"set": "qm9", "target": "b3lyp", "split": str(split)}
            experiment = Experiment.model_validate({"data": data, "stages": STAGES})
            artefact = Artefact.load(
                run(experiment, Path(folder) / "run").folder / "model.safetensors"
            )
        unseen = np.concatenate([small[train + valid :], order[heavy[order] > most]])
        for size in range(most, 10):
            asked = unseen[heavy[unseen] == size][:ASKED]
            rows.append({"trained up to": most, "asked": size} | told(artefact, everything[asked]))
            print(rows[-1], flush=True)
    return {
        "title": "Molecules larger than any that the model has seen",
        "unit": "kcal/mol",
        "rows": rows,
        "made": dict(provenance()),
    }


def told(artefact: Artefact, asked: Dataset) -> dict[str, Any]:
    """Errors, intervals and refusals of molecules."""
    found = [np.concatenate(each) for each in zip(*_blocks(artefact, asked))]
    error, half, novelty = found
    known = novelty <= artefact.novelty_limit
    return {
        "count": len(error),
        "mae": round(float(error.mean()), 4),
        "half": round(float(half.mean()), 4),
        "inside": round(float((error <= half).mean()), 4),
        "refused": round(float((~known).mean()), 4),
        "inside of the others": round(float((error <= half)[known].mean()), 4),
    }


def _blocks(artefact: Artefact, asked: Dataset) -> Iterator[tuple[np.ndarray, ...]]:
    """|error|, half width and novelty, a few molecules at a time."""
    (conformal,) = artefact.calibration.values()
    for first in range(0, len(asked), BLOCK):
        block = asked[np.arange(first, min(first + BLOCK, len(asked)))]
        with torch.no_grad():
            predicted = artefact.model.energies(block.molecules, block.columns)
        novelty = artefact.model.novelty(block.molecules)
        assert novelty is not None
        half = halves(conformal, artefact.model, block)
        yield (predicted - block.energies).abs().numpy(), half.numpy(), novelty.numpy()


def table(results: dict[str, Any]) -> str:
    """Return the table of the page."""
    lines = [
        "| learned up to | asked for | molecules | MAE | mean ± | it holds | refused "
        "| it holds of the others |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in results["rows"]:
        lines.append(
            f"| {row['trained up to']} heavy atoms | {row['asked']} | {row['count']:,} "
            f"| {row['mae']:.2f} | {row['half']:.2f} | {100 * row['inside']:.0f} % "
            f"| {100 * row['refused']:.0f} % | {100 * row['inside of the others']:.0f} % |"
        )
    return "\n".join(lines) + "\n"


def renewed(page: str, results: dict[str, Any]) -> str:
    """Return the text of the page with the table of the results."""
    head, _, rest = page.partition(BEGIN)
    return head + BEGIN + table(results) + END + rest.partition(END)[2]


if __name__ == "__main__":
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    torch.set_num_threads(1)
    write_json(OUT, measure())
    results = json.loads(OUT.read_text(encoding="utf-8"))
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8"), results), encoding="utf-8")
