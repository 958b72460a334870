"""Why HIP-NN's orders do not fall on a trajectory: results/hipnn-orders-why.json.

    python scripts/hipnn_orders.py [--epochs 100]

The energies of 1,000 frames of toluene are learned with and without the regulariser L_R, and with
another zero of energy, so that E⁰ of an atom is of the size that it has in QM9. Errors are those of
1,000 validation frames.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from onekcal.data.dataset import Dataset
from onekcal.datasets import load
from onekcal.networks import hipnn
from onekcal.runs.choose_split import choose
from onekcal.runs.data_choice import DataChoice
from onekcal.system.provenance import provenance

OUT = Path(__file__).parents[1] / "results" / "hipnn-orders-why.json"
SET, TARGET = "md17-toluene", "pbe_ts"
ATOM = -77.0
"""kcal/mol: E⁰ of an atom in QM9, roughly, for the labels of another zero."""
CASES = {
    "total energies, as in the table": (False, 0.01),
    "total energies, without L_R": (False, 0.0),
    "bound by 77 kcal/mol an atom": (True, 0.01),
    "bound by 77 kcal/mol an atom, without L_R": (True, 0.0),
}
"""Name → whether the zero of energy is another one, and λ_R."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=100)
    epochs = parser.parse_args().epochs
    torch.set_num_threads(1)
    stored = load(SET)
    split = choose(stored, DataChoice(set=SET, target=TARGET, train=1000, valid=1000))
    data = stored.dataset.aimed(TARGET)
    train, valid = data[split.train], data[split.valid]
    rows = []
    for name, (moved, weight) in CASES.items():
        shift = float(ATOM * train.molecules.sizes[0] - train.energies.mean()) if moved else 0.0
        model = hipnn.HipNN(
            features=20,
            onsite=0,
            hierarchy_weight=weight,
            fit={"recipe": "fast", "epochs": epochs},
        ).fit(_moved(train, shift), _moved(valid, shift))
        rows.append({"name": name, "columns": _told(model, _moved(valid, shift))})
        print(rows[-1], flush=True)
    made = provenance()
    out = {
        "suite": "hipnn-orders-why",
        "title": f"HIP-NN on 1,000 frames of toluene (MD17), {epochs} epochs, recipe fast: mean "
        "size of each order at an atom, and what is left after E¹ and E² (validation frames)",
        "unit": "kcal/mol",
        "rows": rows,
        "commit": made["commit"],
        "time": made["time"],
    }
    OUT.write_text(json.dumps(out, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _moved(data: Dataset, by: float) -> Dataset:
    """The same frames with another zero of energy."""
    column = data.columns[TARGET]
    return data.with_column(TARGET, replace(column, values=column.values + by)).aimed(TARGET)


def _told(model: hipnn.HipNN, asked: Dataset) -> dict[str, float]:
    """Sizes of the orders at an atom, and errors of the running sums."""
    sizes: list[Tensor] = []
    original = hipnn.non_hierarchicality

    def heard(orders: Tensor) -> Tensor:
        sizes.append(orders.abs().mean((0, 1)).double())
        return original(orders)

    hipnn.non_hierarchicality = heard
    try:
        terms = model.terms(asked.molecules)
    finally:
        hipnn.non_hierarchicality = original
    size = torch.stack(sizes).mean(0)
    missing = terms["orders"].cumsum(1) - asked.energies[:, None]
    out = {f"E{'⁰¹²'[k]} of an atom": round(float(size[k]), 2) for k in range(len(size))}
    for k in (1, 2):
        wrong = missing[:, k]
        out[f"after E{'⁰¹²'[k]}: mean"] = round(float(wrong.mean()), 2)
        out[f"after E{'⁰¹²'[k]}: deviation"] = round(float(wrong.std()), 2)
    return out


if __name__ == "__main__":
    main()
