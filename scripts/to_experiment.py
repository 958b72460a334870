"""Fit the correction of G4(MP2) to experiment that ships: src/onekcal/shipped/experiment.json.

    python scripts/to_experiment.py DATA

DATA holds the archives that `bench/experiments.py` reads. The stage `bond_correction` is fitted to
ΔfH(experiment) − ΔfH(G4(MP2)) of the species of g305.npz and ppe_dev.npz, at published energies and
geometries. What it leaves is that of species that were not fitted (ten folds by identity):

    log |error| = β₀ + β_class + γ √(heavy atoms) + β of an experiment that PPE1694 alone knows

is fitted by quantile regression (p = 0.9). Experiments that PPE1694 alone knows are often wrong by
more than G4(MP2) is, and only they have ten heavy atoms or more. So how much worse they are is a
number of its own, which does not widen the interval.

No ion is among these. What is left of ions is that of `results/g4mp2-computed.json`: the half width
covers nine in ten of them, and is told for their mean size.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from onekcal.bench.computed.cases import cases
from onekcal.bench.computed.results import deviations_of, known
from onekcal.bench.corrections import corrected, left_out
from onekcal.bench.experiments import Heat, Published, best, folds, published
from onekcal.labels.deviations import DEVIATIONS, GROWTH, Deviations, class_of
from onekcal.models.bond_correction import BondCorrection
from onekcal.models.to_experiment import ToExperiment
from onekcal.system.files import write_json
from onekcal.system.provenance import provenance
from onekcal.trust.widths import SMALLEST, regression

ROOT = Path(__file__).parents[1]
OUT = ROOT / "src" / "onekcal" / "shipped" / "experiment.json"
FOLDS = 10
KNOWN = 0.5
"""kcal/mol, the uncertainty of an experiment that is known well."""
SIZE = 4
"""Heavy atoms that the half widths are told for."""
CLASSES = [kind for kind in DEVIATIONS if kind != "ions"]


def _doubted(one: Published, heats: Mapping[str, Heat]) -> bool:
    """Whether PPE1694 alone knows the experiment of a species."""
    return one.file == "ppe_dev" and heats[one.identity].stated > KNOWN


def _print_shares(
    errors: np.ndarray, heavy: np.ndarray, doubted: np.ndarray, left: Deviations, worse: float
) -> None:
    """How many of each size lie inside."""
    halves = left.ninety * np.exp(GROWTH * (np.sqrt(heavy) - math.sqrt(SIZE)) + worse * doubted)
    for least, most in ((0, 3), (4, 6), (7, 9), (10, 12), (13, 30)):
        for which, name in ((~doubted, "known"), (doubted, "PPE1694 alone")):
            own = (heavy >= least) & (heavy <= most) & which
            if own.any():
                inside = (errors <= halves)[own].mean()
                print(f"    {least} to {most}, {name}: {100 * inside:.0f} % of {own.sum()}")


def of_ions(data: Path, stage: BondCorrection) -> Deviations:
    """What the correction leaves of the ions that were computed."""
    molecules = {case.row: case.molecule for case in cases(data, ["ions"])}
    records = [
        one for one in known(ROOT / "results")["ions"] if one["charge"] and "deviation" in one
    ]
    left = [one["deviation"] + float(stage.energies(molecules[one["row"]])[0]) for one in records]
    found = deviations_of(left)
    heavy = round(float(np.mean([one["heavy"] for one in records])))
    return Deviations(len(left), round(found.mean, 2), round(found.ninety, 2), heavy)


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
    errors = np.abs(after[first])
    kinds = np.array([class_of(some[k].molecule) for k in first])
    heavy = np.array([int((some[k].molecule.numbers > 1).sum()) for k in first])
    doubted = np.array([_doubted(some[k], heats) for k in first])
    slopes = regression(
        np.column_stack(
            [*((kinds == kind).astype(float) for kind in CLASSES), np.sqrt(heavy), doubted]
        )[:, 1:],
        np.log(np.maximum(errors, SMALLEST)),
        [False] * (len(CLASSES) - 1) + [True, False],
    )
    growth, worse = slopes[-2:]
    print(f"growth {growth:.3f}; onekcal.labels.deviations has {GROWTH}")
    print(f"experiments of PPE1694 alone: {math.exp(worse):.2f} times as wide")
    left = {}
    for kind, slope in zip(CLASSES, [0.0, *slopes[1:-2]]):
        own = (kinds == kind) & ~doubted
        ninety = math.exp(slopes[0] + slope + growth * math.sqrt(SIZE))
        left[kind] = Deviations(
            int(own.sum()), round(float(errors[own].mean()), 2), round(ninety, 2)
        )
        was = np.abs(before[first])[own].mean()
        print(f"{kind:40} {own.sum():4} before {was:.2f}", left[kind])
        _print_shares(
            errors[kinds == kind], heavy[kinds == kind], doubted[kinds == kind], left[kind], worse
        )
    left["ions"] = of_ions(asked.data, stage)
    print(f"{'ions':40}", left["ions"])
    source = (
        f"bond correction fitted to the experiments of {len(first)} species of G3/05 and PPE1694"
    )
    content = ToExperiment(stage, left, source).to_dict()
    write_json(OUT, {**content, "made": dict(provenance())})


if __name__ == "__main__":
    main()
