"""Losses of the QM7 study's perceptrons, epoch by epoch: results/qm7-losses.json.

    python scripts/qm7_losses.py [--epochs 100]

The study's protocol on fold 0's training part, of which 573 molecules are held out. They are only
looked at: the training loss decides about the rate. The study drew the test part in their place.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
from pathlib import Path

import torch

from onekcal.datasets import load
from onekcal.networks.coulomb_mlp import CoulombMLP
from onekcal.networks.training.session import session
from onekcal.runs.choose_split import choose
from onekcal.runs.data_choice import DataChoice
from onekcal.system.provenance import provenance

OUT = Path(__file__).parents[1] / "results" / "qm7-losses.json"
FEATURES = {"eigenvalues": "eigenvalues", "sorted matrix": "sorted", "random matrix": "random"}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=100)
    epochs = parser.parse_args().epochs
    torch.set_num_threads(1)
    stored = load("qm7")
    split = choose(stored, DataChoice(set="qm7", target="pbe0", split="fold0", valid=0.1))
    data = stored.dataset.aimed("pbe0")
    fit = {"recipe": "paper", "epochs": epochs, "watch": "loss"}
    curves = {}
    for name, features in FEATURES.items():
        with tempfile.TemporaryDirectory() as scratch, session(Path(scratch)):
            model = CoulombMLP(features, size=23, fit=fit)
            model.fit(data[split.train], data[split.valid])
            with (Path(scratch) / "epochs.csv").open(encoding="utf-8") as file:
                lines = list(csv.DictReader(file))
        # the loss is an absolute error in units of the labels' deviation
        scale = float(lines[-1]["valid_mae"]) / float(lines[-1]["valid_loss"])
        curves[name] = {
            "training": [float(f"{scale * float(line['loss']):.4g}") for line in lines],
            "held out": [float(f"{float(line['valid_mae']):.4g}") for line in lines],
        }
        print(name, {part: values[-1] for part, values in curves[name].items()}, flush=True)
    made = provenance()
    out = {
        "suite": "qm7-losses",
        "title": "QM7, fold 0's training part: mean absolute errors epoch by epoch, the study's "
        "protocol",
        "unit": "kcal/mol",
        "rows": [],
        "curves_of": curves,
        "commit": made["commit"],
        "time": made["time"],
    }
    OUT.write_text(json.dumps(out, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
