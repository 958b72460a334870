"""Rates, initial weights and figure 5 of the milestone report: results/milestone-rates.json and
results/milestone-spread.json.

    python scripts/milestone_rates.py

The toy is trained on energies as in the report's table 5, with several rates of Adam, from torch's
and from Gaussian initial weights, three networks each. Errors are those of 1,000 validation frames.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from onekcal.data.dataset import Dataset
from onekcal.datasets import load
from onekcal.networks.milestone import Milestone
from onekcal.runs.choose_split import choose
from onekcal.runs.data_choice import DataChoice
from onekcal.system.provenance import provenance

RESULTS = Path(__file__).parents[1] / "results"
REPORT = {
    "aspirin": 2709.31,
    "benzene": 126341.0,
    "ethanol": 25041.22,
    "malonaldehyde": 41752.62,
    "naphthalene": 76627.39,
    "salicylic": 39732.83,
    "toluene": 79319.87,
    "uracil": 76933.86,
}
"""The report's errors, kcal/mol."""
WAYS: dict[str, tuple[float, float | None]] = {
    "rate 1e-3": (1e-3, None),
    "7e-3": (7e-3, None),
    "3e-2": (3e-2, None),
    "1e-1": (1e-1, None),
    "7e-3, Gaussian": (7e-3, 1.0),
    "1e-1, Gaussian": (1e-1, 1.0),
}
SEEDS = range(3)
SPREADS: dict[str, tuple[float, float | None, int]] = {
    "untrained": (0.0, None, 0),
    "untrained, Gaussian weights": (0.0, 1.0, 0),
    "one epoch, rate 7e-3": (7e-3, None, 1),
    "one epoch, rate 7e-3, Gaussian weights": (7e-3, 1.0, 1),
    "one epoch, rate 1e-3, Gaussian weights": (1e-3, 1.0, 1),
    "ten epochs, rate 7e-3": (7e-3, None, 10),
}
"""Name → rate, deviation of the initial weights, epochs; energies are centred and normalised."""


def main() -> None:
    torch.set_num_threads(1)
    rows = []
    for name, report in REPORT.items():
        train, valid = parts(name)
        columns: dict[str, Any] = {
            "report": round(report),
            "an answer of 0": round(float(valid.energies.abs().mean())),
        }
        for way, (rate, deviation) in WAYS.items():
            wrong = [error(train, valid, rate, deviation, seed) for seed in SEEDS]
            columns[way] = f"{min(wrong):,.0f} to {max(wrong):,.0f}"
        rows.append({"name": name, "columns": columns})
        print(rows[-1], flush=True)
    keep(
        "milestone-rates",
        "Milestone toy, energies after one epoch: Adam's rate and the initial weights, three "
        "networks each (1,000 validation frames)",
        "kcal/mol",
        rows,
    )
    train, valid = parts("aspirin")
    keep(
        "milestone-spread",
        "Milestone toy on aspirin, energies centred and normalised: how widely its answers are "
        "spread, and what they have to do with the energies (1,000 validation frames)",
        "kcal/mol",
        [spread(train, valid, name, *way) for name, way in SPREADS.items()],
    )


def parts(name: str) -> tuple[Dataset, Dataset]:
    """Training and validation frames of a molecule."""
    known = f"md17-{name}"
    stored = load(known)
    asked = DataChoice(set=known, target="pbe_ts", train=8000, valid=1000, test=1)
    split = choose(stored, asked)
    data = stored.dataset.aimed("pbe_ts")
    return data[split.train], data[split.valid]


def error(train: Dataset, valid: Dataset, rate: float, deviation: float | None, seed: int) -> float:
    """Mean absolute error of one network, kcal/mol."""
    model = Milestone(deviation, fit={"recipe": "paper", "rate": rate}, seed=seed)
    model.fit(train, train[:0])
    return float((model.energies(valid.molecules) - valid.energies).abs().mean())


def spread(
    train: Dataset, valid: Dataset, name: str, rate: float, deviation: float | None, epochs: int
) -> dict[str, Any]:
    """Deviation and correlation of the normalised toy's answers."""
    fit = {"recipe": "paper", "standardize": True, "rate": rate or 1e-12, "epochs": epochs or 1}
    model = Milestone(deviation, fit=fit).fit(train, train[:0])
    found, labels = model.energies(valid.molecules), valid.energies
    return {
        "name": name,
        "columns": {
            "deviation of the data": round(float(labels.std()), 2),
            "of the answers": round(float(found.std()), 2),
            "correlation": round(float(torch.corrcoef(torch.stack([found, labels]))[0, 1]), 2),
            "MAE": round(float((found - labels).abs().mean()), 2),
            "MAE of the mean": round(float((labels - train.energies.mean()).abs().mean()), 2),
        },
    }


def keep(name: str, title: str, unit: str, rows: list[dict[str, Any]]) -> None:
    """Write a file of results."""
    made = provenance()
    out = {
        "suite": name,
        "title": title,
        "unit": unit,
        "rows": rows,
        "commit": made["commit"],
        "time": made["time"],
    }
    text = json.dumps(out, indent=1, ensure_ascii=False) + "\n"
    (RESULTS / f"{name}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
