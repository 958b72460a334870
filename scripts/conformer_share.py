"""How much of the error from SMILES is another conformer, not the model: results/conformers.json.

    python scripts/conformer_share.py g4mp2-smiles.h5 RELAXED [--fourth] [--results results]

The hold-out molecules of SMILES.h5 (scripts/smiles_geometries.py), with `--fourth` every fourth of
them, are asked at the geometries from their SMILES, and at QM9's own conformers relaxed with
GFN2-xTB (RELAXED). The published label is the G4(MP2) energy of QM9's conformer, so

    error against it = error at QM9's relaxed conformer
                       + (prediction from SMILES − prediction there)

The label of the lowest conformer is the published one, moved by what GFN2-xTB says lies between
both. The interval promises 90 % of these.
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from onekcal import datasets as data
from onekcal.bench.results_file import write
from onekcal.data.dataset import Dataset
from onekcal.data.splits import TEST
from onekcal.models.artefact import Artefact
from onekcal.models.shipped import load_model
from onekcal.system.provenance import provenance
from onekcal.trust.conformal import coverage
from onekcal.trust.metrics import metrics
from onekcal.trust.traits import traits


def main() -> None:
    ask = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ask.add_argument("smiles", type=Path)
    ask.add_argument("relaxed")
    ask.add_argument("--model", default="g4mp2")
    ask.add_argument("--fourth", action="store_true", help="those that calibrate_smiles.py left")
    ask.add_argument("--results", type=Path, default=Path("results"))
    asked = ask.parse_args()
    torch.set_num_threads(1)
    started = time.perf_counter()
    made, relaxed = both_geometries(asked.smiles, asked.relaxed, asked.fourth)
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


def both_geometries(path: Path, at_qm9: str, fourth: bool) -> tuple[Dataset, Dataset]:
    """The hold-out molecules from SMILES, and at QM9's conformers relaxed with GFN2-xTB."""
    stored, relaxed = data.load(str(path)), data.load(at_qm9).dataset.aimed("g4mp2")
    held_out = np.flatnonzero(stored.splits["ward"].numpy() == TEST)[:: 4 if fourth else 1]
    made = stored.dataset[held_out].aimed("g4mp2")
    there = {name: m for m, name in enumerate(relaxed.molecules.names.tolist())}
    return made, relaxed[[there[name] for name in made.molecules.names.tolist()]]


def compared(made: Dataset, relaxed: Dataset, artefact: Artefact) -> dict[str, dict[str, float]]:
    """Errors and differences of the answers at both geometries, by what is compared."""
    from_smiles, from_qm9 = (
        artefact.model.energies(some.molecules, some.columns) for some in (made, relaxed)
    )
    lower = made.columns["gfn2"].values - relaxed.columns["gfn2"].values  # kcal/mol, GFN2-xTB
    published = relaxed.energies
    lines = {
        "error from SMILES, label of the lowest conformer": metrics(made.energies, from_smiles),
        "error from SMILES, published label": metrics(published, from_smiles),
        "error at QM9's conformer, relaxed": metrics(published, from_qm9),
        "prediction from SMILES against prediction at QM9's conformer": metrics(
            from_qm9, from_smiles
        ),
        "GFN2-xTB energy of the two conformers": metrics(torch.zeros_like(lower), lower),
    }
    same = lower.abs() < 0.05
    lines[f"error from SMILES, the {int(same.sum())} molecules whose conformers agree"] = metrics(
        made.energies[same], from_smiles[same]
    )
    return lines | by_rivalry(made, from_smiles, artefact)


def by_rivalry(made: Dataset, predicted: Tensor, artefact: Artefact) -> dict[str, dict[str, float]]:
    """Errors from SMILES, and how often the interval holds, by how much a molecule's conformers may
    change the answer (kcal/mol).
    """
    rivalry, found = made.columns["rivalry"].values, {}
    novelty = artefact.model.novelty(made.molecules)
    conformal, known = artefact.calibration["smiles"], traits(made.molecules, novelty, rivalry)
    lower, upper = conformal.interval(predicted, rivalry=rivalry, traits=known)
    moved = made.columns["g4mp2_published"].values - made.energies
    parts = {
        "one conformer": rivalry == 0,
        "rivalry up to 1": (rivalry > 0) & (rivalry <= 1),
        "rivalry above 1": rivalry > 1,
    }
    parts = {
        f"{name}, label moved by less than 1": some & (moved < 1) for name, some in parts.items()
    }
    for share, some in (parts | {"label moved by 1 or more": moved >= 1}).items():
        half = float((upper - lower)[some].mean() / 2)
        found[f"error from SMILES, {int(some.sum())} molecules, {share}: ± {half:.2f}"] = metrics(
            made.energies[some], predicted[some]
        ) | {"interval": half, "coverage": coverage(made.energies[some], lower[some], upper[some])}
    return found


if __name__ == "__main__":
    main()
