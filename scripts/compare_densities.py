"""How far the LOL of other densities is from that of B3LYP/6-31G, and what each costs: the table
of docs/guides/densities.md.

    python scripts/compare_densities.py [MOLECULES [DENSITY ...]]

Takes the training molecules of the voxel suite's rows of 100 molecules, and prints a line for each
density: seconds of processor time a molecule (orbitals and LOL), mean and largest difference of LOL
on 14³ voxels, correlation with the reference. Fields that are in the store are read, and their time
is not told; an empty ONEKCAL_HOME tells all.
"""

from __future__ import annotations

import math
import sys
import time

import numpy as np
import torch

from onekcal.bench import suite
from onekcal.datasets import load
from onekcal.fields.compute import request
from onekcal.fields.store import stored
from onekcal.runs.choose_split import choose

REFERENCE = "b3lyp/6-31g df"
DENSITIES = ("gfn1", "gfn2", "gfn2+core", "one-shot", "hf/6-31g df", "b3lyp/6-31g(2df,p) df")
ROW = "figure 7, LOL of B3LYP/6-31G, 60 training molecules"


def main(count: int, densities: tuple[str, ...]) -> None:
    """Print the table."""
    torch.set_num_threads(1)
    data = next(row for row in suite.read("voxels").rows if row.name == ROW).experiments()[0].data
    whole = load(data.set)
    molecules = whole.dataset.molecules[choose(whole, data).train[:count]]
    found, spent = {}, {}
    for name in (REFERENCE, *densities):
        start = time.process_time()
        fields, filling = stored(molecules, request(["lol"], name), workers=1)
        found[name] = fields[:].reshape(len(molecules), -1)
        spent[name] = (
            (time.process_time() - start) / filling.computed if filling.computed else math.nan
        )
    print(
        f"{len(molecules)} molecules\n\n| density | s a molecule | mean difference | largest | "
        "correlation |\n"
        "|---|---:|---:|---:|---:|"
    )
    for name, values in found.items():
        _print(name, spent[name], values, found[REFERENCE])
    _print("another molecule", math.nan, np.roll(found[REFERENCE], 1, axis=0), found[REFERENCE])


def _print(name: str, seconds: float, values: np.ndarray, reference: np.ndarray) -> None:
    apart = np.abs(values - reference)
    together = np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(values, reference)])
    cost = "–" if math.isnan(seconds) else f"{seconds:.2f}"
    print(f"| {name} | {cost} | {apart.mean():.4f} | {apart.max():.3f} | {together:.4f} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60, tuple(sys.argv[2:]) or DENSITIES)
