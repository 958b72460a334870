"""Fit the correction of G4(MP2) to experiment that ships: src/onekcal/shipped/experiment.json.

    python scripts/to_experiment.py DATA

DATA holds the archives that `bench/experiments.py` reads. The stage `bond_correction` is fitted to
ΔfH(experiment) − ΔfH(G4(MP2)) of the species of g305.npz and ppe_dev.npz, at published energies and
geometries. What it leaves is that of species that were not fitted (ten folds by identity) and whose
experiment is known well; of a class with few such species, that of all.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
import torch

from onekcal.bench.corrections import corrected, left_out
from onekcal.bench.experiments import best, folds, published
from onekcal.labels.deviations import DEVIATIONS, Deviations, class_of
from onekcal.models.bond_correction import BondCorrection
from onekcal.models.to_experiment import ToExperiment
from onekcal.system.files import write_json
from onekcal.system.provenance import provenance

OUT = Path(__file__).parents[1] / "src" / "onekcal" / "shipped" / "experiment.json"
FOLDS = 10
KNOWN = 0.5
"""kcal/mol, the uncertainty of an experiment that is known well."""
FEW = 20
"""Of fewer species whose experiment is known well, all count."""


def main() -> None:
    ask = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ask.add_argument("data", type=Path)
    asked = ask.parse_args()
    torch.set_num_threads(1)
    every = published(asked.data)
    heats, dealt = best(every), folds((one.identity for one in every), FOLDS)
    some = [one for one in every if one.level == "g4mp2" and math.isfinite(one.formation)]
    stage = BondCorrection()
    corrected(some, heats, stage)
    before, after = left_out(some, heats, dealt, stage)
    first = sorted({one.identity: k for k, one in reversed(list(enumerate(some)))}.values())
    well = np.array([heats[some[k].identity].stated <= KNOWN for k in first])
    left = {}
    for kind in DEVIATIONS:
        own = np.array([class_of(some[k].molecule) == kind for k in first])
        rows = np.array(first)[own & well if (own & well).sum() >= FEW else own]
        errors = np.sort(np.abs(after[rows]))
        ninety = errors[math.ceil(0.9 * (len(rows) + 1)) - 1]
        left[kind] = Deviations(len(rows), round(float(errors.mean()), 2), round(float(ninety), 2))
        print(f"{kind:40} {len(rows):4} before {np.abs(before[rows]).mean():.2f}", left[kind])
    source = (
        f"bond correction fitted to the experiments of {len(first)} species of G3/05 and PPE1694"
    )
    content = ToExperiment(stage, left, source).to_dict()
    write_json(OUT, {**content, "made": dict(provenance())})


if __name__ == "__main__":
    main()
