"""How much of the error from SMILES is another conformer, not the model: results/conformers.json.

    python scripts/conformer_share.py g4mp2-smiles.h5 [--model g4mp2] [--results results]

For the hold-out molecules of SMILES.h5 (scripts/smiles_geometries.py), QM9's own conformers are
relaxed with GFN2-xTB too (kept in SMILES.relaxed.h5), and the model is asked at both. The label is
the G4(MP2) energy of QM9's conformer, so

    error from SMILES = error at QM9's relaxed conformer
                        + (prediction from SMILES − prediction there)
"""

from __future__ import annotations

import argparse
import math
import resource
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from onekcal import datasets as data
from onekcal.bench.results_file import write
from onekcal.data.dataset import Dataset
from onekcal.data.splits import TEST
from onekcal.labels.labelling import label
from onekcal.models.artefact import Artefact
from onekcal.models.shipped import load_model
from onekcal.system.provenance import provenance
from onekcal.trust.conformal import Conformal, coverage
from onekcal.trust.metrics import metrics


def main() -> None:
    ask = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ask.add_argument("smiles", type=Path)
    ask.add_argument("--model", default="g4mp2")
    ask.add_argument("--results", type=Path, default=Path("results"))
    asked = ask.parse_args()
    torch.set_num_threads(1)
    started = time.perf_counter()
    made, relaxed = both_geometries(asked.smiles)
    artefact = load_model(asked.model)
    lines = compared(made, relaxed, artefact)
    about: dict[str, Any] = {
        "paper": {},
        "train": artefact.card.train or 0,
        "test": len(made),
        "note": "",
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "seconds": round(time.perf_counter() - started, 1),
        **provenance(),
    }
    write(
        asked.results / "conformers.json",
        {
            "suite": "conformers",
            "title": f"{len(made)} molecules of Ward's hold-out from SMILES",
            "cite": "",
            "unit": "kcal/mol",
            "rows": [
                {
                    "name": name,
                    "ours": {key: float(f"{value:.6g}") for key, value in errors.items()},
                    **about,
                }
                for name, errors in lines.items()
            ],
        },
    )


def both_geometries(path: Path) -> tuple[Dataset, Dataset]:
    """The hold-out molecules from SMILES, and at QM9's conformers relaxed with GFN2-xTB."""
    stored = data.load(str(path))
    held_out = np.flatnonzero(stored.splits["ward"].numpy() == TEST)
    made = stored.dataset[held_out].aimed("g4mp2")
    at_qm9 = path.with_suffix(".relaxed.h5")
    if not at_qm9.exists():
        everything = data.load("qm9-g4mp2").dataset
        place = {name: m for m, name in enumerate(everything.molecules.names.tolist())}
        some = everything[[place[name] for name in made.molecules.names.tolist()]]
        label(some, at_qm9, "gfn2", relax=True, keep=["g4mp2"], workers=1, quiet=True)
    relaxed = data.load(str(at_qm9)).dataset.aimed("g4mp2")
    there = {name: m for m, name in enumerate(relaxed.molecules.names.tolist())}
    kept = [
        m for m, name in enumerate(made.molecules.names.tolist()) if name in there
    ]  # some fall apart on relaxation
    made = made[kept]
    relaxed = relaxed[[there[name] for name in made.molecules.names.tolist()]]
    assert torch.equal(made.energies, relaxed.energies)
    return made, relaxed


def compared(made: Dataset, relaxed: Dataset, artefact: Artefact) -> dict[str, dict[str, float]]:
    """Errors and differences of the answers at both geometries, by what is compared."""
    from_smiles, from_qm9 = (
        artefact.model.energies(some.molecules, some.columns) for some in (made, relaxed)
    )
    lower = made.columns["gfn2"].values - relaxed.columns["gfn2"].values  # kcal/mol, GFN2-xTB
    lines = {
        "error from SMILES": metrics(made.energies, from_smiles),
        "error at QM9's conformer, relaxed": metrics(made.energies, from_qm9),
        "prediction from SMILES against prediction at QM9's conformer": metrics(
            from_qm9, from_smiles
        ),
        "GFN2-xTB energy of the two conformers": metrics(torch.zeros_like(lower), lower),
    }
    same = lower.abs() < 0.05
    lines[f"error from SMILES, the {int(same.sum())} molecules whose conformers agree"] = metrics(
        made.energies[same], from_smiles[same]
    )
    return lines | by_spread(made, from_smiles, artefact.calibration["smiles"])


def by_spread(
    made: Dataset, predicted: Tensor, conformal: Conformal
) -> dict[str, dict[str, float]]:
    """Errors from SMILES, and how often the interval holds, by how far a molecule's conformers lie
    apart (kcal/mol).
    """
    spread, found = made.columns["spread"].values, {}
    lower, upper = conformal.interval(predicted, spread=spread)
    for low, high in pairwise((-1, 0, 1, 2, 4, 8, math.inf)):
        some = (spread > low) & (spread <= high)
        apart = (
            "one conformer"
            if not high
            else f"{low} to {high} apart"
            if high < math.inf
            else f"more than {low} apart"
        )
        half = float((upper - lower)[some].mean() / 2)
        found[f"error from SMILES, {int(some.sum())} molecules, {apart}: ± {half:.2f}"] = metrics(
            made.energies[some], predicted[some]
        ) | {"interval": half, "coverage": coverage(made.energies[some], lower[some], upper[some])}
    return found


if __name__ == "__main__":
    main()
